//! Stores in damaged files, in files of other programs, and on full disks.

use std::fs;
use std::path::{Path, PathBuf};

use futures::executor::block_on;
use futures::future::join_all;
use rusqlite::Connection;
use syncmgr::request::RunRequest;
use syncmgr::schedule::OverrideKind;
use syncmgr::store::{SqliteOptions, SqliteStore, StateChange, StateStore, StoreError};
use syncmgr::{ItemId, SessionId, Subject, Trigger};
use syncmgr_core::store::SessionRecord;
use tempfile::{TempDir, tempdir};

use crate::common::*;

/// Creates and closes a store with several thousand records.
fn create_filled_store() -> (TempDir, PathBuf) {
    let directory = tempdir().expect("the directory is created");
    let path = directory.path().join("state");
    let store = SqliteStore::open(&path).expect("the store opens");
    put(&store, (1..=3_000).map(|item| commit_change(ItemId::from_u128(item), fence(1, 0), "{}")));
    (directory, path)
}

/// Changes the file as another program would.
fn tamper(path: &Path, statement: &str) {
    Connection::open(path).expect("the database opens").execute_batch(statement).expect("the statement succeeds");
}

fn open_error(path: &Path) -> StoreError {
    SqliteStore::open(path).expect_err("the store does not open")
}

#[test]
fn a_store_of_a_newer_version_is_refused_and_unchanged() {
    let (_directory, path) = create_filled_store();
    tamper(&path, "PRAGMA user_version = 77");
    let before = fs::read(&path).expect("the read succeeds");
    assert_eq!(open_error(&path), StoreError::TooNew { path: path.canonicalize().unwrap(), found: 77, known: 3 });
    assert!(matches!(SqliteStore::open_read_only(&path), Err(StoreError::TooNew { found: 77, .. })));
    assert!(before == fs::read(&path).expect("the read succeeds"), "the file was changed");
}

#[test]
fn a_store_of_the_first_version_is_upgraded_and_keeps_its_records() {
    let (_directory, path) = create_filled_store();
    tamper(
        &path,
        "DROP VIEW overrides_shown; DROP TABLE overrides; DROP INDEX sessions_smooth; DROP INDEX sessions_not_smooth; DROP INDEX items_absent; DROP VIEW names_shown; DROP VIEW disabled_shown; DROP VIEW firings_shown; DROP TABLE names; DROP TABLE disabled; DROP TABLE firings; ALTER TABLE handlers DROP COLUMN waiting",
    );
    tamper(&path, "PRAGMA user_version = 1");
    assert!(matches!(SqliteStore::open_read_only(&path), Err(StoreError::TooOld { found: 1, known: 3, .. })));
    let store = SqliteStore::open(&path).expect("the store opens");
    let names = map([(ITEM, Some(item_name("Inbox")))]);
    put(&store, [StateChange::Names { handler: HANDLER, items: names }]);
    assert_eq!(store.names(HANDLER).expect("the read succeeds"), map([(ITEM, item_name("Inbox"))]));
    assert!(record(&store, ITEM).is_some());
}

#[test]
fn a_store_of_the_second_version_is_upgraded_and_keeps_its_firings() {
    let (_directory, path) = create_filled_store();
    put(&SqliteStore::open(&path).expect("the store opens"), [fired_change("every 1h")]);
    tamper(&path, "DROP VIEW overrides_shown; DROP TABLE overrides; PRAGMA user_version = 2");
    let store = SqliteStore::open(&path).expect("the store opens");
    put(&store, [override_change(Subject::Handler, OverrideKind::Schedule, Some("never"))]);
    assert_eq!(store.overrides(HANDLER).expect("the read succeeds").len(), 1);
    assert_eq!(store.firings(HANDLER).expect("the read succeeds").len(), 1);
}

#[test]
fn an_empty_file_becomes_a_store() {
    let directory = tempdir().expect("the directory is created");
    let path = directory.path().join("state");
    fs::write(&path, "").expect("the file is written");
    put(&SqliteStore::open(&path).expect("the store opens"), [commit_change(ITEM, fence(1, 0), "1")]);
}

