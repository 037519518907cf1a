//! The temporary entries of killed runs.

use std::path::{Path, PathBuf};

use super::disks::Disks;
use super::entry::Found;
use super::side::{Both, Side};
use super::tree::Tree;
use crate::mirror::{Directory, Failure, FileContext, FileError, Leftover, Monitor, Named, give_back, recover};

/// What a scan found.
pub(super) struct Leftovers<'a> {
    pub(super) disks: &'a Disks,
    pub(super) found: &'a Both<Tree<Found>>,
    pub(super) paths: &'a Both<Vec<PathBuf>>,
}

impl Leftovers<'_> {
    /// Removes the temporary files of killed runs, completes the updates that these have begun, and gives edits of other programs that
    /// they were about to check their names back. Both roots are locked, so that no other run has made them. Returns `true` if the scan
    /// is out of date now.
    pub(super) fn remove(&self, monitor: &dyn Monitor) -> Result<bool, Failure> {
        let mut is_outdated = false;
        for side in Side::BOTH {
            for path in &self.paths[side] {
                monitor.advance(0)?;
                // What cannot be opened or removed is left out of every run.
                let Ok(parent) = self.disks.descend(side, path.parent().unwrap_or(Path::new(""))) else { continue };
                is_outdated |= self.remove_one(side, &parent, path)?;
            }
        }
        Ok(is_outdated)
    }

    /// Returns `true` if that has changed what a scan finds.
    fn remove_one(&self, side: Side, parent: &Directory, path: &Path) -> Result<bool, FileError> {
        let name = path.file_name().unwrap_or_default();
        if give_back(parent, name).file_context("cannot get its name back", side.into(), path)? {
            return Ok(true);
        }
        let recovered = recover(parent, name, |inode| self.with_inode(side, inode));
        let recovered = recovered.file_context("cannot complete an update of a file beside it", side.into(), path)?;
        Ok(parent.remove(name).is_ok() && recovered == Leftover::Journal)
    }

    /// The entries of a side with this inode number.
    fn with_inode(&self, side: Side, inode: u64) -> Vec<Named> {
        let tree = &self.found[side];
        let ids = tree.below(Tree::<Found>::ROOT).filter(|id| tree.entry(*id).version.inode == inode);
        let open = |id| Some((self.disks.descend(side, &tree.path(tree.parent(id))).ok()?, tree.name(id).to_owned()));
        ids.filter_map(open).collect()
    }
}
