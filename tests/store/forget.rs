//! Forgetting handlers and items.

use std::sync::Arc;

use syncmgr::item::ItemState;
use syncmgr::log::Question;
use syncmgr::request::RunRequest;
use syncmgr::schedule::OverrideKind;
use syncmgr::store::{StateChange, StateStore};
use syncmgr::{HandlerId, Outcome, SessionId, Subject, Trigger};
use syncmgr_core::store::SessionRecord;

use crate::common::*;

cases! {
    forgetting_a_handler_deletes_all_of_its_data,
    a_forgotten_handler_is_removed_from_the_stored_requests,
    forgetting_a_handler_does_not_affect_other_handlers,
    a_forgotten_handler_starts_with_empty_state,
    forgetting_an_item_deletes_all_of_its_data,
    forgetting_an_item_does_not_affect_other_handlers,
    data_written_after_a_forget_in_the_same_write_is_stored,
}

fn question() -> Question {
    Question::new("k", "Which?", ["a"].map(Arc::from))
}

/// Creates changes of every kind for both items.
fn all_changes() -> Vec<StateChange> {
    let both = [ITEM, NEXT];
    let mut changes = vec![
        StateChange::Choices { handler: HANDLER, items: map(both.map(|item| (item, Some(ItemState::Checked)))) },
        StateChange::Names { handler: HANDLER, items: map(both.map(|item| (item, Some(item_name("name"))))) },
        end_change(1, both.map(|item| (item, item_end(Outcome::Failed)))),
        log(1, &both.map(|item| plain("about one").with_item(item))),
        add_log_change(1, &[plain("about none")]),
        fired_change("every 1h"),
    ];
    for item in both {
        let answered = StateChange::Answered { handler: HANDLER, item, question: question(), choice: 0 };
        let (subject, reason) = (Subject::Item(item), Some("slow".into()));
        let disabled = StateChange::Disabled { handler: HANDLER, subject, reason };
        changes.extend([retry(item, Some(backoff(1))), answered, disabled]);
        changes.push(override_change(Subject::Item(item), OverrideKind::Window, Some("always")));
    }
    changes
}

/// Counts handlers, choices, answers of each item, retry statuses, known items, ended items, log entries, names,
/// disabled items, firings and overrides.
fn counts(store: &dyn StateStore, handler: HandlerId) -> [usize; 12] {
    let count_answers =
        |item| usize::from(store.answer(handler, item, &question()).expect("the read succeeds").is_some());
    [
        store.handlers().expect("the read succeeds").len(),
        store.choices(handler).expect("the read succeeds").len(),
        count_answers(ITEM),
        count_answers(NEXT),
        store.retry_states(handler).expect("the read succeeds").len(),
        store.recorded_items(handler).expect("the read succeeds").len(),
        store.ended_since(handler, SessionId(0)).expect("the read succeeds").len(),
        store.log(handler).expect("the read succeeds").len(),
        store.names(handler).expect("the read succeeds").len(),
        store.disabled(handler).expect("the read succeeds").len(),
        store.firings(handler).expect("the read succeeds").len(),
        store.overrides(handler).expect("the read succeeds").len(),
    ]
}

fn forgetting_a_handler_deletes_all_of_its_data(store: &dyn StateStore) {
    put(store, all_changes());
    assert_eq!(counts(store, HANDLER), [1, 2, 1, 1, 2, 2, 2, 3, 2, 2, 1, 2]);
    put(store, [StateChange::Forget { handler: HANDLER }]);
    assert_eq!(counts(store, HANDLER), [0; 12]);
    assert_eq!(record(store, ITEM), None);
}

fn a_forgotten_handler_is_removed_from_the_stored_requests(store: &dyn StateStore) {
    let runs = vec![RunRequest::new(HANDLER), RunRequest::new(OTHER)];
    let session = SessionRecord::new(SessionId(1), MANAGER, Trigger::Manual, at(1), runs);
    put(store, [StateChange::SessionBegan(session), StateChange::Forget { handler: HANDLER }]);
    assert_eq!(store.sessions().expect("the read succeeds")[0].runs, [RunRequest::new(OTHER)]);
}

fn forgetting_a_handler_does_not_affect_other_handlers(store: &dyn StateStore) {
    put(store, all_changes());
    put(store, [StateChange::Forget { handler: OTHER }]);
    assert_eq!(counts(store, HANDLER), [1, 2, 1, 1, 2, 2, 2, 3, 2, 2, 1, 2]);
}

fn a_forgotten_handler_starts_with_empty_state(store: &dyn StateStore) {
    put(store, [commit_change(ITEM, fence(9, 9), "old")]);
    put(store, [StateChange::Forget { handler: HANDLER }, commit_change(ITEM, fence(1, 0), "new")]);
    let record = record(store, ITEM).expect("the record exists");
    assert_eq!((record.fence, record.checkpoint), (fence(1, 0), Some(checkpoint("new"))));
}

fn forgetting_an_item_deletes_all_of_its_data(store: &dyn StateStore) {
    put(store, all_changes());
    put(store, [StateChange::ForgetItem { handler: HANDLER, item: ITEM }]);
    assert_eq!(counts(store, HANDLER), [1, 1, 0, 1, 1, 1, 1, 2, 1, 1, 1, 1]);
    assert_eq!(record(store, ITEM), None);
    assert!(record(store, NEXT).is_some());
}

fn forgetting_an_item_does_not_affect_other_handlers(store: &dyn StateStore) {
    put(store, all_changes());
    put(store, [StateChange::ForgetItem { handler: OTHER, item: ITEM }]);
    assert_eq!(counts(store, HANDLER), [1, 2, 1, 1, 2, 2, 2, 3, 2, 2, 1, 2]);
}

fn data_written_after_a_forget_in_the_same_write_is_stored(store: &dyn StateStore) {
    let again = [StateChange::Forget { handler: HANDLER }].into_iter().chain(all_changes());
    put(store, all_changes().into_iter().chain(again));
    assert_eq!(counts(store, HANDLER), [1, 2, 1, 1, 2, 2, 2, 3, 2, 2, 1, 2]);
}
