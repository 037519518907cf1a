//! The changes that make one item in TO equal to FROM.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::SystemTime;

use super::attributes::Attributes;
use super::entry::{Entry, Kind};
use super::file_system::FileSystem;
use super::listing::{Checksum, Listing};
use super::narrow::Unreadable;
use super::scan_cache::{Place, ScanCache, SourceDigest};

/// All changes for one item, in an order that depends only on the two trees.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// The directories that change, parents before their children.
    pub(crate) directories: Vec<PlannedDirectory>,
    /// Entries that only TO has.
    pub(crate) deletions: Vec<Deletion>,
    /// Temporary files of a killed run.
    pub(crate) leftovers: Vec<PathBuf>,
    /// Directories whose copies get no other change.
    pub(super) unreadable: Vec<Unreadable>,
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
    /// `true` if an entry of FROM could not be compared.
    pub(super) has_failed: bool,
    /// `true` if entries are deleted even if others failed.
    pub(crate) deletes_after_errors: bool,
}

/// A directory to create or to change.
#[derive(Debug)]
pub(crate) struct PlannedDirectory {
    pub(crate) path: Arc<Path>,
    pub(crate) from: Entry,
    /// The entry of this name in TO, if any. A file or link is replaced.
    pub(crate) to: Option<Entry>,
    /// The file system of the directory in TO.
    pub(super) file_system: Arc<FileSystem>,
    /// The attributes of the copy; `None` for the top level, which keeps its own.
    pub(crate) attributes: Option<Attributes>,
    /// `true` if TO has the directory with other attributes.
    pub(crate) is_adjusted: bool,
    /// The names in FROM.
    pub(crate) names: Listing,
    /// The files and links to update, by their names.
    pub(crate) changes: Vec<Change>,
    pub(super) outcome: Expected,
}

/// The state of a directory after the plan is carried out, from which the next run may know that it is in sync.
#[derive(Debug, Default)]
pub(super) struct Expected {
    /// The digest of the entries in FROM.
    pub(super) source: SourceDigest,
    /// `true` if TO has extra entries, which are kept.
    pub(super) has_extra: bool,
    /// Its place, unless a file was not compared.
    pub(super) place: Option<Place>,
    /// The checksum of the entries in TO.
    checksum: AtomicU64,
    /// The number of changes that are left.
    left: AtomicUsize,
}

/// A file or link to update.
#[derive(Debug)]
pub(crate) struct Change {
    /// The index of its name in the directory.
    pub(crate) name: u32,
    /// The inode number of the entry in FROM.
    pub(super) source: u64,
    pub(crate) occupant: Occupant,
    pub(crate) action: Action,
    /// `true` if the change was made with the entry of FROM that was scanned.
    pub(super) is_made: AtomicBool,
    /// `true` if it replaces a file of equal size and time, which only its contents tell from the one in FROM.
    pub(super) is_twin: bool,
}

/// The entry that had the name of a change in TO at the time of the scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Occupant {
    /// The name was free.
    None,
    /// A file, link or special file.
    Entry,
    /// A directory. It and everything in it is this number of entries.
    Directory(u32),
}

/// The action of a change.
#[derive(Debug)]
pub(crate) enum Action {
    /// Copies a file of this size.
    CopyFile(u64),
    MakeLink(Box<Entry>),
    SetAttributes(Box<Attributes>),
    /// Gives the file at this path in TO another name.
    LinkTo(Box<PathBuf>),
}

