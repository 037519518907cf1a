//! Stores on disks without space. Each case runs in a child process whose files cannot grow beyond a limit.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use syncmgr::ItemId;
use syncmgr::store::{SqliteStore, StoreError};
use tempfile::tempdir;

use crate::common::*;

/// The variable with the directory of a child.
const DIRECTORY_VARIABLE: &str = "SMALL_DISK_DIRECTORY";

/// Starts this program again to run one ignored test. The process ignores the signal for a file that exceeds the limit.
fn run_child(test: &str) {
    let directory = tempdir().expect("the directory is created");
    let output = Command::new("sh")
        .args(["-c", r#"trap '' XFSZ; exec "$0" "$@""#])
        .arg(std::env::current_exe().expect("the test program has a path"))
        .args(["--exact", &format!("small_disk::{test}"), "--ignored"])
        .env(DIRECTORY_VARIABLE, directory.path())
        .output()
        .expect("the child starts");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}{}", String::from_utf8_lossy(&output.stderr));
}

/// Returns the directory of this child; `None` in another process.
fn directory() -> Option<PathBuf> {
    std::env::var_os(DIRECTORY_VARIABLE).map(PathBuf::from)
}

/// Limits the size of the files of this process.
fn limit_files(kib: Option<u64>) {
    let limit = Rlimit { current: kib.map(|kib| kib * 1_024), maximum: getrlimit(Resource::Fsize).maximum };
    setrlimit(Resource::Fsize, limit).expect("a process can lower its limit");
}

/// Copies an open store, as a killed process would leave it.
fn copy(from: &Path, to: &str) -> PathBuf {
    let to = from.with_file_name(to);
    for suffix in ["", "-wal"] {
        let with_suffix = |path: &Path| format!("{}{suffix}", path.display());
        fs::copy(with_suffix(from), with_suffix(&to)).expect("the file is copied");
    }
    to
}

fn commit_often(store: &SqliteStore, times: u32) {
    (0..times).for_each(|attempt| put(store, [commit_change(ITEM, fence(1, attempt), "1")]));
}

#[test]
fn a_store_without_space_does_not_open_until_there_is_space() {
    run_child("open_without_space");
}

#[test]
#[ignore = "runs in a child process"]
fn open_without_space() {
    let Some(directory) = directory() else { return };
    let original = SqliteStore::open(directory.join("original")).expect("the store opens");
    put(&original, (1..=3_000).map(|item| commit_change(ItemId::from_u128(item), fence(1, 0), "{}")));
    let path = copy(original.path(), "state");
    limit_files(Some(128));
    for _ in 0..2 {
        let error = SqliteStore::open(&path).expect_err("the store cannot be written");
        assert!(matches!(error, StoreError::Full { .. } | StoreError::Failed { .. }), "{error}");
    }
    limit_files(None);
    let store = SqliteStore::open(&path).expect("the store opens");
    put(&store, [commit_change(ITEM, fence(2, 0), "2")]);
    assert_eq!(record(&store, ITEM).map(|record| record.fence), Some(fence(2, 0)));
}

#[test]
fn a_store_opens_although_its_write_ahead_log_leaves_no_space() {
    run_child("open_with_long_log");
}

#[test]
#[ignore = "runs in a child process"]
fn open_with_long_log() {
    let Some(directory) = directory() else { return };
    let original = SqliteStore::open(directory.join("original")).expect("the store opens");
    commit_often(&original, 100);
    let path = copy(original.path(), "state");
    limit_files(Some(256));
    let store = SqliteStore::open(&path).expect("the store opens");
    assert_eq!(record(&store, ITEM).map(|record| record.fence), Some(fence(1, 99)));
}

#[test]
fn writes_succeed_while_only_the_write_ahead_log_lacks_space() {
    run_child("write_with_little_space");
}

#[test]
#[ignore = "runs in a child process"]
fn write_with_little_space() {
    let Some(directory) = directory() else { return };
    limit_files(Some(256));
    commit_often(&SqliteStore::open(directory.join("state")).expect("the store opens"), 200);
}
