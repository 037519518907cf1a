//! One directory seen from both sides.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::sync::Arc;

use super::directory::{Directory, Pair};
use super::entry::Entry;
use super::monitor::{Doing, FileError};
use super::plan::PlannedDirectory;

/// A directory being compared.
pub(super) struct Visit {
    pub(super) path: Arc<Path>,
    from: Directory,
    /// Missing when TO does not have it yet.
    to: Option<Directory>,
    /// Whether the directory in TO will change, and with it its modification time.
    pub(super) touched: bool,
}

/// What a name stands for on both sides.
pub(super) struct Found<'a> {
    pub(super) name: &'a OsStr,
    pub(super) from: Option<Entry>,
    pub(super) to: Option<Entry>,
}

impl Visit {
    /// The top of both trees.
    pub(super) fn top(root: &Pair) -> Self {
        Self { path: Path::new("").into(), from: root.from.clone(), to: Some(root.to.clone()), touched: false }
    }

    /// Opens a directory that FROM has, and TO perhaps.
    pub(super) fn open(root: &Pair, directory: &PlannedDirectory) -> Result<Self, FileError> {
        let path: Arc<Path> = directory.path.as_path().into();
        let from = root.from.descend(&path).doing("cannot open in FROM", &path)?;
        let to = directory.exists().then(|| root.to.descend(&path).doing("cannot open in TO", &path)).transpose()?;
        Ok(Self { path, from, to, touched: false })
    }

    pub(super) fn is_top(&self) -> bool {
        self.path.as_os_str().is_empty()
    }

    /// The names on either side, sorted.
    pub(super) fn names(&self) -> Result<Vec<OsString>, FileError> {
        let mut names = self.from.names().doing("cannot list in FROM", &self.path)?;
        if let Some(to) = &self.to {
            names.extend(to.names().doing("cannot list in TO", &self.path)?);
            names.sort();
            names.dedup();
        }
        Ok(names)
    }

    /// Looks up a name on both sides.
    pub(super) fn find<'a>(&self, name: &'a OsStr) -> Result<Found<'a>, FileError> {
        let failed = |action| move |cause| FileError { path: self.path.join(name), action, cause };
        let from = self.from.entry(name).map_err(failed("cannot look at in FROM"))?;
        let to = self.to.as_ref().map(|to| to.entry(name)).transpose().map_err(failed("cannot look at in TO"))?;
        Ok(Found { name, from, to: to.flatten() })
    }

    /// Whether the links on both sides point to the same place.
    pub(super) fn same_target(&self, name: &OsStr) -> Result<bool, FileError> {
        let Some(to) = &self.to else { return Ok(false) };
        let path = self.path.join(name);
        let from = self.from.link_target(name).doing("cannot read the link in FROM", &path)?;
        Ok(from == to.link_target(name).doing("cannot read the link in TO", &path)?)
    }
}
