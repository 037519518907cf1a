//! Records of items and resources.

use std::collections::BTreeSet;
use std::sync::Arc;

use syncmgr::store::{StateChange, StateStore};
use syncmgr::{Claim, ItemId, Outcome, SessionId};
use syncmgr_core::plan::Side;
use syncmgr_core::record::Fence;
use syncmgr_core::retry::RetryStatus;
use syncmgr_core::store::Histogram;

use crate::common::*;

cases! {
    an_item_without_stored_data_has_no_record,
    a_commit_is_read_back_and_changes_nothing_else,
    a_success_sets_both_times_and_clears_the_retry_status,
    an_unsuccessful_end_keeps_the_last_success_and_sets_the_retry_status,
    the_ends_of_stored_and_of_new_items_are_written_together,
    sides_are_stored_until_a_later_plan_replaces_them,
    every_retry_status_and_outcome_is_read_back,
    a_retry_status_can_change_without_an_attempt,
    retry_states_lists_only_items_with_a_retry_status,
    an_absence_is_stored_until_the_item_returns_or_ends,
    recorded_items_include_the_start_of_their_absence,
    all_records_of_a_handler_are_read_together,
    a_reset_sets_the_checkpoint_aside_and_clears_the_retry_status,
    a_reset_without_a_checkpoint_keeps_the_one_set_aside_before,
    ended_since_lists_items_that_last_ended_in_the_given_session_or_later,
    a_commit_does_not_count_as_an_end,
    resources_have_their_own_retry_status,
    a_histogram_is_replaced_as_a_whole,
}

fn an_item_without_stored_data_has_no_record(store: &dyn StateStore) {
    assert_eq!(record(store, ITEM), None);
    put(store, [retry(ITEM, None), StateChange::Reset { handler: HANDLER, item: ITEM }]);
    assert_eq!(record(store, ITEM), None);
}

