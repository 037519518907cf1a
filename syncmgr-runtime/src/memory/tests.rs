use syncmgr_core::id::{ErrorId, ErrorScope};
use syncmgr_core::log::{LogEntry, LogLevel};
use syncmgr_core::register::{RegisterFlags, Registration};
use syncmgr_core::request::RunRequest;
use syncmgr_core::trigger::Trigger;
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
fn beyond_the_limit_the_largest_log_loses_its_oldest_entries() {
    let store = MemoryStore::new().with_max_log_bytes(40_000);
    let text = "x".repeat(1000);
    let logged = |handler, number: u64| {
        let entries = vec![Arc::new(LogEntry::new(LogLevel::Error, format!("{number} {text}")))];
        let (manager, time) = (Uuid::nil(), SystemTime::UNIX_EPOCH);
        StateChange::Logged { handler, manager, session: SessionId(number), time, entries }
    };
    let quiet = HandlerId::from_u128(2);
    drop(store.write(vec![logged(quiet, 0)]));
    (1..=1000).for_each(|number| drop(store.write(vec![logged(HANDLER, number)])));
    let log = store.log(HANDLER).expect("the read succeeds");
    assert!((20..40).contains(&log.len()), "{} entries are left", log.len());
    assert_eq!(log.last().map(|record| record.session), Some(SessionId(1000)));
    assert_eq!(store.log(quiet).expect("the read succeeds").len(), 1);
    drop(store.write(vec![StateChange::Forget { handler: HANDLER }]));
    (1..=20).for_each(|number| drop(store.write(vec![logged(quiet, number)])));
    assert_eq!(store.log(quiet).expect("the read succeeds").len(), 21, "a forgotten log takes no space");
}

#[test]
fn the_size_of_a_log_follows_every_change_of_it() {
    let store = MemoryStore::new();
    let item = ItemId::from_name("a");
    let named = |text| LogEntry::new(LogLevel::Error, text).with_id(ErrorId::from_key("x"));
    let about = LogEntry::new(LogLevel::Error, "about").with_item(item);
    let one = StateChange::LogDeleted { handler: HANDLER, scope: ErrorScope::One(ErrorId::from_key("x")) };
    drop(store.write(vec![log(1, &[named("old"), about]), log(2, &[named("a longer one")])]));
    drop(store.write(vec![one, StateChange::ForgetItem { handler: HANDLER, item }]));
    let contents = store.contents.lock();
    assert_eq!(contents.handlers[&HANDLER].log.bytes(), 0);
    assert_eq!(contents.log_limit.total(), 0);
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

#[test]
fn sessions_that_run_the_same_items_share_their_list() {
    let store = MemoryStore::new();
    for number in 1..=3 {
        let run = RunRequest::new(HANDLER).with_items((1..=3).map(ItemId::from_u128));
        let (id, began) = (SessionId(number), SystemTime::UNIX_EPOCH);
        let record = SessionRecord::new(id, Uuid::nil(), Trigger::Scheduled, began, vec![run]);
        drop(store.write(vec![StateChange::SessionBegan(record)]));
    }
    assert_eq!(lists(&store), [(3, 3)], "three sessions have one list of three items");
    drop(store.write(vec![StateChange::ForgetItem { handler: HANDLER, item: ItemId::from_u128(2) }]));
    assert_eq!(lists(&store), [(3, 2)]);
}

/// Returns the number of sessions with each list of items, and the length of the list.
fn lists(store: &MemoryStore) -> Vec<(usize, usize)> {
    let sessions = store.sessions().expect("the read succeeds");
    let lists: Vec<_> = sessions.iter().filter_map(|session| session.runs[0].items.clone()).collect();
    lists.chunk_by(Arc::ptr_eq).map(|same| (same.len(), same[0].len())).collect()
}

#[test]
fn the_log_keeps_the_latest_entries_each_with_its_session() {
    let store = MemoryStore::new();
    let numbered = |numbers: std::ops::Range<u32>| {
        numbers.map(|number| Arc::new(LogEntry::new(LogLevel::Error, number.to_string()))).collect()
    };
    for (session, entries) in [(1, numbered(0..6_000)), (2, numbered(6_000..12_000))] {
        let (manager, time) = (Uuid::nil(), SystemTime::UNIX_EPOCH);
        let session = SessionId(session);
        drop(store.write(vec![StateChange::Logged { handler: HANDLER, manager, session, time, entries }]));
    }
    let texts = texts(&store);
    assert_eq!((texts.len(), &*texts[0], &*texts[9_999]), (10_000, "1: 2000", "2: 11999"));
}
