//! Read-only access to a store that another program writes.

use std::process::Command;

use syncmgr::Outcome;
use syncmgr::store::{SqliteStore, StateChange, StateStore, StoreError};
use tempfile::tempdir;

use crate::common::*;

#[test]
fn a_read_only_store_sees_later_writes() {
    let directory = tempdir().expect("the directory is created");
    let path = directory.path().join("state");
    let store = SqliteStore::open(&path).expect("the store opens");
    let read_only = SqliteStore::open_read_only(&path).expect("the store opens read-only");
    assert_eq!(record(&read_only, ITEM), None);
    put(&store, [commit_change(ITEM, fence(1, 0), "1")]);
    assert_eq!(record(&read_only, ITEM), record(&store, ITEM));
    assert_eq!(
        record(&SqliteStore::open_read_only(&path).expect("the store opens read-only"), ITEM),
        record(&store, ITEM)
    );
}

#[test]
fn a_read_only_store_refuses_writes() {
    let directory = tempdir().expect("the directory is created");
    let path = directory.path().join("state");
    drop(SqliteStore::open(&path).expect("the store opens"));
    let read_only = SqliteStore::open_read_only(&path).expect("the store opens read-only");
    let error = expect_refused(&read_only, [commit_change(ITEM, fence(1, 0), "1")]);
    assert!(matches!(error.downcast_ref(), Some(StoreError::ReadOnly { .. })), "{error:#}");
    assert!(read_only.write_capacity().is_none());
}

#[test]
fn a_read_only_store_creates_no_file_and_does_not_lock_out_writers() {
    let directory = tempdir().expect("the directory is created");
    let path = directory.path().join("state");
    assert!(matches!(SqliteStore::open_read_only(&path), Err(StoreError::Missing { .. })));
    assert!(matches!(SqliteStore::open_read_only(directory.path().join("no/state")), Err(StoreError::Missing { .. })));
    assert_eq!(directory.path().read_dir().expect("the directory can be listed").count(), 0);
    drop(SqliteStore::open(&path).expect("the store opens"));
    let _read_only = SqliteStore::open_read_only(&path).expect("the store opens read-only");
    put(&SqliteStore::open(&path).expect("the store opens"), [commit_change(ITEM, fence(1, 0), "1")]);
}

#[test]
fn an_empty_file_does_not_open_read_only() {
    let directory = tempdir().expect("the directory is created");
    let path = directory.path().join("state");
    std::fs::write(&path, "").expect("the file is written");
    assert!(matches!(SqliteStore::open_read_only(&path), Err(StoreError::TooOld { found: 0, .. })));
}

/// Runs a query with the `sqlite3` tool, if it is installed.
fn tool(path: &std::path::Path, query: &str) -> Option<String> {
    let Ok(output) = Command::new("sqlite3").arg("-readonly").arg(path).arg(query).output() else {
        println!("skipped: the sqlite3 tool is not installed");
        return None;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8_lossy(&output.stdout).trim().to_string())
}

#[test]
fn the_sqlite3_tool_reads_the_views_of_an_open_store() {
    let directory = tempdir().expect("the directory is created");
    let path = directory.path().join("state");
    let store = SqliteStore::open(&path).expect("the store opens");
    let failed = end_change(2, [(ITEM, item_end(Outcome::Failed))]);
    put(&store, [failed, retry(ITEM, Some(backoff(1))), log(2, &[named("broke", "k").with_item(ITEM)])]);
    put(
        &store,
        [StateChange::Choices { handler: HANDLER, items: map([(ITEM, Some(syncmgr::item::ItemState::Checked))]) }],
    );
    let Some(shown) = tool(&path, "SELECT handler, item, outcome, last_attempt, setback, until FROM items_shown")
    else {
        return;
    };
    let expected = format!("{HANDLER}|{ITEM}|failed|2027-01-15T08:00:02.000Z|backoff|2027-01-15T08:00:31.000Z");
    assert_eq!(shown, expected);
    assert_eq!(tool(&path, "SELECT level, text, item FROM log_shown"), Some(format!("error|broke|{ITEM}")));
    assert_eq!(tool(&path, "PRAGMA integrity_check").as_deref(), Some("ok"));
    let views = ["handlers", "items", "choices", "answers", "log", "resources", "sessions"];
    for view in views {
        tool(&path, &format!("SELECT * FROM {view}_shown")).expect("the tool is installed");
    }
}
