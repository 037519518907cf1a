//! The state file, which stores records between runs.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use syncmgr::anyhow::anyhow;
use syncmgr::prelude::*;
use syncmgr::store::{SqliteStore, StoreError};
use syncmgr::text::Escaped;

use crate::args::Args;
use crate::escape::EscapedPath;
use crate::state_path::{create_parent, default_path};

/// The location of the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StateChoice {
    /// No state: everything is compared, and nothing is stored.
    Disabled,
    /// The default file for this pair of directories.
    Default,
    /// A file that the user chose.
    File(PathBuf),
}

/// An error that prevents the use of the state. The state and TO are unchanged, except for the lock file of a state that can be
/// judged only by its contents.
#[derive(Debug)]
pub(crate) enum StateError {
    /// The user has no directory for state files.
    NoHome,
    /// The parent directory of the file cannot be created.
    CreateDirectory(PathBuf, io::Error),
    /// The file cannot be opened: it is in use, damaged, inaccessible, or belongs to another program.
    Open(StoreError),
}

/// Opens the state for `from` and `to`, which are paths with links resolved.
pub(crate) fn open(args: &Args, from: &Path, to: &Path) -> SyncResult<Option<SqliteStore>> {
    open_choice(&args.state(), from, to).map_err(|error| match error {
        // Another state would be that of another first run.
        StateError::Open(StoreError::InUse { .. }) => anyhow!("{error}"),
        _ if args.two_way || args.watch => anyhow!("{error}; choose a file with --state FILE"),
        _ => anyhow!("{error}; choose a file with --state FILE, or use --no-state"),
    })
}

fn open_choice(choice: &StateChoice, from: &Path, to: &Path) -> Result<Option<SqliteStore>, StateError> {
    let file = match choice {
        StateChoice::Disabled => return Ok(None),
        StateChoice::File(file) => file.clone(),
        StateChoice::Default => {
            let file = default_path(from, to).ok_or(StateError::NoHome)?;
            create_parent(&file).map_err(|error| StateError::CreateDirectory(file.clone(), error))?;
            file
        }
    };
    check(&file).and_then(|()| SqliteStore::open(file)).map(Some).map_err(StateError::Open)
}

/// Refuses what the store would refuse only after it has made its lock file, which may be in TO.
fn check(file: &Path) -> Result<(), StoreError> {
    let (about, path) = (file.symlink_metadata(), file.to_owned());
    match about.map(|about| about.file_type()) {
        Ok(kind) if kind.is_symlink() => Err(StoreError::Symlink { path }),
        Ok(kind) if !kind.is_file() => Err(StoreError::NotAFile { path }),
        _ => Ok(()),
    }
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoHome => f.write_str("there is no directory for the state: HOME is not set"),
            Self::CreateDirectory(file, error) => {
                write!(f, "cannot create the directory of the state file {}: {error}", EscapedPath(file))
            }
            Self::Open(error) => write!(f, "cannot use the state: {}", problem(error)),
        }
    }
}

/// Describes an error of the store. Where the store advises another file, without the name of the option, leaves out the advice.
fn problem(error: &StoreError) -> String {
    match error {
        StoreError::InUse { path, by } => {
            format!("the store {} is in use by {}; stop that program", EscapedPath(path), Escaped(by))
        }
        StoreError::NotAStore { path } => format!("{} is the database of another program", EscapedPath(path)),
        StoreError::Missing { path } => format!("the store {} does not exist", EscapedPath(path)),
        StoreError::Symlink { path } => {
            format!("{} is a symbolic link, which another user may redirect", EscapedPath(path))
        }
        StoreError::Owner { path, owner } => {
            format!("{} belongs to user {owner}, who could change it", EscapedPath(path))
        }
        StoreError::NotAFile { path } => format!("{} is not a regular file", EscapedPath(path)),
        StoreError::Access { path, reason } => {
            format!("no access to {}: {}; allow access", EscapedPath(path), Escaped(reason))
        }
        error => Escaped(&error.to_string()).to_string(),
    }
}

impl std::error::Error for StateError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_with_the_words_of_an_advice_is_shown_in_full() {
        let path = PathBuf::from("/a; choose b, or choose c");
        let text = StateError::Open(StoreError::Unreadable { path, reason: "none".into() }).to_string();
        assert!(text.contains("/a; choose b, or choose c") && text.contains("update the program"), "{text}");
    }

    #[test]
    fn no_other_file_is_advised_twice() {
        let (path, by, reason) = (PathBuf::from("/state"), "program".to_owned(), "none".to_owned());
        for error in [
            StoreError::InUse { path: path.clone(), by },
            StoreError::NotAStore { path: path.clone() },
            StoreError::Missing { path: path.clone() },
            StoreError::Symlink { path: path.clone() },
            StoreError::Owner { path: path.clone(), owner: 1 },
            StoreError::NotAFile { path: path.clone() },
            StoreError::Access { path: path.clone(), reason },
        ] {
            let text = StateError::Open(error).to_string();
            assert_eq!((text.matches("choose ").count(), text.matches("/state").count()), (0, 1), "{text}");
        }
    }
}
