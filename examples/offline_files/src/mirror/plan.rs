//! The changes that make one item in TO equal to FROM.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::attributes::Attributes;
use super::entry::{Entry, Kind};
use super::scan_cache::ScanCache;

/// The maximum number of entries in a batch.
const BATCH_ENTRIES: usize = 256;
/// The number of bytes at which a batch is full.
const BATCH_BYTES: u64 = 8 * 1024 * 1024;

/// All changes for one item, in an order that depends only on the two trees.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// Directories to create, or whose permissions and time are set at the end; parents before their children.
    pub(crate) directories: Vec<PlannedDirectory>,
    /// Files and links to update.
    pub(crate) changes: Vec<Change>,
    /// Entries that only TO has.
    pub(crate) deletions: Vec<Deletion>,
    /// Temporary files of a killed run.
    pub(crate) leftovers: Vec<PathBuf>,
    /// Entries to rename before everything else.
    pub(crate) respellings: Vec<Respelling>,
    /// The number of entries that are equal on both sides.
    pub(crate) unchanged: u64,
    /// The number of entries of the item in TO.
    pub(crate) existing: u64,
    /// The number of entries of the item in FROM.
    pub(crate) entries: u64,
    /// The number of these that are not directories.
    pub(crate) files: u64,
    /// The number of entries to create in TO.
    pub(crate) creates: u64,
    /// The number of entries to update in TO.
    pub(crate) updates: u64,
    /// The directories that need no change.
    pub(crate) in_sync: ScanCache,
    /// The start of the scan.
    pub(crate) began: Option<SystemTime>,
}

/// A directory to create or to finalize.
#[derive(Debug)]
pub(crate) struct PlannedDirectory {
    pub(crate) path: PathBuf,
    pub(crate) from: Entry,
    /// The entry of this name in TO, if any. A file or link is replaced.
    pub(crate) to: Option<Entry>,
    /// The attributes of the copy; `None` before the directory is scanned.
    pub(crate) attributes: Option<Attributes>,
}

/// A file or link to update.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) directory: Arc<Path>,
    pub(crate) name: OsString,
    pub(crate) action: Action,
    /// The bytes to write, as of the scan.
    pub(crate) size: u64,
    pub(crate) occupant: Occupant,
}

/// The entry that had the name of a change in TO at the time of the scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Occupant {
    /// The name was free.
    None,
    /// A file, link or special file.
    Entry,
    /// A directory. It and everything in it is this number of entries.
    Directory(u64),
}

/// An entry in TO whose name differs from the one in FROM only in its spelling.
#[derive(Debug)]
pub(crate) struct Respelling {
    pub(crate) directory: Arc<Path>,
    pub(crate) from: OsString,
    pub(crate) to: OsString,
}

/// The action of a change.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    CopyFile,
    MakeLink(Entry),
    SetAttributes(Attributes),
    /// Gives the file at this path in TO another name.
    LinkTo(PathBuf),
}

/// An entry in TO to remove recursively.
#[derive(Debug)]
pub(crate) struct Deletion {
    pub(crate) path: PathBuf,
    /// The number of entries to remove, including this one.
    pub(crate) entries: u64,
}

impl Plan {
    /// The number of entries in TO to delete.
    pub(crate) fn deletes(&self) -> u64 {
        self.extra() + self.changes.iter().map(|change| change.occupant.displaced()).sum::<u64>()
    }

    /// The number of these whose names FROM does not have.
    pub(crate) fn extra(&self) -> u64 {
        self.deletions.iter().map(|deletion| deletion.entries).sum()
    }

    /// Returns `true` if TO needs no change.
    pub(crate) fn is_empty(&self) -> bool {
        let Self { directories, changes, deletions, leftovers, respellings, .. } = self;
        directories.is_empty()
            && changes.is_empty()
            && deletions.is_empty()
            && leftovers.is_empty()
            && respellings.is_empty()
    }

    /// Removes every deletion from the plan, and every change that requires one.
    pub(crate) fn discard_deletions(&mut self) {
        self.deletions.clear();
        self.changes.retain(|change| change.occupant.displaced() == 0);
    }

    /// The number of bytes to write.
    pub(crate) fn bytes(&self) -> u64 {
        self.changes.iter().map(|change| change.size).sum()
    }

    /// Removes the changes from the plan, and returns them in batches that are large enough for one blocking call each. New names
    /// of files stay in the plan, because they follow the copies of these files.
    pub(crate) fn take_batches(&mut self) -> Vec<Vec<Change>> {
        let mut batches: Vec<Vec<Change>> = Vec::new();
        let mut bytes = u64::MAX;
        let is_link = |change: &Change| matches!(change.action, Action::LinkTo(_));
        let (links, changes) = std::mem::take(&mut self.changes).into_iter().partition(is_link);
        self.changes = links;
        for change in changes {
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
    /// Returns `true` if TO has this directory.
    pub(crate) fn exists(&self) -> bool {
        self.to.is_some_and(|to| to.kind == Kind::Directory)
    }
}

impl Occupant {
    /// The number of entries that a replacement removes in addition to the replaced one.
    fn displaced(self) -> u64 {
        if let Self::Directory(entries) = self { entries } else { 0 }
    }
}

impl Change {
    /// The path relative to FROM and TO.
    pub(crate) fn path(&self) -> PathBuf {
        self.directory.join(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(size: u64, displaced: u64) -> Change {
        let occupant = Occupant::Directory(displaced);
        Change { directory: Path::new("").into(), name: "x".into(), action: Action::CopyFile, size, occupant }
    }

    fn plan_with_deletion(entries: u64, existing: u64) -> Plan {
        Plan { deletions: vec![Deletion { path: "x".into(), entries }], existing, ..Plan::default() }
    }

    #[test]
    fn a_replaced_directory_counts_as_deleted() {
        let plan = Plan { changes: vec![change(1, 11)], existing: 12, ..Plan::default() };
        assert_eq!(plan.deletes(), 11);
        assert!(!plan.is_empty() && Plan::default().is_empty());
    }

    #[test]
    fn discard_deletions_removes_changes_that_require_a_deletion() {
        let mut plan = plan_with_deletion(3, 9);
        plan.changes = vec![change(1, 0), change(1, 2)];
        plan.discard_deletions();
        assert!(plan.deletions.is_empty());
        assert_eq!(plan.changes.len(), 1);
    }

    #[test]
    fn a_batch_is_limited_by_entries_and_bytes() {
        let sizes = |changes: Vec<Change>| {
            let mut plan = Plan { changes, ..Plan::default() };
            plan.take_batches().iter().map(Vec::len).collect::<Vec<_>>()
        };
        assert_eq!(sizes((0..600).map(|_| change(1, 0)).collect()), [256, 256, 88]);
        assert_eq!(sizes((0..5).map(|_| change(5 * 1024 * 1024, 0)).collect()), [2, 2, 1]);
        assert_eq!(sizes(Vec::new()), [0; 0]);
    }
}
