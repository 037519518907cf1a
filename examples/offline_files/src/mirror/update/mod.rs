//! Update of a large file in place: only what has changed is written.
//!
//! 1. A [comparison](compare) by aligned pages writes what differs to a [journal], a temporary file beside the target.
//! 2. The source and the target must still be the same versions, and no other program may have the target [open](usage).
//! 3. The journal is completed. From now on the update happens, also if the run is killed: the next run [recovers](recover()) it.
//! 4. The journal is [applied](apply), and removed.
//!
//! Until step 3 the target is untouched, and a whole copy can be made instead. That is also what happens to small and sparse files, to
//! files with several names, where the file system can share blocks, and when much has changed.

mod apply;
mod checksum;
mod compare;
mod counted;
mod journal;
mod recover;
#[cfg(test)]
mod tests;
mod usage;

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::Path;

use rustix::fs::{Mode, fsync};

use self::apply::{Applied, apply};
use self::compare::Comparison;
pub(crate) use self::counted::Counted;
use self::journal::{FileId, Header, Journal, Writer};
pub(crate) use self::recover::{Leftover, Named, recover};
use self::usage::Watch;
use super::attributes::Attributes;
use super::copy::{open_source, regular_metadata, wait_until_settled};
use super::directory::Directory;
use super::entry::Entry;
use super::monitor::{Failure, FileContext, FileError, Location, Monitor};
use super::pair::Pair;
use super::temporary::Temporary;

/// Files of at least this size are updated in place. The search for other programs takes as long as a copy of some MiB.
pub(crate) const LARGE: u64 = 16 * 1024 * 1024;

/// What became of a file.
#[derive(Debug)]
pub(crate) enum Updated {
    /// Nothing was done: it is to be copied.
    Not,
    /// It has the contents, attributes and time of this version of the source, and is this version itself.
    To { source: Entry, target: Entry },
    /// The same, but another program has opened it meanwhile and may have changed it.
    Shared,
}

/// The versions that are to be updated from and to.
pub(crate) struct Expected<'a> {
    pub(crate) source: &'a dyn Fn(&Entry) -> bool,
    pub(crate) target: &'a dyn Fn(&Entry) -> bool,
}

/// An open file with its metadata.
struct Opened {
    file: File,
    about: Entry,
}

/// Updates the file `name` in place, if both sides are the expected versions and if that is better than a copy.
pub(crate) fn update(
    pair: &Pair,
    name: &OsStr,
    path: &Path,
    expected: &Expected<'_>,
    monitor: &dyn Monitor,
) -> Result<Updated, Failure> {
    let Some(target) = open_target(&pair.to, name).filter(|target| (expected.target)(&target.about)) else {
        return Ok(Updated::Not);
    };
    let (file, about) = open_source(pair, name, path)?;
    let source = Opened { file, about };
    if !is_suitable(&source.about) || !(expected.source)(&source.about) {
        return Ok(Updated::Not);
    }
    wait_until_settled(&source.about, monitor);
    wait_until_settled(&target.about, monitor);
    let Some(watch) = Watch::begin(&target.file, name) else { return Ok(Updated::Not) };
    let update = Update { pair, name, path, source, target, watch };
    let Some(temporary) = update.record(monitor)? else { return Ok(Updated::Not) };
    Ok(update.carry_out(temporary)?)
}

/// Opens the target if it may be updated in place.
fn open_target(to: &Directory, name: &OsStr) -> Option<Opened> {
    let is_candidate = |entry: &Entry| is_suitable(entry) && entry.names == 1;
    to.entry(name).ok().flatten().filter(is_candidate)?;
    let file = to.open_to_update(name).ok()?;
    let about = regular_metadata(&file).ok().filter(is_candidate)?;
    is_local(&file).then_some(Opened { file, about })
}

fn is_suitable(entry: &Entry) -> bool {
    entry.size >= LARGE && !entry.is_sparse
}

/// An update that is possible.
struct Update<'a> {
    pair: &'a Pair,
    name: &'a OsStr,
    path: &'a Path,
    source: Opened,
    target: Opened,
    watch: Watch,
}

