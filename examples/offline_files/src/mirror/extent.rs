//! How two trees are divided into items.

use std::ffi::OsString;
use std::io;

use super::directory::Directory;
use super::entry::Kind;

/// The part of the two trees that an item owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// One directory directly below FROM.
    Directory(OsString),
    /// Every other name at the top of either side.
    TopLevel,
}

/// The names of the directories directly below `from`.
pub(crate) fn directories_of(from: &Directory) -> io::Result<Vec<OsString>> {
    let mut directories = Vec::new();
    for name in from.names()? {
        if from.entry(&name)?.is_some_and(|entry| entry.kind == Kind::Directory) {
            directories.push(name);
        }
    }
    Ok(directories)
}
