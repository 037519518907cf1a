//! Stores whose files are deleted or replaced while they are open.

use std::fs;
use std::path::Path;

use syncmgr::store::{SqliteStore, StateStore, StoreError};
use tempfile::tempdir;

use crate::common::*;

const FILES: [&str; 3] = ["state", "state-wal", "state-shm"];

fn expect_replaced(store: &SqliteStore, attempt: u32) {
    let error = expect_refused(store, [commit_change(ITEM, fence(1, attempt), "1")]);
    assert!(matches!(error.downcast_ref(), Some(StoreError::Replaced { .. })), "{error:#}");
}

/// Opens and writes a store, and passes each of its files to `damage`. Then all writes must fail.
fn check(damage: impl Fn(&Path)) {
    for file in FILES {
        let directory = tempdir().expect("the directory is created");
        let store = SqliteStore::open(directory.path().join("state")).expect("the store opens");
        put(&store, [commit_change(ITEM, fence(1, 0), "1")]);
        damage(&directory.path().join(file));
        expect_replaced(&store, 1);
        expect_replaced(&store, 2);
    }
}

#[test]
fn writes_fail_after_a_file_of_the_store_was_deleted() {
    check(|file| fs::remove_file(file).expect("the file is removed"));
}

#[test]
fn writes_fail_after_a_file_of_the_store_was_replaced() {
    check(|file| {
        let copy = file.with_extension("copy");
        fs::copy(file, &copy).and_then(|_| fs::rename(&copy, file)).expect("the file is replaced");
    });
}

/// Fails unless a read of many values says that the file was replaced.
fn expect_unreadable(store: &SqliteStore) {
    let error = store.log(HANDLER).expect_err("the second connection would read another file");
    assert!(matches!(error.downcast_ref(), Some(StoreError::Replaced { .. })), "{error:#}");
}

#[test]
fn the_first_list_fails_after_the_file_was_replaced() {
    let directory = tempdir().expect("the directory is created");
    let (path, other) = (directory.path().join("state"), directory.path().join("other"));
    drop(SqliteStore::open(&path).expect("the store opens"));
    fs::copy(&path, &other).expect("the file is copied");
    let stores = [SqliteStore::open(&path), SqliteStore::open_read_only(&path)];
    fs::rename(&other, &path).expect("the file is replaced");
    for store in stores {
        expect_unreadable(&store.expect("the store opens"));
    }
}

#[test]
fn the_first_list_succeeds_again_once_the_file_is_back() {
    let directory = tempdir().expect("the directory is created");
    let (here, there) = (directory.path().join("here"), directory.path().join("there"));
    let store = SqliteStore::open(here.join("state")).expect("the store opens");
    fs::rename(&here, &there).expect("the directory is moved");
    expect_unreadable(&store);
    fs::rename(&there, &here).expect("the directory is moved back");
    assert_eq!(store.log(HANDLER).expect("the read succeeds"), []);
}

#[test]
fn writes_fail_after_the_directory_of_the_store_was_moved() {
    let directory = tempdir().expect("the directory is created");
    let (here, there) = (directory.path().join("here"), directory.path().join("there"));
    let store = SqliteStore::open(here.join("state")).expect("the store opens");
    fs::rename(&here, &there).expect("the directory is moved");
    expect_replaced(&store, 1);
    fs::rename(&there, &here).expect("the directory is moved back");
    put(&store, [commit_change(ITEM, fence(1, 2), "1")]);
}

#[test]
fn a_write_fails_if_a_file_was_deleted_before_its_commit() {
    let directory = tempdir().expect("the directory is created");
    let path = directory.path().join("state");
    let doomed = path.clone();
    let step = std::sync::Arc::new(move |name| {
        if name == "before commit" {
            fs::remove_file(&doomed).expect("the file is removed");
        }
    });
    let options = syncmgr::store::SqliteOptions::new().on_failpoint(step);
    expect_replaced(&options.open(&path).expect("the store opens"), 1);
}