/// An entry in TO whose name differs from the one in FROM only in its spelling.
#[derive(Debug)]
pub(crate) struct Respelling {
    pub(crate) directory: Arc<Path>,
    pub(crate) from: OsString,
    pub(crate) to: OsString,
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
        self.extra() + self.changes().map(|(_, change)| change.occupant.displaced()).sum::<u64>()
    }

    /// The number of these whose names FROM does not have.
    pub(crate) fn extra(&self) -> u64 {
        self.deletions.iter().map(|deletion| deletion.entries).sum()
    }

    /// Returns `true` if TO needs no change.
    pub(crate) fn is_empty(&self) -> bool {
        let Self { directories, deletions, leftovers, respellings, unreadable, .. } = self;
        unreadable.is_empty()
            && directories.is_empty()
            && deletions.is_empty()
            && leftovers.is_empty()
            && respellings.is_empty()
    }

    /// Removes every deletion from the plan, and every change that requires one.
    pub(crate) fn discard_deletions(&mut self) {
        self.deletions.clear();
        for directory in &mut self.directories {
            directory.changes.retain(|change| change.occupant.displaced() == 0);
            directory.outcome.source = SourceDigest::UNKNOWN;
        }
    }

    /// Removes everything that changes TO from the plan.
    pub(crate) fn discard_changes(&mut self) {
        let Self { unchanged, existing, entries, files, in_sync, began, .. } = std::mem::take(self);
        *self = Self { unchanged, existing, entries, files, in_sync, began, ..Self::default() };
    }

    /// The files and links to update, with their directories.
    pub(crate) fn changes(&self) -> impl Iterator<Item = (&PlannedDirectory, &Change)> {
        self.directories.iter().flat_map(|directory| directory.changes.iter().map(move |change| (directory, change)))
    }

    /// Returns `false` if the file at `path` needs a change that was not made, or not from the file that was scanned.
    pub(super) fn is_current(&self, path: &Path) -> bool {
        self.position(path).is_none_or(|(directory, change)| {
            self.directories[directory].changes[change].is_made.load(Ordering::Relaxed)
        })
    }

    /// Returns `true` if the file at `path` replaces a directory with entries.
    pub(super) fn removes_entries(&self, path: &Path) -> bool {
        self.position(path)
            .is_some_and(|(directory, change)| self.directories[directory].changes[change].removes_entries())
    }

    /// Copies the file at `path`, which has this size, where its attributes were to be set in TO.
    pub(super) fn copy_instead(&mut self, path: &Path, size: u64, replaced_inode: u64) {
        let Some((directory, change)) = self.position(path) else { return };
        let PlannedDirectory { names, changes, outcome, .. } = &mut self.directories[directory];
        let change = &mut changes[change];
        change.action = Action::CopyFile(size);
        outcome.displace(names.name(change.name as usize), replaced_inode);
    }

    /// The indexes of the directory and the change of the file at `path`, if it changes. Requires a sorted plan.
    fn position(&self, path: &Path) -> Option<(usize, usize)> {
        let (parent, name) = (path.parent()?, path.file_name()?);
        let directory = self.directories.binary_search_by(|directory| (*directory.path).cmp(parent)).ok()?;
        Some((directory, self.directories[directory].position(name)?))
    }

    /// The number of bytes to write, as of the scan.
    pub(crate) fn bytes(&self) -> u64 {
        self.changes().map(|(_, change)| change.size()).sum()
    }

    /// Adds the results of another part of the scan.
    pub(super) fn merge(&mut self, other: Self) {
        let Self { directories, deletions, leftovers, unreadable, respellings, .. } = other;
        self.directories.extend(directories);
        self.deletions.extend(deletions);
        self.leftovers.extend(leftovers);
        self.unreadable.extend(unreadable);
        self.respellings.extend(respellings);
        self.unchanged += other.unchanged;
        self.existing += other.existing;
        self.entries += other.entries;
        self.files += other.files;
        self.creates += other.creates;
        self.updates += other.updates;
        self.has_failed |= other.has_failed;
        self.in_sync.merge(other.in_sync);
    }

    /// Puts everything into an order that depends only on the two trees.
    pub(super) fn sort(&mut self) {
        self.directories.sort_unstable_by(|one, other| one.path.cmp(&other.path));
        self.deletions.sort_unstable_by(|one, other| one.path.cmp(&other.path));
        self.leftovers.sort_unstable();
        self.unreadable.sort_unstable_by(|one, other| one.path.cmp(&other.path));
        self.respellings.sort_unstable_by(|one, other| (&one.directory, &one.to).cmp(&(&other.directory, &other.to)));
        self.in_sync.sort();
    }
}

impl PlannedDirectory {
    /// Returns `true` if TO has this directory.
    pub(crate) fn exists(&self) -> bool {
        self.to.is_some_and(|to| to.kind == Kind::Directory)
    }

    pub(crate) fn name_of(&self, change: &Change) -> &OsStr {
        self.names.name(change.name as usize)
    }

    /// Its place, unless TO still has a file of equal size and time in place of one of FROM. Other failed files differ in TO until
    /// they are copied.
    pub(super) fn place(&self) -> Option<Place> {
        let is_stale = |change: &Change| change.is_twin && !change.is_made.load(Ordering::Relaxed);
        self.outcome.place.filter(|_| !self.changes.iter().any(is_stale))
    }

    fn position(&self, name: &OsStr) -> Option<usize> {
        self.changes.binary_search_by(|change| self.name_of(change).cmp(name)).ok()
    }
}

impl Respelling {
    pub(super) fn of(directory: &Arc<Path>, from: &OsStr, to: &OsStr) -> Self {
        Self { directory: directory.clone(), from: from.to_owned(), to: to.to_owned() }
    }
}

impl Expected {
    pub(super) fn new(source: SourceDigest, has_extra: bool, checksum: Checksum, place: Option<Place>) -> Self {
        Self { source, has_extra, place, checksum: checksum.0.into(), left: AtomicUsize::new(0) }
    }

    /// Adds changes that the run will make.
    pub(super) fn expect(&self, changes: usize) {
        self.left.fetch_add(changes, Ordering::Relaxed);
    }

    /// Removes an entry of TO that is replaced.
    fn displace(&self, name: &OsStr, inode: u64) {
        self.checksum.fetch_sub(Checksum::of(name, inode).0, Ordering::Relaxed);
    }

