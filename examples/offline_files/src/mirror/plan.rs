//! What it takes to make one item in TO equal to FROM.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::entry::{Entry, Kind};
use super::memory::Memory;

/// Entries of one batch, at most, and bytes after which a batch is full.
const BATCH_ENTRIES: usize = 256;
const BATCH_BYTES: u64 = 8 * 1024 * 1024;

/// All that has to be done for one item, in an order that only depends on the two trees.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// Directories to make, or whose bits and time must be set at the end; parents before their children.
    pub(crate) directories: Vec<PlannedDirectory>,
    /// Files and links to bring up to date.
    pub(crate) changes: Vec<Change>,
    /// What only TO has.
    pub(crate) deletions: Vec<Deletion>,
    /// Temporary files of a run that was killed.
    pub(crate) leftovers: Vec<PathBuf>,
    /// Entries that are equal on both sides.
    pub(crate) unchanged: u64,
    /// Entries the item has in TO.
    pub(crate) existing: u64,
    /// Entries the item has in FROM.
    pub(crate) entries: u64,
    /// Entries TO lacks.
    pub(crate) creates: u64,
    /// Entries that TO has otherwise.
    pub(crate) updates: u64,
    /// The directories in which nothing is to be done.
    pub(crate) settled: Memory,
}

/// A directory to make or to settle.
#[derive(Debug)]
pub(crate) struct PlannedDirectory {
    pub(crate) path: PathBuf,
    pub(crate) from: Entry,
    /// What TO has in its place; a file or link gives way.
    pub(crate) to: Option<Entry>,
}

/// A file or link to bring up to date.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) directory: Arc<Path>,
    pub(crate) name: OsString,
    pub(crate) action: Action,
    /// Bytes to write, as far as the scan could tell.
    pub(crate) size: u64,
    /// Entries of a directory in TO that has to go first, itself included; zero when there is none.
    pub(crate) displaced: u64,
}

/// How a change is made.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Action {
    CopyFile,
    MakeLink(Entry),
    SetPermissions(Entry),
}

/// An entry of TO to remove, with all that is in it.
#[derive(Debug)]
pub(crate) struct Deletion {
    pub(crate) path: PathBuf,
    /// Entries to remove, itself included.
    pub(crate) entries: u64,
}

impl Plan {
    /// Entries of TO that will be deleted.
    pub(crate) fn deletes(&self) -> u64 {
        let displaced = self.changes.iter().map(|change| change.displaced);
        self.deletions.iter().map(|deletion| deletion.entries).chain(displaced).sum()
    }

    /// Whether TO is as it should be.
    pub(crate) fn is_empty(&self) -> bool {
        let Self { directories, changes, deletions, leftovers, .. } = self;
        directories.is_empty() && changes.is_empty() && deletions.is_empty() && leftovers.is_empty()
    }

    /// Drops every deletion, and every change that would need one.
    pub(crate) fn delete_nothing(&mut self) {
        self.deletions.clear();
        self.changes.retain(|change| change.displaced == 0);
    }

    /// Leaves TO as it is.
    pub(crate) fn do_nothing(&mut self) {
        let Self { unchanged, existing, entries, .. } = *self;
        let settled = std::mem::take(&mut self.settled);
        *self = Self { unchanged, existing, entries, settled, ..Self::default() };
    }

    /// Bytes to write.
    pub(crate) fn bytes(&self) -> u64 {
        self.changes.iter().map(|change| change.size).sum()
    }

    /// Takes the changes out, in batches that are each worth a blocking call.
    pub(crate) fn take_batches(&mut self) -> Vec<Vec<Change>> {
        let mut batches: Vec<Vec<Change>> = Vec::new();
        let mut bytes = u64::MAX;
        for change in std::mem::take(&mut self.changes) {
            match batches.last_mut() {
                Some(batch) if bytes < BATCH_BYTES && batch.len() < BATCH_ENTRIES => {
                    bytes += change.size;
                    batch.push(change);
                }
                _ => {
                    bytes = change.size;
                    batches.push(vec![change]);
                }
            }
        }
        batches
    }
}

impl PlannedDirectory {
    /// Whether TO has it already, as a directory.
    pub(crate) fn exists(&self) -> bool {
        self.to.is_some_and(|to| to.kind == Kind::Directory)
    }

    /// Whether TO has it already, with the bits and the time of FROM.
    pub(crate) fn is_settled(&self) -> bool {
        self.to.is_some_and(|to| {
            to.kind == Kind::Directory && to.modified == self.from.modified && to.has_permissions_of(&self.from)
        })
    }
}

impl Change {
    /// Where it is, below FROM and below TO.
    pub(crate) fn path(&self) -> PathBuf {
        self.directory.join(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(size: u64, displaced: u64) -> Change {
        Change { directory: Path::new("").into(), name: "x".into(), action: Action::CopyFile, size, displaced }
    }

    fn deleting(entries: u64, existing: u64) -> Plan {
        Plan { deletions: vec![Deletion { path: "x".into(), entries }], existing, ..Plan::default() }
    }

    #[test]
    fn a_directory_that_gives_way_counts_as_deleted() {
        let plan = Plan { changes: vec![change(1, 11)], existing: 12, ..Plan::default() };
        assert_eq!(plan.deletes(), 11);
        assert!(!plan.is_empty() && Plan::default().is_empty());
    }

    #[test]
    fn deleting_nothing_drops_what_needs_a_deletion() {
        let mut plan = deleting(3, 9);
        plan.changes = vec![change(1, 0), change(1, 2)];
        plan.delete_nothing();
        assert!(plan.deletions.is_empty());
        assert_eq!(plan.changes.len(), 1);
    }

    #[test]
    fn a_batch_ends_at_its_number_of_entries_or_its_bytes() {
        let sizes = |changes: Vec<Change>| {
            let mut plan = Plan { changes, ..Plan::default() };
            plan.take_batches().iter().map(Vec::len).collect::<Vec<_>>()
        };
        assert_eq!(sizes((0..600).map(|_| change(1, 0)).collect()), [256, 256, 88]);
        assert_eq!(sizes((0..5).map(|_| change(5 * 1024 * 1024, 0)).collect()), [2, 2, 1]);
        assert_eq!(sizes(Vec::new()), [0; 0]);
    }
}
