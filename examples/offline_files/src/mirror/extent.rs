//! The division of two trees into items.

use std::ffi::OsString;
use std::io;

use super::directory::Directory;

/// The part of the two trees that belongs to an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// One directory directly in FROM.
    Directory(OsString),
    /// All other names at the top level of either side.
    TopLevel,
}

/// Returns the names of the directories directly in `from`. An entry without metadata, such as a dead mount, is left to the top
/// level, which reports it.
pub(crate) fn directories_of(from: &Directory) -> io::Result<Vec<OsString>> {
    let mut directories = Vec::new();
    for name in from.names()? {
        if matches!(from.entry(&name), Ok(Some(entry)) if entry.is_directory()) {
            directories.push(name);
        }
    }
    Ok(directories)
}
