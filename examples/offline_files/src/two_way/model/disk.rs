//! A side in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::two_way::entry::{Found, Kind, Time, Version};
use crate::two_way::tree::{Id, Tree};

/// The number of the root of any tree.
pub(super) const ROOT: Id = 0;

/// An entry of a disk in memory.
#[derive(Clone, Debug, Default)]
pub(super) struct Entry {
    pub(super) version: Version,
    pub(super) contents: String,
}

/// A side in memory.
#[derive(Clone, Debug)]
pub(super) struct Disk {
    pub(super) tree: Tree<Entry>,
    inodes: u64,
    clock: i64,
    /// The part of a second of all its times. Zero on a side that stores whole seconds.
    pub(super) nanos: u32,
}

impl Disk {
    pub(super) fn new(nanos: u32) -> Self {
        let root = Entry {
            version: Version { inode: u64::from(nanos) * 1000, mode: 0o755, ..Version::default() },
            ..Entry::default()
        };
        Self { tree: Tree::new(root), inodes: u64::from(nanos) * 1000, clock: 0, nanos }
    }

    fn now(&mut self) -> Time {
        self.clock += 1;
        // No two modifications have the same time, on either side.
        Time { seconds: self.clock, nanos: self.nanos }
    }

    pub(super) fn add(&mut self, parent: Id, name: OsString, kind: Kind, contents: &str) -> Id {
        self.inodes += 1;
        let (now, size) = (self.now(), contents.len() as u64);
        let mode = if kind == Kind::Directory { 0o755 } else { 0o644 };
        let version = Version { kind, inode: self.inodes, size, modified: now, changed: now, mode, is_mount: false };
        self.tree.add(parent, name, Entry { version, contents: contents.into() })
    }

    pub(super) fn write(&mut self, id: Id, contents: &str) {
        let now = self.now();
        let entry = self.tree.entry_mut(id);
        (entry.contents, entry.version.size) = (contents.into(), contents.len() as u64);
        (entry.version.modified, entry.version.changed) = (now, now);
    }

    pub(super) fn chmod(&mut self, id: Id, mode: u16) {
        let now = self.now();
        let version = &mut self.tree.entry_mut(id).version;
        if version.mode != mode {
            (version.mode, version.changed) = (mode, now);
        }
    }

    /// Gives a file a new time of change.
    pub(super) fn touch(&mut self, id: Id) {
        self.tree.entry_mut(id).version.changed.nanos += 1;
    }

    /// Moves an entry to a free name.
    pub(super) fn relocate(&mut self, id: Id, parent: Id, name: OsString) {
        let now = self.now();
        self.tree.relocate(id, parent, name);
        self.tree.entry_mut(id).version.changed = now;
    }

    pub(super) fn exchange(&mut self, one: Id, other: Id) {
        let now = self.now();
        self.tree.exchange(one, other);
        [one, other].iter().for_each(|id| self.tree.entry_mut(*id).version.changed = now);
    }

    /// The directory and name of a path that has no entry.
    pub(super) fn free_place(&self, path: &Path) -> (Id, OsString) {
        assert!(self.tree.find(path).is_none(), "{} is occupied", path.display());
        let parent = self.tree.find(path.parent().unwrap()).expect("the directory of a new name exists");
        (parent, path.file_name().unwrap().to_owned())
    }

    pub(super) fn is_directory(&self, id: Id) -> bool {
        self.tree.entry(id).version.is_directory()
    }

    pub(super) fn scan(&self) -> Tree<Found> {
        let mut tree = Tree::new(Found::new(self.tree.entry(ROOT).version));
        let mut pending = vec![(ROOT, ROOT)];
        while let Some((from, to)) = pending.pop() {
            for child in self.tree.children(from) {
                let id = tree.add(to, self.tree.name(*child), Found::new(self.tree.entry(*child).version));
                pending.push((*child, id));
            }
        }
        tree
    }

    /// Everything by path: the kind, the permissions and the contents.
    pub(super) fn snapshot(&self) -> BTreeMap<PathBuf, (String, u16)> {
        let describe = |id: Id| {
            let Entry { version, contents } = self.tree.entry(id);
            (self.tree.path(id), (format!("{:?} {contents}", version.kind), version.mode))
        };
        self.tree.below(ROOT).map(describe).collect()
    }

    /// The contents that only one entry has.
    pub(super) fn unique_contents(&self) -> BTreeSet<String> {
        let all: Vec<_> = self.tree.below(ROOT).map(|id| &self.tree.entry(id).contents).collect();
        self.contents().into_iter().filter(|one| all.iter().filter(|other| **other == one).count() == 1).collect()
    }

    /// The contents of files and links.
    pub(super) fn contents(&self) -> BTreeSet<String> {
        let of = |id: Id| Some(self.tree.entry(id).contents.clone()).filter(|contents| !contents.is_empty());
        self.tree.below(ROOT).filter_map(of).collect()
    }
}
