//! One directory seen from both sides.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::sync::Arc;

use super::directory::{Directory, Pair};
use super::entry::Entry;
use super::memory::Origin;
use super::monitor::{Doing, Failure, FileError, Monitor, tolerate};
use super::plan::PlannedDirectory;

/// A directory being compared.
pub(super) struct Visit {
    pub(super) path: Arc<Path>,
    from: Directory,
    /// Missing when TO does not have it yet.
    to: Option<Directory>,
    /// What the directory in TO was before anything else of it was read.
    pub(super) stamp: Option<Entry>,
    /// Whether the directory in TO will change, and with it its modification time.
    pub(super) touched: bool,
    /// Whether something in it could not be dealt with.
    pub(super) failed: bool,
    /// Entries that only TO has and keeps.
    pub(super) surplus: u64,
}

/// What a name stands for in TO.
pub(super) struct Found<'a> {
    pub(super) name: &'a OsStr,
    pub(super) to: Option<Entry>,
}

impl Visit {
    /// The top of both trees.
    pub(super) fn top(root: &Pair) -> Self {
        Self::of(Path::new("").into(), root.from.clone(), Some(root.to.clone()))
    }

    /// Opens a directory that FROM has, and TO perhaps.
    pub(super) fn open(root: &Pair, directory: &PlannedDirectory) -> Result<Self, FileError> {
        let path: Arc<Path> = directory.path.as_path().into();
        let from = root.from.descend(&path).doing("cannot open in FROM", &path)?;
        let to = directory.exists().then(|| root.to.descend(&path).doing("cannot open in TO", &path)).transpose()?;
        Ok(Self::of(path, from, to))
    }

    fn of(path: Arc<Path>, from: Directory, to: Option<Directory>) -> Self {
        let stamp = to.as_ref().and_then(|to| to.about().ok());
        Self { path, from, to, stamp, touched: false, failed: false, surplus: 0 }
    }

    pub(super) fn is_top(&self) -> bool {
        self.path.as_os_str().is_empty()
    }

    /// Whether nothing is to be done in it.
    pub(super) fn is_settled(&self) -> bool {
        !self.touched && !self.failed
    }

    /// All there is in FROM.
    pub(super) fn origin(&self, monitor: &dyn Monitor) -> Result<Origin, Failure> {
        let mut origin = Origin::new();
        for name in self.from.names().doing("cannot list in FROM", &self.path)? {
            monitor.moved(0)?;
            match tolerate(monitor, self.find_from(&name))? {
                Some(None) => {}
                found => drop(origin.insert(name, found.flatten())),
            }
        }
        Ok(origin)
    }

    /// The names on either side, sorted.
    pub(super) fn names(&self, origin: &Origin) -> Result<BTreeSet<OsString>, FileError> {
        let mut names: BTreeSet<_> = origin.keys().cloned().collect();
        if let Some(to) = &self.to {
            names.extend(to.names().doing("cannot list in TO", &self.path)?);
        }
        Ok(names)
    }

    /// Looks up a name in FROM.
    pub(super) fn find_from(&self, name: &OsStr) -> Result<Option<Entry>, FileError> {
        let failed = |cause| FileError { path: self.path.join(name), action: "cannot look at in FROM", cause };
        self.from.entry(name).map_err(failed)
    }

    /// Looks up a name in TO.
    pub(super) fn find<'a>(&self, name: &'a OsStr) -> Result<Found<'a>, FileError> {
        let failed = |cause| FileError { path: self.path.join(name), action: "cannot look at in TO", cause };
        let to = self.to.as_ref().map(|to| to.entry(name)).transpose().map_err(failed)?;
        Ok(Found { name, to: to.flatten() })
    }

    /// Whether the links on both sides point to the same place.
    pub(super) fn same_target(&self, name: &OsStr) -> Result<bool, FileError> {
        let Some(to) = &self.to else { return Ok(false) };
        let path = self.path.join(name);
        let from = self.from.link_target(name).doing("cannot read the link in FROM", &path)?;
        Ok(from == to.link_target(name).doing("cannot read the link in TO", &path)?)
    }
}
