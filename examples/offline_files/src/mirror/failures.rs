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
    /// Directories of TO in which an entry failed, each with the number of the system's error.
    seen: Mutex<HashSet<(PathBuf, i32)>>,
    failed: AtomicBool,
}

impl<'a> Failures<'a> {
    pub(super) fn new(monitor: &'a dyn Monitor) -> Self {
        Self { monitor, seen: Mutex::default(), failed: false.into() }
    }

    /// Returns `true` if an entry of FROM could not be read or copied.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// Reports an error that affects no copy of an entry of FROM.
    pub(super) fn report(&self, error: FileError) {
        let place = error.path.parent().zip(error.cause.raw_os_error()).filter(|_| !error.is_in_source());
        self.seen().extend(place.map(|(directory, number)| (directory.to_owned(), number)));
        self.monitor.fail(error);
    }

    /// Returns `true` if an entry of `directory` failed in TO with the same cause, for example because TO is read-only.
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
        self.report(error);
    }

    fn now(&self) -> SystemTime {
        self.monitor.now()
    }
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::*;
    use crate::mirror::Location;
    use crate::mirror::fixture::Recorder;

    #[test]
    fn only_an_error_in_the_target_explains_another_one_there() {
        let recorder = Recorder::default();
        let (failures, docs) = (Failures::new(&recorder), Path::new("docs"));
        for (location, is_explained) in [(Location::From, false), (Location::To, true)] {
            let error = FileError::new(docs.join("file"), "cannot be opened", Errno::ACCESS.into());
            failures.fail(error.at(location));
            assert_eq!(failures.explain(docs, &Errno::ACCESS.into()), is_explained, "{location}");
        }
    }
}
