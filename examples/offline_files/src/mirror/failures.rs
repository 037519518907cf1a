//! The errors of a run, so that one cause is reported once for a directory.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use super::monitor::{Done, FileError, Monitor, Stopped};

/// A monitor that remembers where errors occurred.
pub(super) struct Failures<'a> {
    /// The monitor to which everything is forwarded.
    pub(super) monitor: &'a dyn Monitor,
    /// Directories in which an entry failed, each with the number of the system's error.
    seen: Mutex<HashSet<(PathBuf, i32)>>,
    failed: AtomicBool,
}

impl<'a> Failures<'a> {
    pub(super) fn new(monitor: &'a dyn Monitor) -> Self {
        Self { monitor, seen: Mutex::default(), failed: false.into() }
    }

    /// Returns `true` if an error occurred.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// Returns `true` if an entry of `directory` failed with the same cause, for example because TO is read-only.
    pub(super) fn explain(&self, directory: &Path, cause: &io::Error) -> bool {
        cause.raw_os_error().is_some_and(|number| self.seen().contains(&(directory.to_owned(), number)))
    }

    fn seen(&self) -> MutexGuard<'_, HashSet<(PathBuf, i32)>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Monitor for Failures<'_> {
    fn advance(&self, bytes: u64) -> Result<(), Stopped> {
        self.monitor.advance(bytes)
    }

    fn done(&self, done: Done) {
        self.monitor.done(done);
    }

    fn warn(&self, path: &Path, text: &str) {
        self.monitor.warn(path, text);
    }

    fn fail(&self, error: FileError) {
        self.failed.store(true, Ordering::Relaxed);
        if let Some((directory, number)) = error.path.parent().zip(error.cause.raw_os_error()) {
            self.seen().insert((directory.to_owned(), number));
        }
        self.monitor.fail(error);
    }

    fn now(&self) -> SystemTime {
        self.monitor.now()
    }
}