fn a_commit_is_read_back_and_changes_nothing_else(store: &dyn StateStore) {
    put(
        store,
        [end_change(1, [(ITEM, item_end(Outcome::Succeeded))]), commit_change(ITEM, fence(2, 1), r#"{"at":"ü"}"#)],
    );
    let record = record(store, ITEM).expect("the record exists");
    assert_eq!(record.fence, fence(2, 1));
    assert_eq!(record.checkpoint, Some(checkpoint(r#"{"at":"ü"}"#)));
    assert_eq!((record.outcome, record.last_success), (Some(Outcome::Succeeded), Some(at(1))));
}

fn a_success_sets_both_times_and_clears_the_retry_status(store: &dyn StateStore) {
    put(store, [retry(ITEM, Some(backoff(2))), end_change(7, [(ITEM, item_end(Outcome::Succeeded))])]);
    let record = record(store, ITEM).expect("the record exists");
    assert_eq!((record.last_attempt, record.last_success), (Some(at(7)), Some(at(7))));
    assert_eq!((record.fence, record.retry), (fence(7, 0), None));
}

fn an_unsuccessful_end_keeps_the_last_success_and_sets_the_retry_status(store: &dyn StateStore) {
    put(store, [end_change(1, [(ITEM, item_end(Outcome::Succeeded))])]);
    for (session, outcome) in (2..).zip([Outcome::Failed, Outcome::Skipped, Outcome::Stopped, Outcome::NeedsUser]) {
        let status = Some(backoff(session));
        put(store, [end_change(session.into(), [(ITEM, item_end(outcome).with_retry(status))])]);
        let record = record(store, ITEM).expect("the record exists");
        assert_eq!((record.outcome, record.retry), (Some(outcome), status));
        assert_eq!((record.last_attempt, record.last_success), (Some(at(session.into())), Some(at(1))));
    }
}

fn the_ends_of_stored_and_of_new_items_are_written_together(store: &dyn StateStore) {
    let items: Vec<_> = (1..=8).map(ItemId::from_u128).collect();
    let success = || item_end(Outcome::Succeeded);
    let failure = || item_end(Outcome::Failed).with_retry(backoff(1));
    put(store, [end_change(1, [0, 2, 4, 6].map(|index| (items[index], success())))]);
    put(store, [end_change(2, [(items[2], failure())]), absence_change(items[4], Some(2))]);
    put(store, [end_change(3, items.iter().map(|item| (*item, success())))]);
    for item in &items {
        let record = record(store, *item).expect("the item has ended");
        let times = (record.last_attempt, record.last_success);
        assert_eq!((record.outcome, times), (Some(Outcome::Succeeded), (Some(at(3)), Some(at(3)))), "{item}");
        assert_eq!((record.retry, record.absent_since), (None, None), "{item}");
    }
    put(store, [end_change(2, items.iter().map(|item| (*item, failure())))]);
    assert_eq!(store.retry_states(HANDLER).expect("the read succeeds"), map([]), "an earlier attempt has written");
    assert_eq!(store.ended_since(HANDLER, SessionId(3)).expect("the read succeeds").len(), items.len());
}

fn sides_are_stored_until_a_later_plan_replaces_them(store: &dyn StateStore) {
    let sides = vec![Side::new("disk", 3).with_identity("uuid"), Side::new("phone", 0)];
    let with = |sides| end_change(1, [(ITEM, item_end(Outcome::Succeeded).with_sides(sides))]);
    put(store, [with(Some(sides.clone()))]);
    put(store, [with(None), commit_change(ITEM, fence(2, 0), "1")]);
    assert_eq!(record(store, ITEM).expect("the record exists").sides, sides);
    let (checkpoint, fence, sides) = (checkpoint("2"), fence(2, 0), Some(vec![Side::new("card", 9)]));
    let consumed = Vec::new();
    put(store, [StateChange::Committed { handler: HANDLER, item: ITEM, fence, checkpoint, sides, consumed }]);
    assert_eq!(record(store, ITEM).expect("the record exists").sides, [Side::new("card", 9)]);
    let no_sides = item_end(Outcome::Succeeded).with_sides(Vec::new());
    put(store, [end_change(3, [(ITEM, no_sides)])]);
    assert_eq!(record(store, ITEM).expect("the record exists").sides, []);
}

fn every_retry_status_and_outcome_is_read_back(store: &dyn StateStore) {
    for status in RetryStatus::ALL {
        let state = syncmgr_core::retry::RetryState::new(status, at(5), None).with_failures(u32::MAX, 0);
        put(store, [retry(ITEM, Some(state))]);
        assert_eq!(record(store, ITEM).expect("the record exists").retry, Some(state));
    }
    for outcome in Outcome::ALL {
        put(store, [end_change(1, [(ITEM, item_end(outcome))])]);
        assert_eq!(record(store, ITEM).expect("the record exists").outcome, Some(outcome));
    }
}

fn a_retry_status_can_change_without_an_attempt(store: &dyn StateStore) {
    put(store, [commit_change(ITEM, fence(4, 2), "1"), retry(ITEM, Some(backoff(1)))]);
    let kept = record(store, ITEM).expect("the record exists");
    assert_eq!((kept.fence, kept.retry), (fence(4, 2), Some(backoff(1))));
    put(store, [retry(ITEM, None)]);
    let kept = record(store, ITEM).expect("the record exists");
    assert_eq!((kept.checkpoint, kept.retry), (Some(checkpoint("1")), None));
}

fn retry_states_lists_only_items_with_a_retry_status(store: &dyn StateStore) {
    put(store, [end_change(1, [(ITEM, item_end(Outcome::Succeeded))]), retry(NEXT, Some(backoff(3)))]);
    assert_eq!(store.retry_states(HANDLER).expect("the read succeeds"), map([(NEXT, backoff(3))]));
    assert_eq!(store.retry_states(OTHER).expect("the read succeeds"), map([]));
    put(store, [end_change(2, [(NEXT, item_end(Outcome::Succeeded))])]);
    assert_eq!(store.retry_states(HANDLER).expect("the read succeeds"), map([]));
}

fn absence_change(item: ItemId, since: Option<u64>) -> StateChange {
    StateChange::Absent { handler: HANDLER, items: map([(item, since.map(at))]) }
}

fn an_absence_is_stored_until_the_item_returns_or_ends(store: &dyn StateStore) {
    let since = || record(store, ITEM).expect("the record exists").absent_since;
    put(store, [commit_change(ITEM, Fence::default(), "1"), absence_change(ITEM, Some(3))]);
    assert_eq!(since(), Some(at(3)));
    put(store, [absence_change(ITEM, None)]);
    assert_eq!(since(), None);
    put(store, [absence_change(ITEM, Some(4)), end_change(1, [(ITEM, item_end(Outcome::Failed))])]);
    assert_eq!(since(), None);
}

fn all_records_of_a_handler_are_read_together(store: &dyn StateStore) {
    put(store, [end_change(1, [(ITEM, item_end(Outcome::Succeeded))]), retry(NEXT, Some(backoff(3)))]);
    let records = [ITEM, NEXT].map(|item| (item, record(store, item).expect("the record exists")));
    assert_eq!(store.records(HANDLER).expect("the read succeeds"), map(records));
    assert_eq!(store.records(OTHER).expect("the read succeeds"), map([]));
}

fn recorded_items_include_the_start_of_their_absence(store: &dyn StateStore) {
    put(
        store,
        [end_change(1, [ITEM, NEXT].map(|item| (item, item_end(Outcome::Succeeded)))), absence_change(NEXT, Some(2))],
    );
    assert_eq!(store.recorded_items(HANDLER).expect("the read succeeds"), map([(ITEM, None), (NEXT, Some(at(2)))]));
    assert_eq!(store.recorded_items(OTHER).expect("the read succeeds"), map([]));
}

fn a_reset_sets_the_checkpoint_aside_and_clears_the_retry_status(store: &dyn StateStore) {
    put(store, [commit_change(ITEM, fence(1, 0), "1"), retry(ITEM, Some(backoff(1)))]);
    put(store, [StateChange::Reset { handler: HANDLER, item: ITEM }]);
    let record = record(store, ITEM).expect("the record exists");
    assert_eq!((record.checkpoint, record.set_aside, record.retry), (None, Some(checkpoint("1")), None));
    assert_eq!(record.fence, fence(1, 0));
}

fn a_reset_without_a_checkpoint_keeps_the_one_set_aside_before(store: &dyn StateStore) {
    let reset = StateChange::Reset { handler: HANDLER, item: ITEM };
    let aside = || record(store, ITEM).expect("the record exists").set_aside;
    put(store, [commit_change(ITEM, fence(1, 0), "1"), reset.clone(), reset.clone()]);
    assert_eq!(aside(), Some(checkpoint("1")));
    put(store, [commit_change(ITEM, fence(1, 0), "2"), reset]);
    assert_eq!(aside(), Some(checkpoint("2")));
}

fn ended_since_lists_items_that_last_ended_in_the_given_session_or_later(store: &dyn StateStore) {
    put(
        store,
        [end_change(4, [(ITEM, item_end(Outcome::Failed))]), end_change(6, [(NEXT, item_end(Outcome::Succeeded))])],
    );
    let since = |session| store.ended_since(HANDLER, SessionId(session)).expect("the read succeeds");
    assert_eq!(since(4), BTreeSet::from([ITEM, NEXT]));
    assert_eq!(since(5), BTreeSet::from([NEXT]));
    assert_eq!(since(7), BTreeSet::new());
}

fn a_commit_does_not_count_as_an_end(store: &dyn StateStore) {
    put(store, [end_change(4, [(ITEM, item_end(Outcome::Failed))]), commit_change(ITEM, fence(6, 0), "1")]);
    put(store, [commit_change(NEXT, fence(6, 0), "1")]);
    assert_eq!(store.ended_since(HANDLER, SessionId(6)).expect("the read succeeds"), BTreeSet::new());
    assert_eq!(record(store, NEXT).expect("the record exists").outcome, None);
}

fn resources_have_their_own_retry_status(store: &dyn StateStore) {
    let resource = |name: &str, retry| StateChange::Resource { claim: Claim::new(name), retry };
    put(store, [resource("a", Some(backoff(1))), resource("b", Some(backoff(1))), resource("b", Some(backoff(2)))]);
    assert_eq!(
        store.resources().expect("the read succeeds"),
        map([("a", 1), ("b", 2)].map(|(n, f)| (Claim::new(n), backoff(f))))
    );
    put(store, [resource("a", None), resource("never", None)]);
    assert_eq!(store.resources().expect("the read succeeds"), map([(Claim::new("b"), backoff(2))]));
}

fn a_histogram_is_replaced_as_a_whole(store: &dyn StateStore) {
    let counted = |counts: &[u64], longest| Histogram::new(counts.to_vec(), longest);
    let change = |histogram| StateChange::Histogram { name: Arc::from("stop"), histogram };
    put(store, [change(counted(&[1, 2, 3], 9)), change(counted(&[u64::MAX], 8))]);
    assert_eq!(store.histogram("stop").expect("the read succeeds"), Some(counted(&[u64::MAX], 8)));
    assert_eq!(store.histogram("start").expect("the read succeeds"), None);
}
