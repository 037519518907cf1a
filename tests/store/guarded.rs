//! File modes, owners, links and read-only directories.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;

use syncmgr::store::{SqliteStore, StateStore, StoreError};
use tempfile::tempdir;

use crate::common::*;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("the file exists").permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("the mode is set");
}

/// Returns `true` unless the tests run as root, which file modes do not restrict.
fn is_bound_by_modes() -> bool {
    let bound = !rustix::process::geteuid().is_root();
    if !bound {
        println!("skipped: file modes do not restrict root");
    }
    bound
}

#[test]
fn only_the_current_user_has_access_to_the_files() {
    let directory = tempdir().expect("the directory is created");
    let path = directory.path().join("deep/down/state");
    let store = SqliteStore::open(&path).expect("the store opens");
    put(&store, [commit_change(ITEM, fence(1, 0), "1")]);
    assert_eq!(mode(&directory.path().join("deep")), 0o700);
    assert_eq!(mode(&directory.path().join("deep/down")), 0o700);
    let parent = path.parent().expect("the path has a parent");
    for name in ["state", "state-wal", "state-shm", "state.lock"] {
        assert_eq!(mode(&parent.join(name)), 0o600, "{name}");
    }
}

#[test]
fn a_symbolic_link_as_file_or_directory_is_refused() {
    let directory = tempdir().expect("the directory is created");
    let at = |name: &str| directory.path().join(name);
    fs::create_dir(at("real")).expect("the directory is created");
    fs::write(at("elsewhere"), "precious").expect("the file is written");
    symlink(at("real"), at("linked")).expect("the link is created");
    for name in ["file", "lock.lock", "wal-wal"] {
        symlink(at("elsewhere"), at(name)).expect("the link is created");
    }
    symlink(at("nothing"), at("dangling")).expect("the link is created");
    for name in ["linked/state", "file", "lock", "wal", "dangling"] {
        let error = SqliteStore::open(at(name)).expect_err("the store does not open");
        assert!(matches!(error, StoreError::Symlink { .. }), "{name}: {error}");
    }
    assert!(matches!(SqliteStore::open_read_only(at("file")), Err(StoreError::Symlink { .. })));
    assert_eq!(fs::read_to_string(at("elsewhere")).expect("the read succeeds"), "precious");
    assert!(!at("nothing").exists());
}

#[test]
fn a_parent_of_the_directory_may_be_a_symbolic_link() {
    let directory = tempdir().expect("the directory is created");
    fs::create_dir_all(directory.path().join("real/own")).expect("the directory is created");
    symlink(directory.path().join("real"), directory.path().join("linked")).expect("the link is created");
    let path = directory.path().join("linked/own/state");
    drop(SqliteStore::open(&path).expect("the store opens"));
    SqliteStore::open_read_only(&path).expect("the store opens read-only");
}

#[test]
fn a_path_that_is_not_a_file_is_refused() {
    let directory = tempdir().expect("the directory is created");
    fs::create_dir(directory.path().join("state")).expect("the directory is created");
    let open = |path: &Path| SqliteStore::open(path).expect_err("the store does not open");
    assert!(matches!(open(&directory.path().join("state")), StoreError::NotAFile { .. }));
    assert!(matches!(open(Path::new("/")), StoreError::NotAFile { .. }));
    assert!(matches!(SqliteStore::open_read_only(directory.path().join("state")), Err(StoreError::NotAFile { .. })));
}

#[test]
fn files_of_another_user_are_refused() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: only root can change the owner of files");
        return;
    }
    let directory = tempdir().expect("the directory is created");
    let path = directory.path().join("state");
    for name in ["state", "state-wal", "state.lock"] {
        drop(SqliteStore::open(&path).expect("the store opens"));
        let given = directory.path().join(name);
        fs::OpenOptions::new().append(true).create(true).open(&given).expect("the file exists");
        chown(&given, Some(65_534), None).expect("the owner can be changed");
        let error = SqliteStore::open(&path).expect_err("the store does not open");
        assert!(matches!(error, StoreError::Owner { owner: 65_534, .. }), "{name}: {error}");
        chown(&given, Some(0), None).expect("the owner can be changed");
    }
    chown(directory.path(), Some(65_534), None).expect("the owner can be changed");
    assert!(matches!(SqliteStore::open(&path), Err(StoreError::Owner { .. })));
}

#[test]
fn a_store_in_a_read_only_directory_opens_only_read_only() {
    if !is_bound_by_modes() {
        return;
    }
    let directory = tempdir().expect("the directory is created");
    let path = directory.path().join("state?#%41");
    put(&SqliteStore::open(&path).expect("the store opens"), [commit_change(ITEM, fence(1, 0), "1")]);
    fs::remove_file(directory.path().join("state?#%41.lock")).expect("the file is removed");
    set_mode(directory.path(), 0o500);
    let opened = SqliteStore::open(&path);
    let new = SqliteStore::open(directory.path().join("new"));
    let read_only = SqliteStore::open_read_only(&path);
    set_mode(directory.path(), 0o700);
    assert!(matches!(opened, Err(StoreError::Access { .. })), "{opened:?}");
    assert!(matches!(new, Err(StoreError::Access { .. })), "{new:?}");
    assert_eq!(
        record(&read_only.expect("the store opens read-only"), ITEM).expect("the record exists").fence,
        fence(1, 0)
    );
}

#[test]
fn a_file_without_read_or_write_permission_is_an_access_error() {
    if !is_bound_by_modes() {
        return;
    }
    let directory = tempdir().expect("the directory is created");
    let path = directory.path().join("state");
    put(&SqliteStore::open(&path).expect("the store opens"), [commit_change(ITEM, fence(1, 0), "1")]);
    for (bits, opens_read_only) in [(0o000, false), (0o400, true)] {
        set_mode(&path, bits);
        let (opened, read_only) = (SqliteStore::open(&path), SqliteStore::open_read_only(&path));
        assert!(matches!(opened, Err(StoreError::Access { .. })), "{opened:?}");
        assert_eq!(read_only.is_ok(), opens_read_only, "{read_only:?}");
    }
    set_mode(&path, 0o600);
    let store = SqliteStore::open(&path).expect("the store opens");
    assert!(store.record(HANDLER, ITEM).expect("the read succeeds").is_some());
}
