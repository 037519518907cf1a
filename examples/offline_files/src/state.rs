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

/// An error that prevents the use of the state. The state and TO are unchanged.
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
    SqliteStore::open(file).map(Some).map_err(StateError::Open)
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoHome => f.write_str("there is no directory for the state: HOME is not set"),
            Self::CreateDirectory(file, error) => {
                write!(f, "cannot create the directory of the state file {}: {error}", EscapedPath(file))
            }
            Self::Open(error) => {
                // The store can only advise to choose another file.
                let text =
                    error.to_string().replace(", or choose another file", "").replace("; choose another file", "");
                write!(f, "cannot use the state: {}", Escaped(&text))
            }
        }?;
        f.write_str("; choose a file with --state FILE, or use --no-state")
    }
}

impl std::error::Error for StateError {}
