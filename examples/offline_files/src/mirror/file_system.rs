//! A file system of TO, and how entries in it get what it can store.

use std::fmt;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use rustix::fs::{self, Mode};

use super::attributes::{Attributes, Kept};
use super::directory::Directory;
use super::entry::{Entry, modified_at};
use super::sample::Sample;

/// A file system of TO.
pub(crate) struct FileSystem {
    pub(crate) device: u64,
    /// The directory of the sample: the first that was found in this file system.
    path: PathBuf,
    /// The attributes to keep, and those of them that the file system can store.
    asked: Kept,
    pub(crate) kept: Kept,
    pub(crate) sample: Sample,
}

/// Leaves out the sample, whose name is random.
impl fmt::Debug for FileSystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { device, path, kept, .. } = self;
        write!(f, "FileSystem({device}, {path:?}, {kept:?})")
    }
}

impl FileSystem {
    pub(super) fn new(device: u64, path: &Path, asked: Kept, kept: Kept, sample: Sample) -> Self {
        sample.lose(asked.extended && !kept.extended, "extended attributes");
        Self { device, path: path.to_owned(), asked, kept, sample }
    }

    /// Returns `true` if the sample is in the directory at `path`.
    pub(super) fn has_sample_in(&self, path: &Path) -> bool {
        self.path == path
    }

    /// Makes a directory in TO writable for its owner, and no more accessible to others than with `attributes`, because new
    /// entries may be meant to be private.
    pub(super) fn prepare(&self, directory: &Directory, attributes: &Attributes) -> io::Result<()> {
        directory.unlock()?;
        attributes.narrow(directory, &self.sample).map(drop)
    }

    /// The attributes for a copy of an entry with these `attributes`.
    pub(crate) fn for_copy(&self, attributes: Attributes) -> Attributes {
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
}
