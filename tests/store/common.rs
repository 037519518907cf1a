//! Helpers for the tests of stores.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::executor::block_on;
use syncmgr::item::ItemState;
use syncmgr::log::ErrorId;
use syncmgr::schedule::OverrideKind;
use syncmgr::store::{ItemName, StateChange, StateStore};
use syncmgr::{HandlerId, ItemId, LogEntry, LogLevel, Outcome, SessionId, Subject, Uuid};
use syncmgr_core::record::{Checkpoint, Fence, ItemEnd, ItemRecord};
use syncmgr_core::retry::{RetryState, RetryStatus};

/// Generates a test of each case for every store.
macro_rules! cases {
    ($($case:ident),* $(,)?) => {
        mod in_memory {
            $(#[test]
            fn $case() {
                super::$case(&syncmgr::store::MemoryStore::new());
            })*
        }

        #[cfg(feature = "sqlite")]
        mod in_sqlite {
            $(#[test]
            fn $case() {
                let directory = tempfile::tempdir().expect("the directory is created");
                let store = syncmgr::store::SqliteStore::open(directory.path().join("state")).expect("the store opens");
                super::$case(&store);
            })*
        }
    };
}

pub(crate) const HANDLER: HandlerId = HandlerId::from_u128(1);
pub(crate) const OTHER: HandlerId = HandlerId::from_u128(2);
pub(crate) const ITEM: ItemId = ItemId::from_u128(10);
pub(crate) const NEXT: ItemId = ItemId::from_u128(11);
pub(crate) const MANAGER: Uuid = Uuid::from_u128(100);

/// Returns a wall-clock time, in seconds after a fixed start.
pub(crate) fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000 + seconds)
}

pub(crate) fn put(store: &dyn StateStore, changes: impl IntoIterator<Item = StateChange>) {
    block_on(store.write(changes.into_iter().collect())).expect("the changes are stored");
}

/// Asserts that the changes are refused, and returns the error.
pub(crate) fn expect_refused(
    store: &dyn StateStore,
    changes: impl IntoIterator<Item = StateChange>,
) -> syncmgr::anyhow::Error {
    block_on(store.write(changes.into_iter().collect())).expect_err("the changes are refused")
}

pub(crate) fn record(store: &dyn StateStore, item: ItemId) -> Option<ItemRecord> {
    store.record(HANDLER, item).expect("the read succeeds")
}

pub(crate) fn fence(session: u64, attempt: u32) -> Fence {
    Fence::new(SessionId(session), attempt)
}

pub(crate) fn checkpoint(state: &str) -> Checkpoint {
    Checkpoint::new(3, state)
}

/// Creates a commit of the item.
pub(crate) fn commit_change(item: ItemId, fence: Fence, state: &str) -> StateChange {
    let checkpoint = checkpoint(state);
    StateChange::Committed { handler: HANDLER, item, fence, checkpoint, sides: None, consumed: Vec::new() }
}

pub(crate) fn item_end(outcome: Outcome) -> ItemEnd {
    ItemEnd::new(outcome)
}

/// Creates the end of items in the first attempt of a session. The number of the session is also the time in seconds.
pub(crate) fn end_change(session: u64, items: impl IntoIterator<Item = (ItemId, ItemEnd)>) -> StateChange {
    let (fence, time, items) = (fence(session, 0), at(session), items.into_iter().collect());
    StateChange::Ended { handler: HANDLER, fence, time, items }
}

pub(crate) fn backoff(failures: u32) -> RetryState {
    RetryState::new(RetryStatus::Backoff, at(1), Some(at(31))).with_failures(failures, failures + 1)
}

pub(crate) fn retry(item: ItemId, retry: Option<RetryState>) -> StateChange {
    StateChange::Retry { handler: HANDLER, item, retry }
}

/// Creates the stored name of an item that is selected by default.
pub(crate) fn item_name(name: &str) -> ItemName {
    ItemName::new(name, ItemState::Checked)
}

pub(crate) fn plain(text: &str) -> LogEntry {
    LogEntry::new(LogLevel::Warning, text)
}

pub(crate) fn named(text: &str, key: &str) -> LogEntry {
    LogEntry::new(LogLevel::Error, text).with_id(ErrorId::from_key(key))
}

/// Creates the complete log of a session.
pub(crate) fn log(session: u64, entries: &[LogEntry]) -> StateChange {
    let (session, time, entries) = (SessionId(session), at(session), in_arcs(entries));
    StateChange::Log { handler: HANDLER, manager: MANAGER, session, time, entries }
}

/// Creates additional log entries of a session.
pub(crate) fn add_log_change(session: u64, entries: &[LogEntry]) -> StateChange {
    let (session, time, entries) = (SessionId(session), at(session), in_arcs(entries));
    StateChange::Logged { handler: HANDLER, manager: MANAGER, session, time, entries }
}

fn in_arcs(entries: &[LogEntry]) -> Vec<Arc<LogEntry>> {
    entries.iter().cloned().map(Arc::new).collect()
}

/// Returns the log as `session: text`.
pub(crate) fn texts(store: &dyn StateStore) -> Vec<String> {
    let log = store.log(HANDLER).expect("the read succeeds");
    log.iter().map(|record| format!("{}: {}", record.session, record.entry.text)).collect()
}

pub(crate) fn map<K: Ord, V>(pairs: impl IntoIterator<Item = (K, V)>) -> BTreeMap<K, V> {
    pairs.into_iter().collect()
}

/// Reads a schedule from its text.
pub(crate) fn schedule(text: &str) -> syncmgr::schedule::Schedule {
    text.parse().expect("the schedule is valid")
}

/// Stores what a person has set.
pub(crate) fn override_change(subject: Subject, kind: OverrideKind, text: Option<&str>) -> StateChange {
    let value = text.map(|text| kind.parse(text).expect("the text is valid"));
    StateChange::Override { handler: HANDLER, subject, kind, value }
}

/// Stores that a schedule has fired.
pub(crate) fn fired_change(text: &str) -> StateChange {
    let last = syncmgr_core::decision::timetable::LastFiring { time: at(1), started: Some(at(2)) };
    StateChange::Fired { handler: HANDLER, firings: map([(schedule(text), Some(last))]) }
}
