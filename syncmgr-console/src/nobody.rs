//! Another user, for tests.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use rustix::process::{Uid, geteuid};
use rustix::thread::set_thread_uid;
use tempfile::TempDir;

/// Runs a closure as the user `nobody`. Returns `None` if the test is skipped, because only root can become another user.
pub(crate) fn run<T: Send>(closure: impl FnOnce() -> T + Send) -> Option<T> {
    if !geteuid().is_root() {
        skip("only root can become another user");
        return None;
    }
    let as_nobody = || {
        // On Linux, each thread has a user of its own.
        set_thread_uid(Uid::from_raw(65534)).expect("root can become each user");
        closure()
    };
    std::thread::scope(|scope| scope.spawn(as_nobody).join().ok())
}

/// Creates a directory that all users can write to.
pub(crate) fn shared_folder() -> TempDir {
    let folder = tempfile::tempdir().expect("there is a directory for temporary files");
    open_to_all(folder.path());
    folder
}

/// Lets all users read and write a file or a directory.
pub(crate) fn open_to_all(path: &std::path::Path) {
    std::fs::set_permissions(path, Permissions::from_mode(0o777)).expect("it is a file of this user");
}

/// Says that the test of the caller is skipped, and why. Fails if the machine is meant to run every test.
fn skip(reason: &str) {
    assert!(std::env::var_os("SYNCMGR_NO_SKIP").is_none_or(|value| value != "1"), "not skipped: {reason}");
    eprintln!("skipped: {reason}");
}
