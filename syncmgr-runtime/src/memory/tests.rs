use syncmgr_core::id::{ErrorId, ErrorScope};
use syncmgr_core::log::{LogEntry, LogLevel};
use syncmgr_core::register::{RegisterFlags, Registration};
use uuid::Uuid;

use super::*;

const HANDLER: HandlerId = HandlerId::from_u128(1);

fn log(session: u64, entries: &[LogEntry]) -> StateChange {
    let entries = entries.iter().cloned().map(Arc::new).collect();
    let (manager, time) = (Uuid::nil(), SystemTime::UNIX_EPOCH);
    StateChange::Log { handler: HANDLER, manager, session: SessionId(session), time, entries }
}

fn texts(store: &MemoryStore) -> Vec<String> {
    let log = store.log(HANDLER).expect("the read succeeds");
    log.iter().map(|record| format!("{}: {}", record.session, record.entry.text)).collect()
}

#[test]
fn registering_again_keeps_the_flags_that_were_set() {
    let store = MemoryStore::new();
    let registration = Registration::new(RegisterFlags::IDLE);
    let flags = RegisterFlags::CONNECT;
    drop(store.write(vec![
        StateChange::Flags { handler: HANDLER, flags },
        StateChange::Registered { handler: HANDLER, registration: registration.clone() },
    ]));
    let record = store.handlers().expect("the read succeeds").remove(&HANDLER).expect("the record exists");
    assert_eq!((record.registration, record.flags), (Some(registration), Some(flags)));
    drop(store.write(vec![StateChange::Forget { handler: HANDLER }]));
    assert!(store.handlers().expect("the read succeeds").is_empty());
}

#[test]
fn replacing_a_session_log_also_replaces_entries_with_the_same_ids() {
    let store = MemoryStore::new();
    let named = |text| LogEntry::new(LogLevel::Error, text).with_id(ErrorId::from_key("x"));
    let plain = |text| LogEntry::new(LogLevel::Warning, text);
    drop(store.write(vec![log(1, &[named("old"), plain("kept")]), log(2, &[plain("first")])]));
    drop(store.write(vec![log(2, &[plain("again"), named("new")])]));
    assert_eq!(texts(&store), ["1: kept", "2: again", "2: new"]);
    drop(
        store.write(vec![StateChange::LogDeleted { handler: HANDLER, scope: ErrorScope::One(ErrorId::from_key("x")) }]),
    );
    assert_eq!(texts(&store), ["1: kept", "2: again"]);
}

#[test]
fn a_choice_is_stored_until_it_is_removed() {
    let (store, item) = (MemoryStore::new(), ItemId::from_name("a"));
    let choose = |state| StateChange::Choices { handler: HANDLER, items: BTreeMap::from([(item, state)]) };
    drop(store.write(vec![choose(Some(ItemState::Unchecked))]));
    assert_eq!(store.choices(HANDLER).expect("the read succeeds"), BTreeMap::from([(item, ItemState::Unchecked)]));
    drop(store.write(vec![choose(None)]));
    assert_eq!(store.choices(HANDLER).expect("the read succeeds"), BTreeMap::new());
}
