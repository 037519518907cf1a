//! Where the errors of entries go.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Errors;
use crate::mirror::{Done, Failure, FileError, Monitor, Stopped};

/// The monitor, and whether an entry has failed.
pub(super) struct Failures<'a> {
    pub(super) monitor: &'a dyn Monitor,
    pub(super) has_failed: &'a AtomicBool,
    pub(super) errors: Errors,
}

impl Failures<'_> {
    /// Reports an entry that failed, so that the others go on.
    pub(super) fn tolerate<T>(&self, result: Result<T, impl Into<Failure>>) -> Result<Option<T>, Stopped> {
        match result.map_err(Into::into) {
            Ok(value) => Ok(Some(value)),
            Err(Failure::Stopped) => Err(Stopped),
            // What the scan found has gone meanwhile.
            Err(Failure::File(error)) if error.cause.kind() == io::ErrorKind::NotFound => {
                self.leave(&error.path);
                Ok(None)
            }
            Err(Failure::File(error)) => {
                self.has_failed.store(true, Ordering::Relaxed);
                self.monitor.fail(advised(error));
                Ok(None)
            }
        }
    }

    pub(super) fn leave(&self, path: &Path) {
        self.monitor.done(Done::Left);
        self.monitor.warn(path, "changed during the run; the next run looks at it again");
    }

    pub(super) fn have_failed(&self) -> bool {
        self.errors == Errors::HoldDeletions && self.has_failed.load(Ordering::Relaxed)
    }
}

/// Says what may be wrong if an entry cannot be changed.
fn advised(error: FileError) -> FileError {
    let changes =
        ["cannot be written", "cannot be created", "cannot be replaced", "cannot be deleted", "cannot be kept"];
    if error.cause.kind() != io::ErrorKind::PermissionDenied || !changes.contains(&error.action) {
        return error;
    }
    let cause = io::Error::other(format!("{}; is its directory read-only?", error.cause));
    FileError { cause, ..error }
}
