//! Permissions in TO whose originals cannot be read: a copy gives no one more access than its original.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::Mode;

use super::attributes::Attributes;
use super::entry::{Entry, Kind};
use super::file_system::FileSystem;
use super::lineage::Lineage;
use super::pair::Pair;
use super::visit::Pending;

/// A directory of FROM that cannot be read.
#[derive(Debug)]
pub(crate) struct Unreadable {
    pub(super) path: Arc<Path>,
    from: Entry,
    /// The file system of the directory in TO that contains it.
    file_system: Arc<FileSystem>,
    /// The directories above it, and itself.
    lineage: Lineage,
}

/// Takes the permissions from the file `name` in TO that the one in FROM does not give. Returns `true` if it had any.
pub(super) fn narrow_file(pair: &Pair, name: &OsStr) -> io::Result<bool> {
    let is_file = |entry: &Entry| entry.kind == Kind::File;
    let [from, to] = [pair.from.entry(name)?.filter(is_file), pair.to.entry(name)?.filter(is_file)];
    let Some((from, to)) = from.zip(to) else { return Ok(false) };
    // Another name of the file in TO, as in a snapshot, keeps its permissions.
    if to.names > 1 {
        return Ok(false);
    }
    let attributes = Attributes::of_name(&pair.from, name, &from, pair.file_system.kept)?;
    let all = Mode::RWXU | Mode::RWXG | Mode::RWXO;
    attributes.narrow_within(pair.to.open_file(name)?, all, &pair.file_system.sample)
}

impl Unreadable {
    pub(super) fn of(directory: &Pending) -> Self {
        let Pending { path, from, file_system, lineage, .. } = directory;
        let lineage = lineage.with(from, None);
        Self { path: path.clone(), from: *from, file_system: file_system.clone(), lineage }
    }

    /// Takes the permissions from the group and others of the directory in TO that the one in FROM does not give. Its owner keeps
    /// them for the mirror. Returns `true` if it had any.
    pub(super) fn narrow(&self, root: &Pair) -> io::Result<bool> {
        let (Some(parent), Some(name)) = (self.path.parent(), self.path.file_name()) else { return Ok(false) };
        let to = root.to.descend(&self.path)?;
        // It may be mounted there.
        if self.lineage.has_source(&to.about()?) {
            return Ok(false);
        }
        let attributes = Attributes::of_name(&root.from.descend(parent)?, name, &self.from, self.file_system.kept)?;
        attributes.narrow(to, &self.file_system.sample)
    }
}
