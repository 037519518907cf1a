//! Registrations, settings, choices and names.

use std::collections::BTreeMap;
use std::sync::Arc;

use syncmgr::item::ItemState;
use syncmgr::request::{RegisterFlags, Registration, RunRequest};
use syncmgr::schedule::{OverrideKind, Schedule};
use syncmgr::store::{HandlerRecord, ItemName, StateChange, StateStore};
use syncmgr::{HandlerId, ItemId, Subject};
use syncmgr_core::decision::timetable::LastFiring;

use crate::common::*;

cases! {
    an_empty_store_has_no_data,
    registering_again_keeps_the_flags_set_since_the_first_registration,
    a_choice_is_stored_until_it_is_removed,
    handlers_have_separate_choices,
    choices_that_are_few_are_read_together_or_not_at_all,
    a_name_is_stored_until_it_is_removed,
    a_disabled_handler_or_item_stays_disabled_until_it_is_enabled,
    what_a_person_has_set_is_stored_until_it_is_reset,
    the_last_firing_of_a_schedule_is_stored_until_it_is_removed,
    the_runs_that_wait_are_stored_until_others_wait,
}

fn handler_record(store: &dyn StateStore, handler: HandlerId) -> Option<HandlerRecord> {
    store.handlers().expect("the read succeeds").remove(&handler)
}

fn an_empty_store_has_no_data(store: &dyn StateStore) {
    assert_eq!(store.handlers().expect("the read succeeds"), map([]));
    assert_eq!(store.choices(HANDLER).expect("the read succeeds"), map([]));
    assert_eq!(store.log(HANDLER).expect("the read succeeds"), []);
    assert_eq!(store.sessions().expect("the read succeeds"), []);
    put(store, []);
    put(store, [StateChange::Forget { handler: HANDLER }]);
    assert_eq!(store.handlers().expect("the read succeeds"), map([]));
}

fn registering_again_keeps_the_flags_set_since_the_first_registration(store: &dyn StateStore) {
    let registered = |description: Option<&str>, flags| {
        let registration = Registration::new(flags).with_description(description.map(Into::into));
        (StateChange::Registered { handler: HANDLER, registration: registration.clone() }, registration)
    };
    let flags = RegisterFlags::CONNECT | RegisterFlags::IDLE;
    let (first, _) = registered(Some("Notes"), RegisterFlags::all());
    let (second, registration) = registered(None, RegisterFlags::empty());
    put(store, [first, StateChange::Flags { handler: HANDLER, flags }, second]);
    let record = handler_record(store, HANDLER).expect("the record exists");
    assert_eq!((record.registration, record.flags), (Some(registration), Some(flags)));
}

fn the_runs_that_wait_are_stored_until_others_wait(store: &dyn StateStore) {
    let waiting = |runs: &[RunRequest]| StateChange::Waiting { handler: HANDLER, runs: runs.to_vec() };
    let some =
        [RunRequest::new(HANDLER).with_items([ITEM]), RunRequest::new(HANDLER).with_schedules([schedule("every 1h")])];
    put(store, [waiting(&some)]);
    assert_eq!(handler_record(store, HANDLER).expect("the record exists").waiting, some);
    put(store, [waiting(&some[1..])]);
    assert_eq!(handler_record(store, HANDLER).expect("the record exists").waiting, some[1..]);
    put(store, [waiting(&[])]);
    assert_eq!(handler_record(store, HANDLER).expect("the record exists").waiting, []);
}

fn choose(handler: HandlerId, item: ItemId, state: Option<ItemState>) -> StateChange {
    StateChange::Choices { handler, items: map([(item, state)]) }
}

fn a_choice_is_stored_until_it_is_removed(store: &dyn StateStore) {
    put(store, [choose(HANDLER, ITEM, Some(ItemState::Checked)), choose(HANDLER, NEXT, Some(ItemState::Checked))]);
    put(store, [choose(HANDLER, ITEM, Some(ItemState::Unchecked))]);
    let chosen = map([(ITEM, ItemState::Unchecked), (NEXT, ItemState::Checked)]);
    assert_eq!(store.choices(HANDLER).expect("the read succeeds"), chosen);
    put(store, [choose(HANDLER, ITEM, None), choose(HANDLER, ItemId::from_u128(99), None)]);
    assert_eq!(store.choices(HANDLER).expect("the read succeeds"), map([(NEXT, ItemState::Checked)]));
}

fn handlers_have_separate_choices(store: &dyn StateStore) {
    put(store, [choose(HANDLER, ITEM, Some(ItemState::Checked)), choose(OTHER, ITEM, Some(ItemState::Unchecked))]);
    assert_eq!(store.choices(OTHER).expect("the read succeeds"), map([(ITEM, ItemState::Unchecked)]));
    assert_eq!(store.choices(HANDLER).expect("the read succeeds"), map([(ITEM, ItemState::Checked)]));
}