    /// Records a change that has made the entry `name` in TO.
    pub(super) fn made(&self, name: &OsStr, inode: u64) {
        self.checksum.fetch_add(Checksum::of(name, inode).0, Ordering::Relaxed);
        self.kept();
    }

    /// Records a change that has kept the entry in TO.
    pub(super) fn kept(&self) {
        self.left.fetch_sub(1, Ordering::Relaxed);
    }

    /// Returns `true` if all changes were made.
    pub(super) fn is_complete(&self) -> bool {
        self.left.load(Ordering::Relaxed) == 0
    }

    /// Returns `true` if TO has exactly the entries that the scan found or the run has made. A file that another program has
    /// replaced under its old inode number counts as written in place.
    pub(super) fn matches(&self, listed: Checksum) -> bool {
        self.is_complete() && self.checksum.load(Ordering::Relaxed) == listed.0
    }
}

impl Occupant {
    /// The number of entries that a replacement removes in addition to the replaced one.
    fn displaced(self) -> u64 {
        if let Self::Directory(entries) = self { entries.into() } else { 0 }
    }
}

impl Change {
    pub(super) fn new(name: u32, source: u64, occupant: Occupant, action: Action) -> Self {
        Self { name, source, occupant, action, is_made: false.into(), is_twin: false }
    }

    /// This change as a copy of the file that FROM has now.
    pub(super) fn as_copy(&self) -> Self {
        Self::new(self.name, self.source, self.occupant, Action::CopyFile(0))
    }

    /// Returns `true` if it gives a file another name.
    pub(super) fn is_link(&self) -> bool {
        matches!(self.action, Action::LinkTo(_))
    }

    /// Returns `true` if it replaces a directory with entries.
    pub(super) fn removes_entries(&self) -> bool {
        self.occupant.displaced() > 1
    }

    /// The bytes to write, as of the scan.
    pub(crate) fn size(&self) -> u64 {
        if let Action::CopyFile(size) = self.action { size } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::mirror::attributes::Kept;
    use crate::mirror::directory::Directory;
    use crate::mirror::file_systems::FileSystems;
    use crate::mirror::lineage::Lineage;
    use crate::mirror::visit::Pending;

    fn directory(displaced: &[u32]) -> PlannedDirectory {
        let change = |entries: &u32| Change::new(0, 0, Occupant::Directory(*entries), Action::CopyFile(1));
        let from = Entry::from(rustix::fs::stat(".").unwrap());
        let changes = displaced.iter().map(change).collect();
        let (names, outcome) = (Listing::default(), Expected::default());
        let root = Directory::open(Path::new(".")).unwrap();
        let (path, is_adjusted): (Arc<Path>, _) = (Path::new("").into(), false);
        let file_system = FileSystems::new(Kept::default()).get(0, (&root, &path), &root);
        PlannedDirectory { path, from, to: None, file_system, attributes: None, is_adjusted, names, changes, outcome }
    }

    #[test]
    fn a_replaced_directory_counts_as_deleted() {
        let plan = Plan { directories: vec![directory(&[11])], existing: 12, ..Plan::default() };
        assert_eq!((plan.deletes(), plan.bytes()), (11, 1));
        assert!(!plan.is_empty() && Plan::default().is_empty());
    }

    #[test]
    fn discard_deletions_removes_changes_that_require_a_deletion() {
        let deletions = vec![Deletion { path: "x".into(), entries: 3 }];
        let directories = vec![directory(&[0, 2])];
        let mut plan = Plan { deletions, directories, began: Some(UNIX_EPOCH), ..Plan::default() };
        plan.discard_deletions();
        assert!(plan.deletions.is_empty());
        assert_eq!(plan.changes().count(), 1);
    }

    #[test]
    fn merge_keeps_what_failed_in_each_part() {
        let unreadable = |path: &str| {
            let directory = PlannedDirectory { path: Path::new(path).into(), ..directory(&[]) };
            let PlannedDirectory { path, from, to, file_system, .. } = directory;
            let lineage = Lineage::default();
            vec![Unreadable::of(&Pending { path, from, to, is_moved: false, file_system, lineage })]
        };
        let mut plan = Plan { unreadable: unreadable("b"), has_failed: true, ..Plan::default() };
        plan.merge(Plan { unreadable: unreadable("a"), ..Plan::default() });
        plan.sort();
        assert!(plan.has_failed);
        assert!(plan.unreadable.iter().map(|directory| &*directory.path).eq(["a", "b"].map(Path::new)));
    }

    #[test]
    fn a_directory_keeps_its_place_unless_a_file_of_equal_size_and_time_is_left() {
        let mut planned = directory(&[0, 0]);
        planned.outcome.place = Some(7);
        assert_eq!(planned.place(), Some(7));
        planned.changes[1].is_twin = true;
        assert_eq!(planned.place(), None);
        *planned.changes[1].is_made.get_mut() = true;
        assert_eq!(planned.place(), Some(7));
    }
}