impl<'a> Update<'a> {
    /// Writes a journal. `None` if the target is to be copied.
    fn record(&self, monitor: &dyn Monitor) -> Result<Option<Temporary<'a>>, Failure> {
        let sizes = (self.source.about.size, self.target.about.size);
        let comparison = Comparison { source: (&self.source.file, sizes.0), target: (&self.target.file, sizes.1) };
        if comparison.seem_different().unwrap_or(true) {
            return Ok(None);
        }
        let create = |name: &OsStr| self.pair.to.create_file(name, Mode::RUSR | Mode::WUSR);
        let (temporary, file) = self.in_target(Temporary::create(&self.pair.to, create))?;
        if shares_blocks(&file, &self.source.file) {
            return Ok(None);
        }
        let mut journal = self.in_target(self.header().and_then(|header| Writer::begin(&file, &header)))?;
        if !comparison.record(&mut journal, self.path, monitor)? || !self.may_begin() {
            return Ok(None);
        }
        self.in_target(journal.end().and_then(|()| Ok(fsync(&self.pair.to)?)))?;
        Ok(Some(temporary))
    }

    fn header(&self) -> io::Result<Header> {
        Ok(Header {
            name: self.name.to_owned(),
            id: FileId::of(&self.target.file)?,
            old_size: self.target.about.size,
            new_size: self.source.about.size,
            modified: self.source.about.modified,
        })
    }

    /// Returns `true` if both files are still what they were, no other program has the target open, and the disk has space for what
    /// it gets longer.
    fn may_begin(&self) -> bool {
        let is_same = |opened: &Opened| {
            regular_metadata(&opened.file).is_ok_and(|now| now.is_same_version(&opened.about) && now.names > 0)
        };
        let now = self.pair.to.entry(self.name).ok().flatten();
        let has_name = now.is_some_and(|now| now.id() == self.target.about.id());
        let growth = self.source.about.size.saturating_sub(self.target.about.size);
        is_same(&self.source)
            && is_same(&self.target)
            && has_name
            && !self.watch.was_opened()
            && has_space(&self.target.file, growth)
    }

    /// Applies the journal. If that fails, it stays for the next run.
    fn carry_out(&self, temporary: Temporary<'a>) -> Result<Updated, FileError> {
        let attributes = self.attributes()?;
        let journal = self.in_target(self.pair.to.open_file(temporary.name()).and_then(Journal::open))?;
        let Some(journal) = journal.filter(|_| self.may_begin()) else { return Ok(Updated::Not) };
        let kept = temporary.keep();
        let applied = self.in_target(self.apply(&journal, &attributes))?;
        self.in_target(self.pair.to.remove(&kept))?;
        let target = self.in_target(regular_metadata(&self.target.file))?;
        // After the look at the target: what changes it later has another time.
        let is_shared = applied == Applied::Edited || self.watch.was_opened();
        Ok(if is_shared { Updated::Shared } else { Updated::To { source: self.source.about, target } })
    }

    fn apply(&self, journal: &Journal, attributes: &Attributes) -> io::Result<Applied> {
        let (file, file_system) = (&self.target.file, &self.pair.file_system);
        // The new contents may be meant for fewer users.
        attributes.narrow(file, &file_system.sample)?;
        let applied = apply(journal, file)?;
        // Before the attributes, which may forbid to write: a run that is killed meanwhile leaves a file that can be completed.
        file.sync_all()?;
        match applied {
            Applied::Whole => file_system.finalize(file, attributes, &self.source.about)?,
            Applied::Edited => attributes.apply(file, file_system.kept, &file_system.sample)?,
        }
        Ok(applied)
    }

    fn attributes(&self) -> Result<Attributes, FileError> {
        let file_system = &self.pair.file_system;
        let attributes = Attributes::of(&self.source.file, &self.source.about, file_system.kept);
        let attributes = attributes.file_context("cannot be read", Location::From, self.path)?;
        Ok(file_system.for_copy(attributes))
    }

    fn in_target<T>(&self, result: io::Result<T>) -> Result<T, FileError> {
        result.file_context("cannot be written", Location::To, self.path)
    }
}

/// Returns `true` if `file` now shares the blocks of `source`, so that a copy is cheap.
#[cfg(target_os = "linux")]
fn shares_blocks(file: &File, source: &File) -> bool {
    rustix::fs::ioctl_ficlone(file, source).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn shares_blocks(_: &File, _: &File) -> bool {
    true
}

/// Returns `true` for file systems on disks and in memory whose inode numbers stay the same.
#[cfg(target_os = "linux")]
fn is_local(file: &File) -> bool {
    /// ext2 to ext4, XFS, Btrfs, F2FS, ZFS, bcachefs, tmpfs.
    const LOCAL: [u64; 7] = [0xef53, 0x5846_5342, 0x9123_683e, 0xf2f5_2010, 0x2fc1_2fc1, 0xca45_1a4e, 0x0102_1994];
    rustix::fs::fstatfs(file).is_ok_and(|about| LOCAL.contains(&u64::from((about.f_type as u64) as u32)))
}

#[cfg(not(target_os = "linux"))]
fn is_local(_: &File) -> bool {
    false
}

fn has_space(file: &File, bytes: u64) -> bool {
    let free = rustix::fs::fstatvfs(file).map(|about| about.f_bavail.saturating_mul(about.f_frsize));
    bytes == 0 || free.is_ok_and(|free| bytes < free)
}
