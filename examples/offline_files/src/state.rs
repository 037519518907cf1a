//! The state file, which stores records between runs.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use syncmgr::store::{SqliteStore, StoreError};
use syncmgr::text::Escaped;

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

/// An error that prevents the use of the state. The state and TO are unchanged, except for the lock file of a state that can be judged
/// only by its contents.
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
pub(crate) fn open(choice: &StateChoice, from: &Path, to: &Path) -> Result<Option<SqliteStore>, StateError> {
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
            Self::Open(error) => write!(f, "cannot use the state: {}", Escaped(&without_choice(&error.to_string()))),
        }?;
        f.write_str("; choose a file with --state FILE, or use --no-state")
    }
}

/// The text of an error without the advice to choose another file, which the store can give only without the name of the option.
fn without_choice(text: &str) -> String {
    if let Some((text, _)) = text.rsplit_once("; choose ") {
        return text.into();
    }
    text.rsplit_once(", or choose ").map_or_else(|| text.into(), |(text, _)| text.into())
}

impl std::error::Error for StateError {}