#[test]
fn the_database_of_another_program_is_refused_and_unchanged() {
    let directory = tempdir().expect("the directory is created");
    for (name, statement) in [("a", "CREATE TABLE x (y)"), ("b", "PRAGMA application_id = 5")] {
        let path = directory.path().join(name);
        tamper(&path, statement);
        let before = fs::read(&path).expect("the read succeeds");
        assert!(matches!(open_error(&path), StoreError::NotAStore { .. }));
        assert!(before == fs::read(&path).expect("the read succeeds"), "the file was changed");
    }
}

#[test]
fn a_file_that_is_not_a_database_is_refused_and_unchanged() {
    let directory = tempdir().expect("the directory is created");
    let path = directory.path().join("state");
    for text in ["x".to_string(), "a plain text".repeat(1_000)] {
        fs::write(&path, &text).expect("the file is written");
        let error = open_error(&path);
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
        assert!(matches!(SqliteStore::open_read_only(&path), Err(StoreError::Corrupt { .. })));
        assert_eq!(fs::read_to_string(&path).expect("the read succeeds"), text);
    }
}

#[test]
fn a_truncated_store_is_refused_with_advice_and_not_deleted() {
    let (_directory, path) = create_filled_store();
    let whole = fs::metadata(&path).expect("the file exists").len();
    for length in [whole / 2, 4_096, 100] {
        fs::File::options()
            .write(true)
            .open(&path)
            .and_then(|file| file.set_len(length))
            .expect("the file is truncated");
        let error = open_error(&path);
        assert!(matches!(error, StoreError::Corrupt { .. }), "{length}: {error}");
        assert!(error.to_string().contains("move the file"), "{error}");
        assert_eq!(fs::metadata(&path).expect("the file exists").len(), length);
    }
}

#[test]
fn an_empty_file_with_a_write_ahead_log_is_refused() {
    let directory = tempdir().expect("the directory is created");
    let path = directory.path().join("state");
    fs::write(&path, "").expect("the file is written");
    fs::write(directory.path().join("state-wal"), "frames").expect("the file is written");
    assert!(matches!(open_error(&path), StoreError::Corrupt { .. }));
    assert_eq!(fs::read(directory.path().join("state-wal")).expect("the read succeeds"), b"frames");
}

#[test]
fn a_waiting_run_that_cannot_be_read_keeps_no_handler_from_being_read() {
    let (_directory, path) = create_filled_store();
    let waits = RunRequest::new(HANDLER).with_items([ITEM]);
    let store = SqliteStore::open(&path).expect("the store opens");
    put(&store, [StateChange::Waiting { handler: HANDLER, runs: vec![waits.clone()] }]);
    drop(store);
    tamper(
        &path,
        "UPDATE handlers SET waiting = json_insert(waiting, '$[#]', json('{\"version\":77}')) WHERE waiting IS NOT NULL",
    );
    let store = SqliteStore::open(&path).expect("the store opens");
    assert_eq!(store.handler(HANDLER).expect("the row is read").expect("the record exists").waiting, [waits]);
}

#[test]
fn damage_found_later_is_reported_by_reads_and_writes() {
    let (_directory, path) = create_filled_store();
    let mut bytes = fs::read(&path).expect("the read succeeds");
    let from = 40 * 4_096;
    bytes[from..].fill(0x55);
    fs::write(&path, &bytes).expect("the file is written");
    let store = SqliteStore::open(&path).expect("the pages read on opening are intact");
    let error = store.recorded_items(HANDLER).expect_err("the pages are damaged");
    assert!(matches!(error.downcast_ref(), Some(StoreError::Corrupt { .. })), "{error:#}");
    let writes = (1..=3_000).map(|item| store.write(vec![commit_change(ItemId::from_u128(item), fence(2, 0), "{}")]));
    let writes: Vec<_> = writes.collect();
    let errors: Vec<_> = block_on(join_all(writes)).into_iter().filter_map(Result::err).collect();
    assert!(!errors.is_empty());
    assert!(errors.iter().all(|error| matches!(error.downcast_ref(), Some(StoreError::Corrupt { .. }))));
}

