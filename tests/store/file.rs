//! Files that outlive their store.

use std::path::Path;

use futures::executor::block_on;
use syncmgr::request::RunRequest;
use syncmgr::store::{SqliteOptions, SqliteStore, StateChange, StateStore, StoreError};
use syncmgr::{Outcome, SessionId, Trigger};
use syncmgr_core::store::{Durability, SessionEnd, SessionOutcome, SessionRecord};
use tempfile::tempdir;

use crate::common::*;

fn open(path: &Path) -> SqliteStore {
    SqliteStore::open(path).expect("the store opens")
}

fn new_session(session: u64) -> SessionRecord {
    SessionRecord::new(SessionId(session), MANAGER, Trigger::Manual, at(session), vec![RunRequest::new(HANDLER)])
}

#[test]
fn a_reopened_store_has_all_of_its_data() {
    let directory = tempdir().expect("the directory is created");
    let path = directory.path().join("state");
    let store = open(&path);
    put(&store, [commit_change(ITEM, fence(3, 1), "1"), retry(ITEM, Some(backoff(2))), log(3, &[named("x", "k")])]);
    put(&store, [StateChange::SessionBegan(new_session(3))]);
    let before = (record(&store, ITEM), texts(&store), store.sessions().expect("the read succeeds"));
    drop(store);
    let store = open(&path);
    assert_eq!((record(&store, ITEM), texts(&store), store.sessions().expect("the read succeeds")), before);
    assert_eq!(store.last_session().expect("the read succeeds"), SessionId(3));
}

#[test]
fn dropping_the_last_handle_stores_writes_that_were_not_awaited() {
    let directory = tempdir().expect("the directory is created");
    let path = directory.path().join("state");
    let store = open(&path);
    for number in 0..5_000 {
        drop(store.clone().write(vec![commit_change(ITEM, fence(1, number), "1")]));
    }
    drop(store);
    assert_eq!(record(&open(&path), ITEM).expect("the record exists").fence, fence(1, 4_999));
}

#[test]
fn a_session_that_was_open_when_its_store_closed_counts_as_interrupted() {
    let directory = tempdir().expect("the directory is created");
    let path = directory.path().join("state");
    put(&open(&path), [StateChange::SessionBegan(new_session(1))]);
    let store = open(&path);
    put(&store, [StateChange::SessionBegan(new_session(2))]);
    assert_eq!(store.interrupted().expect("the read succeeds"), [new_session(1)]);
    let end = SessionEnd::new(at(9), SessionOutcome::Interrupted, map([(Outcome::Stopped, 1)]));
    put(&store, [StateChange::SessionEnded { session: SessionId(1), manager: MANAGER, end }]);
    assert_eq!(store.interrupted().expect("the read succeeds"), []);
    assert_eq!(store.sessions().expect("the read succeeds").len(), 2);
}

#[test]
fn opening_a_store_twice_fails_with_an_error_that_names_the_owner() {
    let directory = tempdir().expect("the directory is created");
    let path = directory.path().join("state");
    let first = open(&path);
    let again = first.clone();
    drop(first);
    let Err(StoreError::InUse { by, .. }) = SqliteStore::open(&path) else { panic!("expected the store to be in use") };
    assert!(by.contains(&format!("(process {})", std::process::id())), "{by}");
    assert!(by.contains(" since 20"), "{by}");
    drop(again);
    open(&path);
}

#[test]
fn stores_in_one_directory_are_independent() {
    let directory = tempdir().expect("the directory is created");
    let (one, other) = (open(&directory.path().join("one")), open(&directory.path().join("other")));
    put(&one, [commit_change(ITEM, fence(1, 0), "1")]);
    assert_eq!(record(&other, ITEM), None);
}

#[test]
fn a_store_reports_its_durability() {
    let directory = tempdir().expect("the directory is created");
    let path = directory.path().join("state");
    assert_eq!(open(&path).durability(), Durability::Process);
    let store = SqliteOptions::new().durability(Durability::Power).open(&path).expect("the store opens");
    assert_eq!(store.durability(), Durability::Power);
    put(&store, [commit_change(ITEM, fence(1, 0), "1")]);
}

#[test]
fn the_maximum_number_of_sessions_can_be_set() {
    let directory = tempdir().expect("the directory is created");
    let store = SqliteOptions::new().max_sessions(2).open(directory.path().join("state")).expect("the store opens");
    for session in 1..=5 {
        let end = SessionEnd::new(at(session), SessionOutcome::Clean, map([]));
        let ended = StateChange::SessionEnded { session: SessionId(session), manager: MANAGER, end };
        put(&store, [StateChange::SessionBegan(new_session(session)), ended]);
    }
    assert_eq!(store.sessions().expect("the read succeeds").len(), 2);
}

#[test]
fn a_forgotten_item_is_removed_from_the_stored_requests() {
    let directory = tempdir().expect("the directory is created");
    let store = open(&directory.path().join("state"));
    let request = |items: &[_]| RunRequest::new(HANDLER).with_items(items.iter().copied());
    let mut session = new_session(1);
    session.runs = vec![request(&[ITEM, NEXT]), request(&[ITEM]), RunRequest::new(HANDLER)];
    put(&store, [StateChange::SessionBegan(session)]);
    put(&store, [StateChange::ForgetItem { handler: HANDLER, item: ITEM }]);
    assert_eq!(store.sessions().expect("the read succeeds")[0].runs, [request(&[NEXT]), RunRequest::new(HANDLER)]);
}

#[test]
fn forgotten_data_is_erased_from_the_files() {
    let directory = tempdir().expect("the directory is created");
    let path = directory.path().join("state");
    let store = open(&path);
    put(&store, [commit_change(ITEM, fence(1, 0), r#""a user's secret""#), log(1, &[plain("a user's secret")])]);
    put(&store, [StateChange::Forget { handler: HANDLER }]);
    drop(store);
    for file in directory.path().read_dir().expect("the directory can be listed") {
        let bytes = std::fs::read(file.expect("the directory can be listed").path()).expect("the read succeeds");
        assert!(!String::from_utf8_lossy(&bytes).contains("a user's secret"));
    }
}

#[test]
fn an_unstorable_value_is_reported_and_undoes_its_write() {
    let directory = tempdir().expect("the directory is created");
    let store = open(&directory.path().join("state"));
    let error = expect_refused(&store, [log(1, &[plain("undone")]), commit_change(ITEM, fence(u64::MAX, 0), "1")]);
    assert!(matches!(error.downcast_ref(), Some(StoreError::Unstorable { .. })), "{error:#}");
    assert_eq!(texts(&store), [""; 0]);
}

#[test]
fn a_write_can_be_awaited_after_the_store_is_dropped() {
    let directory = tempdir().expect("the directory is created");
    let store = open(&directory.path().join("state"));
    let written = store.write(vec![commit_change(ITEM, fence(1, 0), "1")]);
    drop(store);
    block_on(written).expect("the write succeeds");
}
