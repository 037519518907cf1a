//! What can be wrong with a store.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{fmt, io};

use rusqlite::ErrorCode;
use rusqlite::ffi::SQLITE_IOERR_SHMSIZE;
use syncmgr_core::text::Escaped;

/// A path in a message: it cannot redraw a terminal.
struct Shown<'a>(&'a Path);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Escaped(&self.0.to_string_lossy()).fmt(f)
    }
}

/// Why a store could not be opened, read or written. What is stored is never deleted because of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Somebody else has it open for writing.
    #[error("the store {} is in use by {by}; end that, or give this program a store of its own", Shown(.path))]
    InUse {
        /// The store.
        path: PathBuf,
        /// Who has it: the program, its process, since when.
        by: String,
    },
    /// Somebody opened it for writing although this program has it open: its lock file was removed or does not work.
    #[error(
        "the store {} was taken over by another program, and nothing more is written to it; leave its lock file alone, \
         and do not share it between machines",
        Shown(.path)
    )]
    TakenOver {
        /// The store.
        path: PathBuf,
    },
    /// A newer program wrote it. It was not touched.
    #[error(
        "the store {} has version {found} and this program knows versions up to {known}; update the program",
        Shown(.path)
    )]
    TooNew {
        /// The store.
        path: PathBuf,
        /// The version it has.
        found: u32,
        /// The newest version this program knows.
        known: u32,
    },
    /// An older program wrote it, and looking does not bring it up to date.
    #[error(
        "the store {} has version {found}, older than {known}; open it once for writing, which brings it up to date",
        Shown(.path)
    )]
    TooOld {
        /// The store.
        path: PathBuf,
        /// The version it has.
        found: u32,
        /// The version this program reads.
        known: u32,
    },
    /// It is a database, of another program.
    #[error("{} is the database of another program; name another file", Shown(.path))]
    NotOurs {
        /// The file.
        path: PathBuf,
    },
    /// It is damaged, or no database at all.
    #[error(
        "the store {} is damaged or no database: {reason}; move the file and those beside it with its name away, to \
         begin afresh or to put a copy in its place; it is never deleted",
        Shown(.path)
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What gave it away.
        reason: String,
    },
    /// Something stored cannot be read: a newer program wrote it, or somebody changed it by hand.
    #[error("the store {} holds something this program cannot read: {reason}; update the program", Shown(.path))]
    Unreadable {
        /// The store.
        path: PathBuf,
        /// What it is.
        reason: String,
    },
    /// Something that was to be stored cannot be. The caller's mistake; nothing of its write was stored.
    #[error("this cannot be stored: {reason}; change it")]
    Unstorable {
        /// What is wrong with it.
        reason: String,
    },
    /// There is no room where it is.
    #[error("there is no room for the store {}; nothing of this write was stored; free some space", Shown(.path))]
    Full {
        /// The store.
        path: PathBuf,
    },
    /// It was opened for looking, and somebody tried to write.
    #[error("the store {} was opened for looking only; open it for writing", Shown(.path))]
    LookingOnly {
        /// The store.
        path: PathBuf,
    },
    /// There is nothing to look at.
    #[error("there is no store {}; name another file, or open it for writing, which makes it", Shown(.path))]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A symbolic link stands where the file or its directory should.
    #[error("{} is a symbolic link, which somebody else may turn; name what it leads to", Shown(.path))]
    Symlink {
        /// The link.
        path: PathBuf,
    },
    /// The file or its directory belongs to somebody else.
    #[error("{} belongs to user {owner}, who could change it; name a place of your own", Shown(.path))]
    Owner {
        /// The file or directory.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
    },
    /// It is a directory, a pipe or a device.
    #[error("{} is not a file; name one", Shown(.path))]
    NotAFile {
        /// What it is.
        path: PathBuf,
    },
    /// The operating system does not let this program at it.
    #[error("no access to {}: {reason}; allow it, or name another place", Shown(.path))]
    Access {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// Somebody has kept it locked for long, such as a tool with a transaction left open.
    #[error("the store {} is kept locked by another program; end that and try again", Shown(.path))]
    Busy {
        /// The store.
        path: PathBuf,
    },
    /// Whatever writes to it is gone: it has panicked.
    #[error("the store {} has stopped writing, because of a mistake in this program; open it again", Shown(.path))]
    Stopped {
        /// The store.
        path: PathBuf,
    },
    /// The disk or the operating system failed.
    #[error("the store {} failed: {reason}; look after the disk and try again", Shown(.path))]
    Failed {
        /// The store.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
}

impl StoreError {
    /// What this error of the database means for the store at `path`.
    pub(super) fn of(path: &Path, error: &rusqlite::Error) -> Self {
        let (path, reason) = (path.to_path_buf(), error.to_string());
        match error {
            rusqlite::Error::FromSqlConversionFailure(_, _, cause) => Self::Unreadable { path, reason: said(&**cause) },
            rusqlite::Error::ToSqlConversionFailure(cause) => Self::Unstorable { reason: said(&**cause) },
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

    /// What this error of the operating system means at `path`.
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

fn said(cause: &(dyn Error + Send + Sync)) -> String {
    cause.to_string()
}
