//! The division of two trees into items.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;

use super::directory::Directory;
use super::own_files::OwnFiles;

/// The part of the two trees that belongs to an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// One directory directly in FROM.
    Directory(OsString),
    /// All other names at the top level of either side.
    TopLevel,
}

/// Returns the names of the directories directly in FROM, without `own_files`. TO may not exist yet. An entry without metadata, such
/// as a dead mount, is left to the top level, which reports it.
pub(crate) fn directories_of(
    from: &Directory,
    to: Option<&Directory>,
    own_files: &OwnFiles,
) -> io::Result<Vec<OsString>> {
    let to = to.map(Directory::about).transpose()?;
    let hidden = own_files.names_in(Path::new(""), &from.about()?, to.as_ref());
    let hidden: Vec<_> = hidden.iter().map(OsString::as_os_str).collect();
    let names = from.list(&hidden)?;
    let is_directory = |name: &&OsStr| matches!(from.entry(name), Ok(Some(entry)) if entry.is_directory());
    Ok(names.names().filter(is_directory).map(OsStr::to_owned).collect())
}
