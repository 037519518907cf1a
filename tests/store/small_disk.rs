//! Stores on disks without space. Each case runs in a child process whose files cannot grow beyond a limit, or on a small
//! disk in memory.

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
    run(Command::new("sh").args(["-c", r#"trap '' XFSZ; exec "$0" "$@""#]), test);
}

/// Starts this program again to run one ignored test on a disk of 3 MiB, if this user may mount one.
fn run_child_on_small_disk(test: &str) {
    let mount = |directory: &str, then: &str| {
        let script = format!("mount -t tmpfs -o size=3m tmpfs \"{directory}\" && {then}");
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "sh", "-c", &script]);
        command
    };
    if !mount("/tmp", "true").output().is_ok_and(|output| output.status.success()) {
        return println!("skipped: this user cannot mount a disk");
    }
    run(&mut mount("$SMALL_DISK_DIRECTORY", r#"exec "$0" "$@""#), test);
}

fn run(command: &mut Command, test: &str) {
    let directory = tempdir().expect("the directory is created");
    let output = command
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

#[test]
fn a_store_on_a_small_disk_can_be_written_and_opened_again() {
    run_child_on_small_disk("write_on_small_disk");
}

#[test]
#[ignore = "runs in a child process"]
fn write_on_small_disk() {
    let Some(directory) = directory() else { return };
    for session in 1..=2 {
        let store = SqliteStore::open(directory.join("state")).expect("the store opens");
        let state = format!("\"{}\"", "x".repeat(300));
        for number in 0..700 {
            let item = ItemId::from_u128(1 + u128::from(number % 500));
            put(&store, [commit_change(item, fence(session, number), &state)]);
        }
    }
}
