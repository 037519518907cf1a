//! The two sides of a mirror: a directory of FROM and its copy in TO.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{Mode, RawMode};

use super::attributes::{Attributes, Kept};
use super::claims::Claims;
use super::directory::Directory;
use super::entry::{Entry, FileId};
use super::file_system::FileSystem;
use super::file_systems::FileSystems;
use super::jobs::Jobs;
use super::monitor::{Failure, FileContext, FileError, Location, Monitor, Stopped, tolerate};
use super::trail::capacity_for;

/// The same directory on both sides.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    pub(crate) from: Directory,
    pub(crate) to: Directory,
    /// The attributes to keep.
    pub(super) asked: Kept,
    /// The file system of the directory in TO.
    pub(crate) file_system: Arc<FileSystem>,
    pub(crate) file_systems: Arc<FileSystems>,
    pub(super) claims: Arc<Claims>,
    /// The identity of the root of FROM.
    pub(super) root_id: Option<FileId>,
    /// The permissions that the system takes from new files and directories.
    pub(super) umask: Mode,
    /// `true` if new entries in this directory of TO inherit an access control list, or if that is unknown.
    pub(crate) gives_acls: bool,
    /// The threads that work at the same time.
    pub(crate) jobs: Arc<Jobs>,
    /// The maximum number of directories that stay open for one side of an item.
    pub(crate) trail_capacity: usize,
}

impl Pair {
    /// Opens a pair of directories whose copies keep the attributes `asked`.
    pub(crate) fn new(from: Directory, to: Directory, asked: Kept) -> Self {
        let root_id = from.about().ok().map(|about| about.id());
        let device = to.about().map(|about| about.device()).unwrap_or_default();
        let file_systems = Arc::new(FileSystems::new(asked));
        let file_system = file_systems.get(device, (&to, Path::new("")), &to);
        let gives_acls = to.gives_acls();
        let (jobs, trail_capacity) = (Arc::new(Jobs::new(0)), capacity_for(0));
        let claims = Arc::default();
        let umask = umask();
        Self { from, to, asked, file_system, file_systems, claims, root_id, umask, gives_acls, jobs, trail_capacity }
    }

    /// This pair with at most `jobs` threads that work at the same time.
    pub(crate) fn with_jobs(self, jobs: usize) -> Self {
        Self { jobs: Arc::new(Jobs::new(jobs)), trail_capacity: capacity_for(jobs), ..self }
    }

    /// This pair with open directories of its own, so that items do not close those of other items.
    pub(crate) fn separate(&self) -> Self {
        let separate = |side: &Directory| side.separate(self.trail_capacity);
        Self { from: separate(&self.from), to: separate(&self.to), ..self.clone() }
    }

    /// The permissions with which an entry in a directory that `gives_acls` or not is created so that it has `attributes` and is
    /// never more accessible. `None` if they have to be set afterwards.
    pub(super) fn creation_mode(&self, attributes: &Attributes, gives_acls: bool) -> Option<Mode> {
        attributes.only_mode().filter(|mode| !gives_acls && (*mode & self.umask).is_empty())
    }

    /// The device of FROM.
    pub(super) fn device_of_from(&self) -> Option<u64> {
        self.root_id.map(|root| root.device)
    }

    /// Opens a directory in TO and returns its metadata. If it is locked, adds all permissions for its owner. Fails if it is the
    /// root of FROM, which may also be mounted in TO.
    pub(super) fn descend_in_target(&self, path: &Path) -> io::Result<(Directory, Entry)> {
        let (directory, about) = self.to.unlock_and_descend(path)?;
        if self.root_id == Some(about.id()) {
            return Err(io::Error::other("it is FROM itself"));
        }
        Ok((directory, about))
    }

    /// Reports an entry that failed, as `tolerate` does, unless it no longer exists in FROM: that is no error.
    pub(super) fn tolerate<T>(
        &self,
        monitor: &dyn Monitor,
        result: Result<T, impl Into<Failure>>,
    ) -> Result<Option<T>, Stopped> {
        match result.map_err(Into::into) {
            Err(Failure::File(error)) if self.from.lacks(&error.path) => Ok(None),
            result => tolerate(monitor, result),
        }
    }

    /// This pair with two open directories. The one of TO is at `path` in `root`, and perhaps in a file system of its own.
    pub(crate) fn at(&self, (root, path): (&Directory, &Path), from: Directory, to: Directory) -> Self {
        let device = to.about().map_or(self.file_system.device, |about| about.device());
        let is_same = device == self.file_system.device;
        let other = || self.file_systems.get(device, (root, path), &to);
        let file_system = if is_same { self.file_system.clone() } else { other() };
        let gives_acls = to.gives_acls();
        Self { from, to, file_system, gives_acls, ..self.clone() }
    }

    /// Opens the directory at `path`, which is in the same file system of TO, on both sides.
    pub(crate) fn descend(&self, path: &Path) -> Result<Self, FileError> {
        let from = self.from.descend(path).file_context("cannot be opened", Location::From, path)?;
        let to = self.to.descend(path).file_context("cannot be opened", Location::To, path)?;
        let gives_acls = to.gives_acls();
        Ok(Self { from, to, gives_acls, ..self.clone() })
    }
}

/// The permissions that the system takes from new files and directories; all if that cannot be told.
fn umask() -> Mode {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let umask = status.lines().find_map(|line| RawMode::from_str_radix(line.strip_prefix("Umask:")?.trim(), 8).ok());
    umask.map_or(Mode::all(), Mode::from_raw_mode)
}
