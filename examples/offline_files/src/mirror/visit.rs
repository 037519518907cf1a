//! One directory on both sides.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::attributes::Attributes;
use super::contents;
use super::directory::Directory;
use super::entry::{Entry, Kind};
use super::file_system::FileSystem;
use super::lineage::Lineage;
use super::listing::Listing;
use super::monitor::{Failure, FileContext, FileError, Location, Monitor};
use super::pair::Pair;
use super::spelling::Spellings;

/// A directory that is to be compared.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) path: Arc<Path>,
    pub(super) from: Entry,
    /// The entry of this name in TO, if any.
    pub(super) to: Option<Entry>,
    /// `true` if the last complete run may have mirrored another directory of this name.
    pub(super) is_moved: bool,
    /// The file system of the directory in TO, and until it is open that of the one above.
    pub(super) file_system: Arc<FileSystem>,
    /// The directories above it, and itself once it is open.
    pub(super) lineage: Lineage,
}

/// A directory that is being compared.
pub(super) struct Visit {
    pub(super) path: Arc<Path>,
    pub(super) about: Pending,
    from: Directory,
    /// `None` if TO does not have the directory yet.
    to: Option<Directory>,
}

/// What a directory in TO has to be given after all changes in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Difference {
    None,
    /// Its time, and its attributes if it is new.
    Time,
    /// Other attributes than it has, and its time.
    Attributes,
}

/// A name and its entry in TO, if any.
pub(super) struct TargetEntry<'a> {
    pub(super) name: &'a OsStr,
    pub(super) to: Option<Entry>,
}

impl Visit {
    /// Opens the top level of both trees.
    pub(super) fn top(root: &Pair) -> Result<Self, FileError> {
        let path: Arc<Path> = Path::new("").into();
        let from = root.from.about().file_context("cannot be read", Location::From, &path)?;
        let to = root.to.about().file_context("cannot be read", Location::To, &path)?;
        let (file_system, lineage) = (root.file_system.clone(), Lineage::default());
        Self::open(root, Pending { path, from, to: Some(to), is_moved: false, file_system, lineage })
    }

    /// Opens a directory that exists in FROM and may exist in TO.
    pub(super) fn open(root: &Pair, mut about: Pending) -> Result<Self, FileError> {
        let path = about.path.clone();
        let from = root.from.descend(&path).file_context("cannot be opened", Location::From, &path)?;
        let to = about.exists().then(|| about.enter(root)).transpose().file_context(
            "cannot be opened",
            Location::To,
            &path,
        )?;
        about.lineage = about.lineage.with(&about.from, about.to.as_ref().filter(|_| to.is_some()));
        Ok(Self { path, about, from, to })
    }

    pub(super) fn is_top(&self) -> bool {
        self.path.as_os_str().is_empty()
    }

    /// Lists the directory in FROM, without `hidden`.
    pub(super) fn list_source(&self, hidden: &[&OsStr]) -> Result<Listing, FileError> {
        self.from.list(hidden).file_context("cannot be listed", Location::From, &self.path)
    }

    /// Lists the directory in TO, without `hidden`.
    pub(super) fn list_target(&self, hidden: &[&OsStr]) -> Result<Listing, FileError> {
        let list = |to: &Directory| to.list(hidden).file_context("cannot be listed", Location::To, &self.path);
        self.to.as_ref().map_or_else(|| Ok(Listing::default()), list)
    }

    /// Looks up a name in FROM.
    pub(super) fn find_from(&self, name: &OsStr) -> Result<Option<Entry>, FileError> {
        let failed = |cause| FileError::new(self.path.join(name), "cannot read the metadata", cause).at(Location::From);
        self.from.entry(name).map_err(failed)
    }

    /// Looks up a name in TO.
    pub(super) fn find<'a>(&self, name: &'a OsStr) -> Result<TargetEntry<'a>, FileError> {
        let failed = |cause| FileError::new(self.path.join(name), "cannot read the metadata", cause).at(Location::To);
        let to = self.to.as_ref().map(|to| to.entry(name)).transpose().map_err(failed)?;
        Ok(TargetEntry { name, to: to.flatten() })
    }

    /// Reads the attributes for the copy of the directory. Returns with them how the directory in TO, if any, differs.
    pub(super) fn compare_attributes(&self) -> Result<(Attributes, Difference), FileError> {
        let about = &self.about;
        let FileSystem { kept, sample, .. } = &*about.file_system;
        let from = Attributes::of(&self.from, &about.from, *kept).file_context(
            "cannot be read",
            Location::From,
            &self.path,
        )?;
        let from = about.file_system.for_copy(from);
        let Some((to, entry)) = self.to.as_ref().zip(about.to) else { return Ok((from, Difference::Time)) };
        let to = Attributes::of(to, &entry, *kept).file_context("cannot be read", Location::To, &self.path)?;
        let difference = match from.equal(&to, sample) {
            false => Difference::Attributes,
            true if sample.same_time(&about.from, &entry) => Difference::None,
            true => Difference::Time,
        };
        Ok((from, difference))
    }

    /// Returns the attributes of the file `name` in FROM; `None` if the one in TO has them.
    pub(super) fn new_attributes(
        &self,
        name: &OsStr,
        from: &Entry,
        to: &Entry,
    ) -> Result<Option<Attributes>, FileError> {
        let Some(target) = &self.to else { return Ok(None) };
        let file_system = &self.about.file_system;
        let read = |directory, entry| Attributes::of_name(directory, name, entry, file_system.kept);
        let path = || self.path.join(name);
        let from = read(&self.from, from)
            .map_err(|cause| FileError::new(path(), "cannot be read", cause).at(Location::From))?;
        let to = read(target, to).map_err(|cause| FileError::new(path(), "cannot be read", cause).at(Location::To))?;
        Ok(Some(file_system.for_copy(from)).filter(|from| !from.equal(&to, &file_system.sample)))
    }

    /// Returns the name that TO lists for the entry that it finds as `name`; `None` if it lists that name.
    pub(super) fn spelling(&self, name: &OsStr) -> Result<Option<OsString>, FileError> {
        let spelling = self.to.as_ref().map(|to| to.spelling(name)).transpose();
        Ok(spelling.file_context("cannot be listed", Location::To, &self.path)?.flatten())
    }

    /// The names in TO by what they find.
    pub(super) fn spellings<'a>(&'a self, names: impl Iterator<Item = &'a OsStr>) -> Option<Spellings<'a>> {
        self.to.as_ref().map(|to| Spellings::new(to, names))
    }

    /// Gives an entry in TO the name to which a killed run was renaming it. Returns `false` if there is none.
    pub(super) fn complete_respell(&self, name: &OsStr) -> bool {
        self.to.as_ref().is_some_and(|to| to.complete_respell(name))
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
        let from = self.from.link_target(name).file_context("cannot read the link", Location::From, &path)?;
        Ok(from == to.link_target(name).file_context("cannot read the link", Location::To, &path)?)
    }
}

impl Pending {
    /// Returns `true` if TO has this directory.
    pub(super) fn exists(&self) -> bool {
        self.to.is_some_and(|to| to.kind == Kind::Directory)
    }

    /// Opens the directory in TO.
    fn enter(&mut self, root: &Pair) -> io::Result<Directory> {
        let (to, entry) = root.descend_in_target(&self.path)?;
        if self.lineage.has_source(&entry) {
            return Err(io::Error::other("it is a directory of FROM"));
        }
        if entry.device() != self.file_system.device {
            self.file_system = root.file_systems.get(entry.device(), (&root.to, &self.path), &to);
        }
        self.to = Some(entry);
        Ok(to)
    }
}
