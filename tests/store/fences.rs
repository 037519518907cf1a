//! Writes of stale attempts.

use syncmgr::Outcome;
use syncmgr::store::StateStore;
use syncmgr_core::store::StaleWriter;

use crate::common::*;

cases! {
    a_stale_commit_is_refused_and_names_the_later_attempt,
    a_stale_end_changes_nothing_and_is_not_an_error,
    the_same_attempt_may_write_repeatedly,
    a_later_session_wins_over_a_later_attempt,
    a_refused_commit_undoes_its_whole_write,
    a_refused_write_does_not_affect_its_neighbours,
    an_end_of_several_items_skips_only_the_stale_ones,
}

fn a_stale_commit_is_refused_and_names_the_later_attempt(store: &dyn StateStore) {
    put(store, [commit_change(ITEM, fence(2, 1), "new")]);
    let error = expect_refused(store, [commit_change(ITEM, fence(2, 0), "old")]);
    let stale = error.chain().find_map(|cause| cause.downcast_ref::<StaleWriter>()).copied();
    assert_eq!(stale, Some(StaleWriter::new(ITEM, fence(2, 0), fence(2, 1))));
    assert_eq!(record(store, ITEM).expect("the record exists").checkpoint, Some(checkpoint("new")));
}

fn a_stale_end_changes_nothing_and_is_not_an_error(store: &dyn StateStore) {
    put(store, [commit_change(ITEM, fence(5, 0), "1")]);
    let before = record(store, ITEM);
    put(store, [end_change(4, [(ITEM, item_end(Outcome::Succeeded))])]);
    assert_eq!(record(store, ITEM), before);
}

fn the_same_attempt_may_write_repeatedly(store: &dyn StateStore) {
    put(store, [commit_change(ITEM, fence(1, 0), "1"), commit_change(ITEM, fence(1, 0), "2")]);
    put(store, [end_change(1, [(ITEM, item_end(Outcome::Failed))]), commit_change(ITEM, fence(1, 0), "3")]);
    assert_eq!(record(store, ITEM).expect("the record exists").checkpoint, Some(checkpoint("3")));
}

fn a_later_session_wins_over_a_later_attempt(store: &dyn StateStore) {
    put(store, [commit_change(ITEM, fence(1, 9), "1"), commit_change(ITEM, fence(2, 0), "2")]);
    expect_refused(store, [commit_change(ITEM, fence(1, 10), "3")]);
    assert_eq!(record(store, ITEM).expect("the record exists").checkpoint, Some(checkpoint("2")));
}

fn a_refused_commit_undoes_its_whole_write(store: &dyn StateStore) {
    put(store, [commit_change(ITEM, fence(2, 0), "kept"), log(1, &[plain("kept")])]);
    let late = commit_change(ITEM, fence(1, 0), "late");
    expect_refused(
        store,
        [log(1, &[plain("undone")]), commit_change(NEXT, fence(1, 0), "undone"), late, retry(ITEM, None)],
    );
    assert_eq!(texts(store), ["1: kept"]);
    assert_eq!(record(store, NEXT), None);
}

fn a_refused_write_does_not_affect_its_neighbours(store: &dyn StateStore) {
    put(store, [commit_change(ITEM, fence(2, 0), "kept")]);
    let before = store.write(vec![add_log_change(1, &[plain("before")])]);
    let late = store.write(vec![add_log_change(1, &[plain("late")]), commit_change(ITEM, fence(1, 0), "late")]);
    let after = store.write(vec![add_log_change(1, &[plain("after")])]);
    let results = futures::executor::block_on(futures::future::join_all([before, late, after]));
    assert_eq!(results.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    assert_eq!(texts(store), ["1: before", "1: after"]);
}

fn an_end_of_several_items_skips_only_the_stale_ones(store: &dyn StateStore) {
    put(store, [commit_change(ITEM, fence(5, 0), "1")]);
    put(store, [end_change(4, [ITEM, NEXT].map(|item| (item, item_end(Outcome::Failed))))]);
    let outcomes = [ITEM, NEXT].map(|item| record(store, item).expect("the record exists").outcome);
    assert_eq!(outcomes, [None, Some(Outcome::Failed)]);
}
