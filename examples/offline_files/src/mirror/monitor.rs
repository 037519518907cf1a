//! Observation and cancellation of blocking work.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Observes blocking work and can stop it.
pub(crate) trait Monitor: Send + Sync {
    /// Called after `bytes` more bytes were written, at least once per entry and per MiB. An error ends the work immediately.
    fn advance(&self, bytes: u64) -> Result<(), Stopped>;

    /// Called after an entry was changed.
    fn done(&self, done: Done);

    /// Called for an entry that is skipped, or that needs another run, with the reason.
    fn warn(&self, path: &Path, text: &str);

    /// Called for an entry that failed. The work continues with the next entry.
    fn fail(&self, error: FileError);

    /// Returns the current time.
    fn now(&self) -> SystemTime;
}

/// A monitor for a second scan of the same part: forwards stops and drops all messages.
pub(crate) struct Quiet<'a>(pub(crate) &'a dyn Monitor);

impl Monitor for Quiet<'_> {
    fn advance(&self, bytes: u64) -> Result<(), Stopped> {
        self.0.advance(bytes)
    }

    fn done(&self, _: Done) {}

    fn warn(&self, _: &Path, _: &str) {}

    fn fail(&self, _: FileError) {}

    fn now(&self) -> SystemTime {
        self.0.now()
    }
}

/// The change that was made to an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    /// A file or link was copied.
    Copied,
    /// A directory was created.
    Created,
    /// Only the permission bits or the time were updated.
    Adjusted,
    /// One entry was removed from TO.
    Deleted,
    /// An entry got another path.
    Moved,
    /// An entry changed meanwhile, and was left for the next run.
    Left,
}

/// The work was stopped before it was complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stopped;

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("stopped")
    }
}

impl Error for Stopped {}

/// The directory in which an operation failed: one of a mirror, or a side of a synchronization in both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Location {
    From,
    To,
    A,
    B,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::From => "FROM",
            Self::To => "TO",
            Self::A => "A",
            Self::B => "B",
        })
    }
}

/// A failed operation on one entry.
#[derive(Debug)]
pub(crate) struct FileError {
    pub(crate) path: PathBuf,
    pub(crate) action: &'static str,
    pub(crate) location: Option<Location>,
    pub(crate) cause: io::Error,
}

impl FileError {
    pub(crate) fn new(path: PathBuf, action: &'static str, cause: io::Error) -> Self {
        Self { path, action, location: None, cause }
    }

    pub(crate) fn at(self, location: Location) -> Self {
        Self { location: Some(location), ..self }
    }

    /// Returns `true` if the operation was one in FROM.
    pub(super) fn is_in_source(&self) -> bool {
        self.location == Some(Location::From)
    }

    /// Returns `true` if FROM gives no permission to read.
    pub(super) fn is_denied_in_source(&self) -> bool {
        self.is_in_source() && self.cause.kind() == io::ErrorKind::PermissionDenied
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.location {
            Some(location) => write!(f, "{} in {location}: {}", self.action, self.cause),
            None => write!(f, "{}: {}", self.action, self.cause),
        }
    }
}

impl Error for FileError {}

/// The reason an entry was not completed.
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

/// Adds the failed action, its location and the path to an error.
pub(crate) trait FileContext<T> {
    fn file_context(self, action: &'static str, location: Location, path: &Path) -> Result<T, FileError>;
}

impl<T, E: Into<io::Error>> FileContext<T> for Result<T, E> {
    fn file_context(self, action: &'static str, location: Location, path: &Path) -> Result<T, FileError> {
        self.map_err(|cause| FileError::new(path.to_owned(), action, cause.into()).at(location))
    }
}

/// Reports an entry that failed and returns `None`, so that the work continues. Fails only if the work was stopped.
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
