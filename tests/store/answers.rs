//! Answers to questions, and the changes that consume them.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use syncmgr::log::Question;
use syncmgr::store::{StateChange, StateStore};
use syncmgr::{ItemId, Outcome};
use syncmgr_core::log::Remedy;

use crate::common::*;

cases! {
    an_answer_is_valid_only_for_its_exact_question,
    reading_an_answer_does_not_consume_it,
    a_later_answer_replaces_an_earlier_one,
    a_commit_consumes_the_answers_it_names,
    an_end_consumes_the_answers_it_names,
    a_stale_write_consumes_no_answer,
    every_remedy_is_read_back,
}

fn question(key: &str) -> Question {
    Question::new(key, "Which?", ["this", "that"].map(Arc::from))
}

fn answer_change(item: ItemId, question: Question, choice: usize) -> StateChange {
    StateChange::Answered { handler: HANDLER, item, question, choice }
}

fn answer(store: &dyn StateStore, question: &Question) -> Option<usize> {
    store.answer(HANDLER, ITEM, question).expect("the read succeeds")
}

fn an_answer_is_valid_only_for_its_exact_question(store: &dyn StateStore) {
    put(store, [answer_change(ITEM, question("a"), 1)]);
    assert_eq!(answer(store, &question("a")), Some(1));
    assert_eq!(answer(store, &question("b")), None);
    let mut changed = question("a");
    changed.digest = Some(u64::MAX);
    assert_eq!(answer(store, &changed), None);
    assert_eq!(store.answer(HANDLER, NEXT, &question("a")).expect("the read succeeds"), None);
    assert_eq!(store.answer(OTHER, ITEM, &question("a")).expect("the read succeeds"), None);
}

fn reading_an_answer_does_not_consume_it(store: &dyn StateStore) {
    put(store, [answer_change(ITEM, question("a"), 0)]);
    assert_eq!([answer(store, &question("a")), answer(store, &question("a"))], [Some(0), Some(0)]);
}

fn a_later_answer_replaces_an_earlier_one(store: &dyn StateStore) {
    let mut changed = question("a");
    changed.digest = Some(7);
    put(store, [answer_change(ITEM, question("a"), 1), answer_change(ITEM, changed.clone(), 0)]);
    assert_eq!((answer(store, &question("a")), answer(store, &changed)), (None, Some(0)));
}

fn a_commit_consumes_the_answers_it_names(store: &dyn StateStore) {
    put(
        store,
        [
            answer_change(ITEM, question("a"), 1),
            answer_change(ITEM, question("b"), 1),
            answer_change(NEXT, question("a"), 1),
        ],
    );
    let (fence, checkpoint, consumed) = (fence(1, 0), checkpoint("1"), vec![Arc::from("a"), Arc::from("unknown")]);
    put(store, [StateChange::Committed { handler: HANDLER, item: ITEM, fence, checkpoint, sides: None, consumed }]);
    assert_eq!((answer(store, &question("a")), answer(store, &question("b"))), (None, Some(1)));
    assert_eq!(store.answer(HANDLER, NEXT, &question("a")).expect("the read succeeds"), Some(1));
}

fn an_end_consumes_the_answers_it_names(store: &dyn StateStore) {
    put(store, [answer_change(ITEM, question("a"), 1), answer_change(ITEM, question("b"), 1)]);
    let end = item_end(Outcome::Succeeded).with_consumed(vec![Arc::from("b")]);
    put(store, [end_change(1, [(ITEM, end)])]);
    assert_eq!((answer(store, &question("a")), answer(store, &question("b"))), (Some(1), None));
}

fn a_stale_write_consumes_no_answer(store: &dyn StateStore) {
    put(store, [commit_change(ITEM, fence(5, 0), "1"), answer_change(ITEM, question("a"), 1)]);
    let consumed = vec![Arc::from("a")];
    put(store, [end_change(4, [(ITEM, item_end(Outcome::Failed).with_consumed(consumed.clone()))])]);
    let (fence, checkpoint) = (fence(4, 0), checkpoint("2"));
    expect_refused(
        store,
        [StateChange::Committed { handler: HANDLER, item: ITEM, fence, checkpoint, sides: None, consumed }],
    );
    assert_eq!(answer(store, &question("a")), Some(1));
}

fn every_remedy_is_read_back(store: &dyn StateStore) {
    let until = SystemTime::UNIX_EPOCH + Duration::new(1_800_000_000, 5);
    let remedies = [
        Remedy::Allow,
        Remedy::Refuse,
        Remedy::Revert,
        Remedy::ChooseSide("disk".into()),
        Remedy::SignIn,
        Remedy::FreeSpace,
        Remedy::WaitUntil(until),
        Remedy::OpenPage(syncmgr::log::RedactedUrl::new("https://example.org/").expect("the URL is valid")),
        Remedy::Reset,
        Remedy::TryAgain,
    ];
    let asked = Question::of_host("plan", "Delete?", remedies, 42);
    put(store, [answer_change(ITEM, asked.clone(), 9)]);
    assert_eq!(answer(store, &asked), Some(9));
}
