//! Looking at a store somebody else writes to.

use std::process::Command;

use syncmgr::Outcome;
use syncmgr::store::{SqliteStore, StateChange, StateStore, StoreError};
use tempfile::tempdir;

use crate::common::*;

#[test]
fn whoever_looks_sees_what_is_written_meanwhile() {
    let directory = tempdir().expect("a directory");
    let path = directory.path().join("state");
    let store = SqliteStore::open(&path).expect("the store opens");
    let look = SqliteStore::look(&path).expect("looked at");
    assert_eq!(record(&look, ITEM), None);
    put(&store, [committed(ITEM, fence(1, 0), "1")]);
    assert_eq!(record(&look, ITEM), record(&store, ITEM));
    assert_eq!(record(&SqliteStore::look(&path).expect("looked at"), ITEM), record(&store, ITEM));
}

#[test]
fn whoever_looks_cannot_write() {
    let directory = tempdir().expect("a directory");
    let path = directory.path().join("state");
    drop(SqliteStore::open(&path).expect("the store opens"));
    let look = SqliteStore::look(&path).expect("looked at");
    let error = refused(&look, [committed(ITEM, fence(1, 0), "1")]);
    assert!(matches!(error.downcast_ref(), Some(StoreError::LookingOnly { .. })), "{error:#}");
    assert!(look.room().is_none());
}

#[test]
fn looking_keeps_nobody_from_opening_and_makes_nothing() {
    let directory = tempdir().expect("a directory");
    let path = directory.path().join("state");
    assert!(matches!(SqliteStore::look(&path), Err(StoreError::Missing { .. })));
    assert!(matches!(SqliteStore::look(directory.path().join("no/state")), Err(StoreError::Missing { .. })));
    assert_eq!(directory.path().read_dir().expect("listed").count(), 0);
    drop(SqliteStore::open(&path).expect("the store opens"));
    let _look = SqliteStore::look(&path).expect("looked at");
    put(&SqliteStore::open(&path).expect("the store opens"), [committed(ITEM, fence(1, 0), "1")]);
}

#[test]
fn an_empty_file_is_no_store_to_look_at() {
    let directory = tempdir().expect("a directory");
    let path = directory.path().join("state");
    std::fs::write(&path, "").expect("written");
    assert!(matches!(SqliteStore::look(&path), Err(StoreError::TooOld { found: 0, .. })));
}

/// What the stock tool says, if it is installed.
fn tool(path: &std::path::Path, query: &str) -> Option<String> {
    let Ok(output) = Command::new("sqlite3").arg("-readonly").arg(path).arg(query).output() else {
        println!("skipped: the sqlite3 tool is not installed");
        return None;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8_lossy(&output.stdout).trim().to_string())
}

#[test]
fn the_stock_tool_reads_the_views_while_the_store_is_open() {
    let directory = tempdir().expect("a directory");
    let path = directory.path().join("state");
    let store = SqliteStore::open(&path).expect("the store opens");
    let failed = ended(2, [(ITEM, ending(Outcome::Failed))]);
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
