//! How blocking work is watched and stopped.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Told by the work what happens, and asked by it whether to go on.
pub(crate) trait Monitor: Send + Sync {
    /// `bytes` more were written. Called at least once per entry and per MiB; an error ends the work at once.
    fn moved(&self, bytes: u64) -> Result<(), Stopped>;

    /// An entry was dealt with.
    fn done(&self, done: Done);

    /// An entry was passed over on purpose, and why.
    fn warn(&self, path: &Path, text: &str);

    /// An entry could not be dealt with; the work goes on with the next.
    fn fail(&self, error: FileError);

    /// What time it is.
    fn now(&self) -> SystemTime;
}

/// For work that says again what was said before: it can be stopped, and says nothing.
pub(crate) struct Quiet<'a>(pub(crate) &'a dyn Monitor);

impl Monitor for Quiet<'_> {
    fn moved(&self, bytes: u64) -> Result<(), Stopped> {
        self.0.moved(bytes)
    }

    fn done(&self, _: Done) {}

    fn warn(&self, _: &Path, _: &str) {}

    fn fail(&self, _: FileError) {}

    fn now(&self) -> SystemTime {
        self.0.now()
    }
}

/// What became of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    /// A file was written, or a link made.
    Copied,
    /// A directory was made.
    Made,
    /// Only the permission bits or the time were brought up to date.
    Adjusted,
    /// One entry was removed from TO.
    Deleted,
}

/// The work was told to end before it was complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stopped;

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("stopped")
    }
}

impl Error for Stopped {}

/// What could not be done, to which entry, and why.
#[derive(Debug)]
pub(crate) struct FileError {
    pub(crate) path: PathBuf,
    pub(crate) action: &'static str,
    pub(crate) cause: io::Error,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.action, self.cause)
    }
}

impl Error for FileError {}

/// Why one entry was not finished.
#[derive(Debug)]
pub(crate) enum Failure {
    Stopped,
    File(FileError),
}

impl From<Stopped> for Failure {
    fn from(Stopped: Stopped) -> Self {
        Self::Stopped
    }
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        Self::File(error)
    }
}

/// Says what was being done when a call failed.
pub(crate) trait Doing<T> {
    fn doing(self, action: &'static str, path: &Path) -> Result<T, FileError>;
}

impl<T, E: Into<io::Error>> Doing<T> for Result<T, E> {
    fn doing(self, action: &'static str, path: &Path) -> Result<T, FileError> {
        self.map_err(|cause| FileError { path: path.to_owned(), action, cause: cause.into() })
    }
}

/// Reports a failed entry and goes on; only a stop is passed on.
pub(crate) fn tolerate<T>(monitor: &dyn Monitor, result: Result<T, impl Into<Failure>>) -> Result<Option<T>, Stopped> {
    match result.map_err(Into::into) {
        Ok(value) => Ok(Some(value)),
        Err(Failure::Stopped) => Err(Stopped),
        Err(Failure::File(error)) => {
            monitor.fail(error);
            Ok(None)
        }
    }
}
