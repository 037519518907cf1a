//! The division of two trees into items.

use std::ffi::OsString;
use std::io;

use super::directory::Directory;
use super::entry::Kind;

/// The part of the two trees that belongs to an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// One directory directly in FROM.
    Directory(OsString),
    /// All other names at the top level of either side.
    TopLevel,
}

/// Returns the names of the directories directly in `from`.
pub(crate) fn directories_of(from: &Directory) -> io::Result<Vec<OsString>> {
    let mut directories = Vec::new();
    for name in from.names()? {
        if from.entry(&name)?.is_some_and(|entry| entry.kind == Kind::Directory) {
            directories.push(name);
        }
    }
    Ok(directories)
}
