//! Operations of an SQLite store.

use std::collections::BTreeMap;
use std::time::SystemTime;

use futures::executor::block_on;
use syncmgr::request::RunRequest;
use syncmgr::store::{SqliteOptions, StateChange, StateStore};
use syncmgr::{SessionId, SyncManager, Trigger, Uuid};
use syncmgr_core::store::{SessionEnd, SessionOutcome, SessionRecord};
use tempfile::TempDir;

use crate::fixture::{End, ID, fixture, items, runtime, session, started, stored};
use crate::meter::Meter;

/// Runs sessions of one item, one after another.
pub(crate) fn one_item_sessions(count: usize, meter: &Meter) {
    let (manager, _directory) = stored();
    sessions(&manager, count, meter);
}

/// Runs sessions of one item after `count` others, all of which stay in the history.
pub(crate) fn session_after_many(count: usize, meter: &Meter) {
    let (manager, _directory) = with_history(count);
    sessions(&manager, 300, meter);
}

/// Reads a page of a history of `count` sessions.
pub(crate) fn page(count: usize, meter: &Meter) {
    const PAGES: usize = 20;
    let (runtime, (manager, _directory)) = (runtime(), with_history(count));
    meter.measure(PAGES, || {
        runtime.block_on(async {
            for page in 0..PAGES {
                let before = SessionId((count - page) as u64);
                let sessions = manager.history_page(Some(before), 100).await.expect("the store is readable");
                assert_eq!(sessions.len(), 100);
            }
        });
    });
}

fn sessions(manager: &SyncManager, count: usize, meter: &Meter) {
    let runtime = runtime();
    manager.register(fixture(0, items(1), End::Success)).expect("the handler is new");
    meter.measure(count, || {
        runtime.block_on(async {
            for _ in 0..count {
                session(manager).await;
            }
        });
    });
}

/// A manager whose store has this many sessions, and keeps all of them.
fn with_history(count: usize) -> (SyncManager, TempDir) {
    let directory = TempDir::new().expect("a directory is created");
    let options = SqliteOptions::new().max_sessions(u32::MAX);
    let store = options.open(directory.path().join("state")).expect("the store opens");
    let (manager, began) = (Uuid::from_u128(1), SystemTime::UNIX_EPOCH);
    let changes = (1..=count as u64).flat_map(|number| {
        let (session, runs) = (SessionId(number), vec![RunRequest::new(ID)]);
        let record = SessionRecord::new(session, manager, Trigger::Scheduled, began, runs);
        let end = SessionEnd::new(began, SessionOutcome::Clean, BTreeMap::new());
        [StateChange::SessionBegan(record), StateChange::SessionEnded { session, manager, end }]
    });
    block_on(store.write(changes.collect())).expect("the sessions are stored");
    (SyncManager::builder().store(store).build(), directory)
}

pub(crate) fn stop(count: usize, meter: &Meter) {
    let (runtime, (manager, _directory)) = (runtime(), stored());
    manager.register(fixture(0, items(count), End::Wait)).expect("the handler is new");
    let session = runtime.block_on(started(&manager));
    meter.measure(count, || {
        session.stop();
        runtime.block_on(session.clone().finish())
    });
}

pub(crate) fn save(count: usize, meter: &Meter) {
    let (runtime, (manager, _directory)) = (runtime(), stored());
    manager.register(fixture(0, items(count), End::Save)).expect("the handler is new");
    meter.measure(count, || runtime.block_on(session(&manager)));
}