#[test]
fn a_store_with_a_missing_table_is_refused() {
    let (_directory, path) = create_filled_store();
    tamper(&path, "DROP TABLE answers");
    let error = open_error(&path);
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
}

#[test]
fn an_unknown_value_makes_only_its_record_unreadable() {
    let (_directory, path) = create_filled_store();
    let statement = "UPDATE items SET outcome = 'transcended' WHERE item = x'00000000000000000000000000000001'";
    tamper(&path, statement);
    let store = SqliteStore::open(&path).expect("the store opens");
    let error = store.record(HANDLER, ItemId::from_u128(1)).expect_err("the outcome is unknown");
    assert!(matches!(error.downcast_ref(), Some(StoreError::Unreadable { .. })), "{error:#}");
    assert!(error.to_string().contains("transcended"), "{error:#}");
    assert!(record(&store, ItemId::from_u128(2)).is_some());
}

#[test]
fn an_unreadable_session_does_not_hide_the_others() {
    let directory = tempdir().expect("the directory is created");
    let path = directory.path().join("state");
    let session_began = |session| {
        let runs = vec![syncmgr::request::RunRequest::new(HANDLER)];
        StateChange::SessionBegan(SessionRecord::new(SessionId(session), MANAGER, Trigger::Manual, at(session), runs))
    };
    put(&SqliteStore::open(&path).expect("the store opens"), (1..=4).map(session_began));
    tamper(&path, "UPDATE sessions SET course = 'odd', ended = began WHERE session = 2");
    tamper(&path, "UPDATE sessions SET runs = '{' WHERE session = 3");
    let store = SqliteStore::open(&path).expect("the store opens");
    let numbers = |sessions: Vec<SessionRecord>| sessions.iter().map(|record| record.session.0).collect::<Vec<_>>();
    assert_eq!(numbers(store.sessions().expect("the read succeeds")), [1, 4]);
    assert_eq!(numbers(store.interrupted().expect("the read succeeds")), [1, 4]);
    assert_eq!(store.last_session().expect("the read succeeds"), SessionId(4));
}

#[test]
fn a_full_disk_fails_only_the_writes_that_do_not_fit() {
    let directory = tempdir().expect("the directory is created");
    let path = directory.path().join("state");
    let store = SqliteOptions::new().max_pages(60).open(&path).expect("the store opens");
    put(&store, [commit_change(ITEM, fence(1, 0), "1")]);
    let large = format!("\"{}\"", "x".repeat(500_000));
    let error = expect_refused(&store, [commit_change(NEXT, fence(1, 0), &large)]);
    assert!(matches!(error.downcast_ref(), Some(StoreError::Full { .. })), "{error:#}");
    assert_eq!(record(&store, NEXT), None);
    put(&store, [commit_change(ITEM, fence(1, 1), "2")]);
    drop(store);
    assert_eq!(
        record(&SqliteStore::open(&path).expect("the store opens"), ITEM).expect("the record exists").fence,
        fence(1, 1)
    );
}

#[test]
fn creating_a_store_on_a_full_disk_fails() {
    let directory = tempdir().expect("the directory is created");
    let path = directory.path().join("state");
    let error = SqliteOptions::new().max_pages(2).open(&path).expect_err("the limit is too small");
    assert!(matches!(error, StoreError::Full { .. }), "{error}");
    SqliteStore::open(&path).expect("the store opens without the limit");
}

#[test]
fn a_writer_whose_store_was_taken_over_stops_writing() {
    let directory = tempdir().expect("the directory is created");
    let path = directory.path().join("state");
    let store = SqliteStore::open(&path).expect("the store opens");
    put(&store, [commit_change(ITEM, fence(1, 0), "1")]);
    fs::remove_file(directory.path().join("state.lock")).expect("the lock file is removed");
    let second = SqliteStore::open(&path).expect("the store opens");
    let error = expect_refused(&store, [commit_change(ITEM, fence(2, 0), "2")]);
    assert!(matches!(error.downcast_ref(), Some(StoreError::TakenOver { .. })), "{error:#}");
    assert_eq!(record(&second, ITEM).expect("the record exists").fence, fence(1, 0));
    put(&second, [commit_change(ITEM, fence(3, 0), "3")]);
}
