//! Nothing stays of what is forgotten.

use std::sync::Arc;

use syncmgr::item::ItemState;
use syncmgr::log::Question;
use syncmgr::request::RunRequest;
use syncmgr::store::{StateChange, StateStore};
use syncmgr::{HandlerId, Outcome, SessionId, Trigger};
use syncmgr_core::store::SessionRecord;

use crate::common::*;

cases! {
    nothing_stays_of_a_handler_that_is_forgotten,
    a_forgotten_handler_is_taken_out_of_what_sessions_were_asked_for,
    other_handlers_are_not_forgotten,
    a_handler_that_was_forgotten_begins_afresh,
    nothing_stays_of_an_item_that_is_forgotten,
    other_items_are_not_forgotten,
    what_is_forgotten_and_written_again_in_one_write_is_there,
}

fn question() -> Question {
    Question::new("k", "Which?", ["a"].map(Arc::from))
}

/// Something of everything about both items.
fn everything() -> Vec<StateChange> {
    let both = [ITEM, NEXT];
    let mut changes = vec![
        StateChange::Choices { handler: HANDLER, items: map(both.map(|item| (item, Some(ItemState::Checked)))) },
        ended(1, both.map(|item| (item, ending(Outcome::Failed)))),
        log(1, &both.map(|item| plain("about one").with_item(item))),
        logged(1, &[plain("about none")]),
    ];
    for item in both {
        let answered = StateChange::Answered { handler: HANDLER, item, question: question(), choice: 0 };
        changes.extend([retry(item, Some(backoff(1))), answered]);
    }
    changes
}

/// How much there is: handlers, choices, answers to each, setbacks, known, ended, log.
fn counts(store: &dyn StateStore, handler: HandlerId) -> [usize; 8] {
    let answered = |item| usize::from(store.answer(handler, item, &question()).expect("read").is_some());
    [
        store.handlers().expect("read").len(),
        store.choices(handler).expect("read").len(),
        answered(ITEM),
        answered(NEXT),
        store.setbacks(handler).expect("read").len(),
        store.known(handler).expect("read").len(),
        store.ended_since(handler, SessionId(0)).expect("read").len(),
        store.log(handler).expect("read").len(),
    ]
}

fn nothing_stays_of_a_handler_that_is_forgotten(store: &dyn StateStore) {
    put(store, everything());
    assert_eq!(counts(store, HANDLER), [1, 2, 1, 1, 2, 2, 2, 3]);
    put(store, [StateChange::Forget { handler: HANDLER }]);
    assert_eq!(counts(store, HANDLER), [0; 8]);
    assert_eq!(record(store, ITEM), None);
}

fn a_forgotten_handler_is_taken_out_of_what_sessions_were_asked_for(store: &dyn StateStore) {
    let runs = vec![RunRequest::new(HANDLER), RunRequest::new(OTHER)];
    let session = SessionRecord::new(SessionId(1), MANAGER, Trigger::Manual, at(1), runs);
    put(store, [StateChange::SessionBegan(session), StateChange::Forget { handler: HANDLER }]);
    assert_eq!(store.sessions().expect("read")[0].runs, [RunRequest::new(OTHER)]);
}

fn other_handlers_are_not_forgotten(store: &dyn StateStore) {
    put(store, everything());
    put(store, [StateChange::Forget { handler: OTHER }]);
    assert_eq!(counts(store, HANDLER), [1, 2, 1, 1, 2, 2, 2, 3]);
}

fn a_handler_that_was_forgotten_begins_afresh(store: &dyn StateStore) {
    put(store, [committed(ITEM, fence(9, 9), "old")]);
    put(store, [StateChange::Forget { handler: HANDLER }, committed(ITEM, fence(1, 0), "new")]);
    let record = record(store, ITEM).expect("stored");
    assert_eq!((record.fence, record.checkpoint), (fence(1, 0), Some(checkpoint("new"))));
}

fn nothing_stays_of_an_item_that_is_forgotten(store: &dyn StateStore) {
    put(store, everything());
    put(store, [StateChange::ForgetItem { handler: HANDLER, item: ITEM }]);
    assert_eq!(counts(store, HANDLER), [1, 1, 0, 1, 1, 1, 1, 2]);
    assert_eq!(record(store, ITEM), None);
    assert!(record(store, NEXT).is_some());
}

fn other_items_are_not_forgotten(store: &dyn StateStore) {
    put(store, everything());
    put(store, [StateChange::ForgetItem { handler: OTHER, item: ITEM }]);
    assert_eq!(counts(store, HANDLER), [1, 2, 1, 1, 2, 2, 2, 3]);
}

fn what_is_forgotten_and_written_again_in_one_write_is_there(store: &dyn StateStore) {
    let again = [StateChange::Forget { handler: HANDLER }].into_iter().chain(everything());
    put(store, everything().into_iter().chain(again));
    assert_eq!(counts(store, HANDLER), [1, 2, 1, 1, 2, 2, 2, 3]);
}
