//! One directory on both sides.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::sync::Arc;

use super::attributes::Attributes;
use super::contents;
use super::directory::{Directory, Pair};
use super::entry::Entry;
use super::monitor::{Failure, FileContext, FileError, Monitor, tolerate};
use super::own_files::OwnFiles;
use super::plan::PlannedDirectory;
use super::sample::Sample;
use super::scan_cache::SourceEntries;

/// A directory that is being compared.
pub(super) struct Visit {
    pub(super) path: Arc<Path>,
    from: Directory,
    /// `None` if TO does not have the directory yet.
    to: Option<Directory>,
    /// The metadata of the directory in TO, read before its entries.
    pub(super) stamp: Option<Entry>,
    /// `true` if the directory in TO, and thus its modification time, will change.
    pub(super) touched: bool,
    /// `true` if an entry of the directory failed.
    pub(super) failed: bool,
    /// The number of extra entries, which only TO has and which are kept.
    pub(super) extra_count: u64,
}

/// A name and its entry in TO, if any.
pub(super) struct TargetEntry<'a> {
    pub(super) name: &'a OsStr,
    pub(super) to: Option<Entry>,
}

impl Visit {
    /// Opens the top level of both trees.
    pub(super) fn top(root: &Pair) -> Self {
        Self::of(Path::new("").into(), root.from.clone(), Some(root.to.clone()))
    }

    /// Opens a directory that exists in FROM and may exist in TO.
    pub(super) fn open(root: &Pair, directory: &PlannedDirectory) -> Result<Self, FileError> {
        let path: Arc<Path> = directory.path.as_path().into();
        let from = root.from.descend(&path).file_context("cannot be opened in FROM", &path)?;
        let to = directory
            .exists()
            .then(|| root.to.unlock_and_descend(&path).and_then(|to| root.refuse_from(&to).map(|()| to)))
            .transpose()
            .file_context("cannot be opened in TO", &path)?;
        Ok(Self::of(path, from, to))
    }

    fn of(path: Arc<Path>, from: Directory, to: Option<Directory>) -> Self {
        let stamp = to.as_ref().and_then(|to| to.about().ok());
        Self { path, from, to, stamp, touched: false, failed: false, extra_count: 0 }
    }

    pub(super) fn is_top(&self) -> bool {
        self.path.as_os_str().is_empty()
    }

    /// Returns `true` if the directory needs no change.
    pub(super) fn is_in_sync(&self) -> bool {
        !self.touched && !self.failed
    }

    /// Reads all entries in FROM.
    pub(super) fn source(&self, monitor: &dyn Monitor) -> Result<SourceEntries, Failure> {
        let mut source = SourceEntries::new();
        for name in self.from.names().file_context("cannot be listed in FROM", &self.path)? {
            monitor.advance(0)?;
            match tolerate(monitor, self.find_from(&name))? {
                Some(None) => {}
                entry => drop(source.insert(name, entry.flatten())),
            }
        }
        Ok(source)
    }

    /// Returns the names in TO, without those of `own_files`.
    pub(super) fn names(&self, own_files: &OwnFiles, sample: &Sample) -> Result<BTreeSet<OsString>, FileError> {
        let Some(to) = &self.to else { return Ok(BTreeSet::new()) };
        let mut names: BTreeSet<_> =
            to.names().file_context("cannot be listed in TO", &self.path)?.into_iter().collect();
        names.remove(sample.name());
        for own in own_files.names_in(&self.path) {
            names.remove(own);
        }
        Ok(names)
    }

    /// Looks up a name in FROM.
    pub(super) fn find_from(&self, name: &OsStr) -> Result<Option<Entry>, FileError> {
        let failed = |cause| FileError::new(self.path.join(name), "cannot read the metadata in FROM", cause);
        self.from.entry(name).map_err(failed)
    }

    /// Looks up a name in TO.
    pub(super) fn find<'a>(&self, name: &'a OsStr) -> Result<TargetEntry<'a>, FileError> {
        let failed = |cause| FileError::new(self.path.join(name), "cannot read the metadata in TO", cause);
        let to = self.to.as_ref().map(|to| to.entry(name)).transpose().map_err(failed)?;
        Ok(TargetEntry { name, to: to.flatten() })
    }

    /// Reads the attributes of the directory. Returns `true` if TO has them.
    pub(super) fn compare_attributes(&self, directory: &mut PlannedDirectory, root: &Pair) -> Result<bool, FileError> {
        let kept = root.kept;
        let from =
            Attributes::of(&self.from, &directory.from, kept).file_context("cannot be read in FROM", &self.path)?;
        let to = self.to.as_ref().zip(directory.to).map(|(to, entry)| Attributes::of(to, &entry, kept)).transpose();
        let from = directory.attributes.insert(from.for_copy(kept));
        Ok(to.file_context("cannot be read in TO", &self.path)?.is_some_and(|to| from.equal(&to, &root.sample)))
    }

    /// Returns the attributes of the file `name` in FROM; `None` if the one in TO has them.
    pub(super) fn new_attributes(
        &self,
        name: &OsStr,
        from: &Entry,
        to: &Entry,
        root: &Pair,
    ) -> Result<Option<Attributes>, FileError> {
        let Some(target) = &self.to else { return Ok(None) };
        let read = |directory, entry| Attributes::of_name(directory, name, entry, root.kept);
        let path = || self.path.join(name);
        let from = read(&self.from, from).map_err(|cause| FileError::new(path(), "cannot be read in FROM", cause))?;
        let to = read(target, to).map_err(|cause| FileError::new(path(), "cannot be read in TO", cause))?;
        Ok(Some(from.for_copy(root.kept)).filter(|from| !from.equal(&to, &root.sample)))
    }

    /// Returns the name that TO lists for an entry that it finds under `target`'s name; `None` if it lists that name.
    pub(super) fn spelling(&self, target: &TargetEntry<'_>) -> Result<Option<OsString>, FileError> {
        let spelling = self.to.as_ref().zip(target.to).map(|(to, entry)| to.spelling(target.name, &entry)).transpose();
        Ok(spelling.file_context("cannot be listed in TO", &self.path)?.flatten())
    }

    /// Returns `true` if the files on both sides have the same contents.
    pub(super) fn same_contents(&self, name: &OsStr, monitor: &dyn Monitor) -> Result<bool, Failure> {
        let Some(to) = &self.to else { return Ok(false) };
        contents::are_equal(&self.from, to, name, &self.path.join(name), monitor)
    }

    /// Returns `true` if the links on both sides have the same target.
    pub(super) fn same_target(&self, name: &OsStr) -> Result<bool, FileError> {
        let Some(to) = &self.to else { return Ok(false) };
        let path = self.path.join(name);
        let from = self.from.link_target(name).file_context("cannot read the link in FROM", &path)?;
        Ok(from == to.link_target(name).file_context("cannot read the link in TO", &path)?)
    }
}