fn choices_that_are_few_are_read_together_or_not_at_all(store: &dyn StateStore) {
    let chosen =
        |count| (0..count).map(|item| (ItemId::from_u128(item), ItemState::Unchecked)).collect::<BTreeMap<_, _>>();
    let few = || store.few_choices(HANDLER).expect("the read succeeds");
    assert!(few().is_none_or(|few| few.is_empty()));
    put(
        store,
        [StateChange::Choices {
            handler: HANDLER,
            items: chosen(64).into_iter().map(|(item, state)| (item, Some(state))).collect(),
        }],
    );
    assert!(few().is_none_or(|few| few == chosen(64)));
    put(store, [choose(HANDLER, ItemId::from_u128(64), Some(ItemState::Unchecked))]);
    assert_eq!(few(), None);
    assert_eq!(store.choices(HANDLER).expect("the read succeeds"), chosen(65));
}

fn a_name_is_stored_until_it_is_removed(store: &dyn StateStore) {
    let name =
        |item, name: Option<&str>| StateChange::Names { handler: HANDLER, items: map([(item, name.map(item_name))]) };
    put(store, [name(ITEM, Some("Inbox")), name(NEXT, Some("Sent"))]);
    put(store, [name(ITEM, Some("Eingang"))]);
    let names = map([(ITEM, item_name("Eingang")), (NEXT, item_name("Sent"))]);
    assert_eq!(store.names(HANDLER).expect("the read succeeds"), names);
    assert_eq!(store.names(OTHER).expect("the read succeeds"), map([]));
    let found = |handler, item| store.name(handler, item).expect("the read succeeds");
    assert_eq!((found(HANDLER, ITEM), found(OTHER, ITEM)), (names.get(&ITEM).cloned(), None));
    put(store, [name(ITEM, None), name(ItemId::from_u128(99), None)]);
    assert_eq!(store.names(HANDLER).expect("the read succeeds"), map([(NEXT, item_name("Sent"))]));
    let unchecked = ItemName::new("Sent", ItemState::Unchecked);
    put(store, [StateChange::Names { handler: HANDLER, items: map([(NEXT, Some(unchecked.clone()))]) }]);
    assert_eq!(store.names(HANDLER).expect("the read succeeds"), map([(NEXT, unchecked)]));
}

fn a_disabled_handler_or_item_stays_disabled_until_it_is_enabled(store: &dyn StateStore) {
    let set = |subject, reason: Option<&str>| {
        let reason = reason.map(Into::into);
        StateChange::Disabled { handler: HANDLER, subject, reason }
    };
    put(store, [set(Subject::Handler, Some("moved")), set(Subject::Item(ITEM), Some("too large"))]);
    put(store, [set(Subject::Item(ITEM), Some("slow"))]);
    let disabled = map([(Subject::Handler, "moved".into()), (Subject::Item(ITEM), "slow".into())]);
    assert_eq!(store.disabled(HANDLER).expect("the read succeeds"), disabled);
    assert_eq!(store.disabled(OTHER).expect("the read succeeds"), map([]));
    put(store, [set(Subject::Handler, None)]);
    assert_eq!(store.disabled(HANDLER).expect("the read succeeds"), map([(Subject::Item(ITEM), "slow".into())]));
}

fn what_a_person_has_set_is_stored_until_it_is_reset(store: &dyn StateStore) {
    use OverrideKind::{Requirements, Schedule, Window};
    let of_item = Subject::Item(ITEM);
    put(store, [override_change(Subject::Handler, Schedule, Some("never"))]);
    put(
        store,
        [override_change(of_item, Schedule, Some("every 1h")), override_change(of_item, Window, Some("always"))],
    );
    put(store, [override_change(of_item, Schedule, Some("every 2h"))]);
    put(store, [StateChange::Registered { handler: HANDLER, registration: Registration::new(RegisterFlags::IDLE) }]);
    let set =
        [((Subject::Handler, Schedule), "never"), ((of_item, Schedule), "every 2h"), ((of_item, Window), "always")];
    let text = |(key, text): (_, &str)| (key, Arc::from(text));
    assert_eq!(store.overrides(HANDLER).expect("the read succeeds"), map(set.map(text)));
    assert_eq!(store.overrides(OTHER).expect("the read succeeds"), map([]));
    let resets = [(Subject::Handler, Schedule), (of_item, Window), (of_item, Requirements)];
    put(store, resets.map(|(subject, kind)| override_change(subject, kind, None)));
    assert_eq!(store.overrides(HANDLER).expect("the read succeeds"), map([text(set[1])]));
}

fn the_last_firing_of_a_schedule_is_stored_until_it_is_removed(store: &dyn StateStore) {
    let (hourly, nightly) = (schedule("every 1h"), schedule("cron 30 2 * * * in Europe/Berlin; missed skip"));
    let last = |second, started: Option<u64>| LastFiring { time: at(second), started: started.map(at) };
    let fired =
        |schedule: &Schedule, last| StateChange::Fired { handler: HANDLER, firings: map([(schedule.clone(), last)]) };
    put(store, [fired(&hourly, Some(last(1, None))), fired(&nightly, Some(last(2, Some(3))))]);
    put(store, [fired(&hourly, Some(last(4, Some(5))))]);
    let stored = map([(hourly.clone(), last(4, Some(5))), (nightly.clone(), last(2, Some(3)))]);
    assert_eq!(store.firings(HANDLER).expect("the read succeeds"), stored);
    assert_eq!(store.firings(OTHER).expect("the read succeeds"), map([]));
    put(store, [fired(&hourly, None)]);
    assert_eq!(store.firings(HANDLER).expect("the read succeeds"), map([(nightly, last(2, Some(3)))]));
}
