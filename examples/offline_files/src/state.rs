//! The file in which the program remembers, from run to run.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use syncmgr::store::{SqliteStore, StoreError};

use crate::place::{default_place, make_way};
use crate::shown::Shown;

/// Which state is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StateChoice {
    /// None: everything is compared, and nothing kept.
    Nothing,
    /// The one of this pair of directories.
    OfPair,
    /// This one.
    File(PathBuf),
}

/// Why there is no state to be had. Nothing was touched.
#[derive(Debug)]
pub(crate) enum StateError {
    /// The user has no place for such files.
    NoPlace,
    /// The directories that lead to it cannot be made.
    NoWay(PathBuf, io::Error),
    /// The file is in use, damaged, of another program, or not to be had.
    Unusable(StoreError),
}

/// Opens the state for the mirror of `from` in `to`, both without links.
pub(crate) fn open(choice: &StateChoice, from: &Path, to: &Path) -> Result<Option<SqliteStore>, StateError> {
    let file = match choice {
        StateChoice::Nothing => return Ok(None),
        StateChoice::File(file) => file.clone(),
        StateChoice::OfPair => {
            let file = default_place(from, to).ok_or(StateError::NoPlace)?;
            make_way(&file).map_err(|error| StateError::NoWay(file.clone(), error))?;
            file
        }
    };
    SqliteStore::open(file).map(Some).map_err(StateError::Unusable)
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPlace => f.write_str("there is no place for the state, HOME is not set"),
            Self::NoWay(file, error) => write!(f, "the directory of the state {} cannot be made: {error}", Shown(file)),
            Self::Unusable(error) => write!(f, "the state cannot be used: {}", Shown(error.to_string())),
        }?;
        f.write_str("; --state FILE names another place, --no-state does without")
    }
}

impl std::error::Error for StateError {}
