//! The errors of the SQLite store.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{fmt, io};

use rusqlite::ErrorCode;
use rusqlite::ffi::SQLITE_IOERR_SHMSIZE;
use syncmgr_core::text::Escaped;

/// A path for a message, with control characters escaped.
struct EscapedPath<'a>(&'a Path);

impl fmt::Display for EscapedPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Escaped(&self.0.to_string_lossy()).fmt(f)
    }
}

/// An error of opening, reading or writing a store. Stored data is never deleted because of an error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another program has the store open for writing.
    #[error("the store {} is in use by {by}; stop that program, or choose another file", EscapedPath(.path))]
    InUse {
        /// The store.
        path: PathBuf,
        /// The program, its process id, and the time at which it opened the store.
        by: String,
    },
    /// Another program opened the store for writing at the same time: the lock file was removed, or locks do not work
    /// on this file system.
    #[error(
        "the store {} was taken over by another program, and this program no longer writes to it; do not remove its \
         lock file, and do not share the store between machines",
        EscapedPath(.path)
    )]
    TakenOver {
        /// The store.
        path: PathBuf,
    },
    /// A file of the store was deleted, moved or replaced while this program had it open. The write that reports this may be
    /// lost.
    #[error(
        "{} was deleted, moved or replaced while this program had the store open, and writes to it would be lost; put it \
         back, or open the store again",
        EscapedPath(.path)
    )]
    Replaced {
        /// The missing file.
        path: PathBuf,
    },
    /// The store has a newer version than this program supports. The store was not changed.
    #[error(
        "the store {} has version {found}, and this program supports versions up to {known}; update the program",
        EscapedPath(.path)
    )]
    TooNew {
        /// The store.
        path: PathBuf,
        /// The version of the store.
        found: u32,
        /// The newest version that this program supports.
        known: u32,
    },
    /// The store has an older version, which cannot be read without an upgrade.
    #[error(
        "the store {} has version {found}, older than {known}; open it once for writing to upgrade it",
        EscapedPath(.path)
    )]
    TooOld {
        /// The store.
        path: PathBuf,
        /// The version of the store.
        found: u32,
        /// The version that this program reads.
        known: u32,
    },
    /// The file is the database of another program.
    #[error("{} is the database of another program; choose another file", EscapedPath(.path))]
    NotAStore {
        /// The file.
        path: PathBuf,
    },
    /// The file is damaged or not a database.
    #[error(
        "the store {} is damaged or not a database: {reason}; move the file and its -wal and -shm files away to start \
         with an empty store or to restore a backup; damaged files are never deleted",
        EscapedPath(.path)
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// The detected damage.
        reason: String,
    },
    /// A stored value cannot be read: a newer program wrote it, or it was changed by hand.
    #[error("the store {} has a value that this program cannot read: {reason}; update the program", EscapedPath(.path))]
    Unreadable {
        /// The store.
        path: PathBuf,
        /// The problem with the value.
        reason: String,
    },
    /// A value cannot be stored, so its whole write was refused. This is a bug in the caller.
    #[error("the value cannot be stored: {reason}; change the value")]
    Unstorable {
        /// The problem with the value.
        reason: String,
    },
    /// There is no space left on the disk.
    #[error("no space is left for the store {}; this write was not stored; free some space", EscapedPath(.path))]
    Full {
        /// The store.
        path: PathBuf,
    },
    /// The store is open read-only and cannot be written.
    #[error("the store {} is open read-only; open it for writing", EscapedPath(.path))]
    ReadOnly {
        /// The store.
        path: PathBuf,
    },
    /// The file does not exist.
    #[error("the store {} does not exist; choose another file, or open it for writing to create it", EscapedPath(.path))]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file or its directory is a symbolic link.
    #[error("{} is a symbolic link, which another user may redirect; choose the file it points to", EscapedPath(.path))]
    Symlink {
        /// The link.
        path: PathBuf,
    },
    /// The file or its directory belongs to another user.
    #[error("{} belongs to user {owner}, who could change it; choose a location that belongs to you", EscapedPath(.path))]
    Owner {
        /// The file or directory.
        path: PathBuf,
        /// The id of its owner.
        owner: u32,
    },
    /// The path is a directory, a pipe or a device.
    #[error("{} is not a regular file; choose a file", EscapedPath(.path))]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The operating system denies access.
    #[error("no access to {}: {reason}; allow access, or choose another location", EscapedPath(.path))]
    Access {
        /// The file or directory.
        path: PathBuf,
        /// The system's error message.
        reason: String,
    },
    /// Another program, such as a tool with an open transaction, has locked the file for too long.
    #[error("the store {} is locked by another program; close that program and try again", EscapedPath(.path))]
    Busy {
        /// The store.
        path: PathBuf,
    },
    /// The thread that writes the store has panicked.
    #[error("the store {} has stopped writing because of a bug in this program; open it again", EscapedPath(.path))]
    Stopped {
        /// The store.
        path: PathBuf,
    },
    /// The disk or the operating system failed.
    #[error("the store {} failed: {reason}; check the disk and try again", EscapedPath(.path))]
    Failed {
        /// The store.
        path: PathBuf,
        /// The system's error message.
        reason: String,
    },
}

impl StoreError {
    /// Converts a database error of the store at `path`.
    pub(super) fn of(path: &Path, error: &rusqlite::Error) -> Self {
        let (path, reason) = (path.to_path_buf(), error.to_string());
        match error {
            rusqlite::Error::FromSqlConversionFailure(_, _, cause) => {
                Self::Unreadable { path, reason: message(&**cause) }
            }
            rusqlite::Error::ToSqlConversionFailure(cause) => Self::Unstorable { reason: message(&**cause) },
            rusqlite::Error::InvalidColumnType(..) => Self::Unreadable { path, reason },
            error => match (error.sqlite_error_code(), error.sqlite_error().map(|error| error.extended_code)) {
                (_, Some(SQLITE_IOERR_SHMSIZE)) | (Some(ErrorCode::DiskFull), _) => Self::Full { path },
                (Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt), _) => Self::Corrupt { path, reason },
                (Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked), _) => Self::Busy { path },
                (Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly), _) => {
                    Self::Access { path, reason }
                }
                _ => Self::Failed { path, reason },
            },
        }
    }

    /// Converts an I/O error at `path`.
    pub(super) fn of_io(path: &Path, error: &io::Error) -> Self {
        let (path, reason) = (path.to_path_buf(), error.to_string());
        match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Self::Access { path, reason },
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path },
            io::ErrorKind::NotFound => Self::Missing { path },
            _ => Self::Failed { path, reason },
        }
    }
}

fn message(cause: &(dyn Error + Send + Sync)) -> String {
    cause.to_string()
}
