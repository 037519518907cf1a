//! The two sides of a mirror: a directory of FROM and its copy in TO.

use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{self, Mode, RawMode};

use super::attributes::{Attributes, Kept};
use super::claims::Claims;
use super::directory::Directory;
use super::entry::{Entry, FileId, modified_at};
use super::jobs::Jobs;
use super::monitor::{Failure, FileContext, FileError, Monitor, Stopped, tolerate};
use super::sample::Sample;
use super::trail::capacity_for;

/// The same directory on both sides.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    pub(crate) from: Directory,
    pub(crate) to: Directory,
    /// The attributes to keep, and those of them that TO can store.
    pub(super) asked: Kept,
    pub(crate) kept: Kept,
    pub(crate) sample: Arc<Sample>,
    pub(super) claims: Arc<Claims>,
    /// The identities of the two roots.
    pub(super) roots: [Option<FileId>; 2],
    /// The permissions that the system takes from new files and directories.
    pub(super) umask: Mode,
    /// `true` if new entries in this directory of TO inherit an access control list, or if that is unknown.
    pub(super) gives_acls: bool,
    /// The threads that work at the same time.
    pub(crate) jobs: Arc<Jobs>,
    /// The maximum number of directories that stay open for one side of an item.
    pub(super) trail_capacity: usize,
}

impl Pair {
    /// Opens a pair of directories, without the attributes that TO cannot store.
    pub(crate) fn new(from: Directory, to: Directory, kept: Kept) -> Self {
        let sample = Arc::new(Sample::new(to.clone()));
        let (asked, kept) = (kept, kept.storable_in(&to));
        sample.lose(asked.extended && !kept.extended, "extended attributes");
        let roots = [&from, &to].map(|root| root.about().ok().map(|about| about.id()));
        let gives_acls = to.gives_acls();
        let (jobs, trail_capacity) = (Arc::new(Jobs::new(0)), capacity_for(0));
        let claims = Arc::default();
        Self { from, to, asked, kept, sample, claims, roots, umask: umask(), gives_acls, jobs, trail_capacity }
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

    /// Makes a directory in TO writable for its owner, and no more accessible to others than with `attributes`, because new
    /// entries may be meant to be private.
    pub(super) fn prepare(&self, directory: &Directory, attributes: &Attributes) -> io::Result<()> {
        directory.unlock()?;
        attributes.narrow(directory, &self.sample).map(drop)
    }

    /// The attributes for a copy of an entry with these `attributes`.
    pub(super) fn for_copy(&self, attributes: Attributes) -> Attributes {
        self.sample.lose(self.asked.acls && !self.kept.acls && attributes.has_acl(), "access control lists");
        attributes.for_copy(self.kept)
    }

    /// Sets the attributes and the modification time of an open file or directory in TO, as far as it stores them.
    pub(super) fn finalize(&self, file: impl AsFd, attributes: &Attributes, entry: &Entry) -> io::Result<()> {
        attributes.apply(&file, self.kept, &self.sample)?;
        self.date(file, entry)
    }

    /// The same for a new entry, which was created with `mode`. `created` is its metadata: the directory above or the file system may
    /// have given it other permissions.
    pub(super) fn finalize_new(
        &self,
        file: impl AsFd,
        attributes: &Attributes,
        entry: &Entry,
        (mode, created): (Option<Mode>, &Entry),
    ) -> io::Result<()> {
        if mode == Some(created.mode) { self.date(file, entry) } else { self.finalize(file, attributes, entry) }
    }

    /// Sets the modification time of an open file or directory in TO, as far as it stores times.
    pub(super) fn date(&self, file: impl AsFd, entry: &Entry) -> io::Result<()> {
        match fs::futimens(&file, &modified_at(entry.modified)) {
            Err(_) if !self.sample.keeps_times() => Ok(()),
            result => Ok(result?),
        }
    }

    /// The permissions with which an entry in a directory that `gives_acls` or not is created so that it has `attributes` and is
    /// never more accessible. `None` if they have to be set afterwards.
    pub(super) fn creation_mode(&self, attributes: &Attributes, gives_acls: bool) -> Option<Mode> {
        attributes.only_mode().filter(|mode| !gives_acls && (*mode & self.umask).is_empty())
    }

    /// The device of FROM.
    pub(super) fn device_of_from(&self) -> Option<u64> {
        self.roots[0].map(|root| root.device)
    }

    /// Returns `true` if `entry` is the root of TO, which may also be mounted in FROM.
    pub(super) fn is_to(&self, entry: &Entry) -> bool {
        self.roots[1] == Some(entry.id())
    }

    /// Opens a directory in TO and returns its metadata. If it is locked, adds all permissions for its owner. Fails if it is the
    /// root of FROM, which may also be mounted in TO.
    pub(super) fn descend_in_target(&self, path: &Path) -> io::Result<(Directory, Entry)> {
        let (directory, about) = self.to.unlock_and_descend(path)?;
        if self.roots[0] == Some(about.id()) {
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

    /// Opens the directory at `path` on both sides.
    pub(crate) fn descend(&self, path: &Path) -> Result<Self, FileError> {
        let from = self.from.descend(path).file_context("cannot be opened in FROM", path)?;
        let to = self.to.descend(path).file_context("cannot be opened in TO", path)?;
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
