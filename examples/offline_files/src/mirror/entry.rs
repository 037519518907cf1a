//! Metadata of a file, directory or link.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{FileType, Gid, Mode, Stat, Timespec, Timestamps, UTIME_OMIT, Uid};

/// The metadata of a directory entry, without following links.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) kind: Kind,
    pub(crate) size: u64,
    pub(crate) modified: Timespec,
    pub(crate) mode: Mode,
    pub(super) owner: (Uid, Gid),
    /// The time of the last change of the contents or metadata. Programs cannot set it.
    pub(crate) changed: Timespec,
    device: u64,
    inode: u64,
    /// The number of its names.
    pub(super) names: u64,
    /// `true` if it has fewer blocks than its size requires, and thus holes, unless the file system compresses it.
    pub(super) is_sparse: bool,
}

/// The identity of a file or directory in this system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct FileId {
    pub(super) device: u64,
    inode: u64,
}

/// The kind of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Directory,
    File,
    Link,
    /// A special file, which is neither opened nor copied.
    Special(FileType),
}

impl Entry {
    pub(crate) fn is_directory(&self) -> bool {
        self.kind == Kind::Directory
    }

    /// All metadata as bytes.
    pub(super) fn bytes(&self) -> [u8; 64] {
        let times = [self.modified.tv_sec, self.modified.tv_nsec as _, self.changed.tv_sec, self.changed.tv_nsec as _];
        let others = [self.size, self.mode.as_raw_mode().into(), self.device, self.inode];
        let mut bytes = [0; 64];
        let numbers = times.map(i64::to_le_bytes).into_iter().chain(others.map(u64::to_le_bytes));
        bytes.chunks_exact_mut(8).zip(numbers).for_each(|(place, number)| place.copy_from_slice(&number));
        bytes
    }

    /// This entry as if its contents had changed last.
    pub(super) fn without_change_time(self) -> Self {
        Self { changed: self.modified, ..self }
    }

    pub(crate) fn inode(&self) -> u64 {
        self.inode
    }

    pub(crate) fn device(&self) -> u64 {
        self.device
    }

    pub(super) fn id(&self) -> FileId {
        FileId { device: self.device, inode: self.inode }
    }

    /// Compares two entries that may be one: 2 if they have the same inode, 1 if they differ in nothing else, otherwise 0.
    pub(super) fn likeness(&self, other: &Entry) -> u8 {
        let same = |inode| Self { inode, ..*self }.bytes() == other.bytes();
        u8::from(same(other.inode)) + u8::from(same(self.inode))
    }

    /// Returns `true` if any change at `moment` or later would alter the modification time.
    pub(super) fn was_modified_before(&self, moment: SystemTime) -> bool {
        is_before(self.modified, moment)
    }

    /// Returns `true` if no change that was still in progress at `moment`, or began later, could have this change time.
    pub(super) fn was_changed_before(&self, moment: SystemTime) -> bool {
        is_before(self.changed, moment - WRITE)
    }

    /// The time from `moment` until every change alters the change time; zero if that time is in the distant future.
    pub(crate) fn settling_time(&self, moment: SystemTime) -> Duration {
        let time = settled_at(self.changed).and_then(|settled| (UNIX_EPOCH + settled).duration_since(moment).ok());
        time.filter(|time| *time <= COARSE).unwrap_or_default()
    }

    /// Returns `true` if both are one file that has not changed in between.
    pub(crate) fn is_same_version(&self, other: &Entry) -> bool {
        self.bytes() == other.bytes()
    }

    /// Returns `true` if kind and size are equal.
    pub(crate) fn resembles(&self, other: &Entry) -> bool {
        self.kind == other.kind && self.size == other.size
    }
}

impl From<Stat> for Entry {
    fn from(stat: Stat) -> Self {
        Self {
            kind: FileType::from_raw_mode(stat.st_mode).into(),
            size: u64::try_from(stat.st_size).unwrap_or(0),
            modified: Timespec { tv_sec: stat.st_mtime as _, tv_nsec: stat.st_mtime_nsec as _ },
            mode: Mode::from_raw_mode(stat.st_mode),
            owner: (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid)),
            changed: Timespec { tv_sec: stat.st_ctime as _, tv_nsec: stat.st_ctime_nsec as _ },
            device: stat.st_dev as _,
            inode: stat.st_ino as _,
            names: stat.st_nlink as _,
            is_sparse: i128::from(stat.st_blocks) * 512 < i128::from(stat.st_size),
        }
    }
}

impl From<FileType> for Kind {
    fn from(file_type: FileType) -> Self {
        match file_type {
            FileType::Directory => Self::Directory,
            FileType::RegularFile => Self::File,
            FileType::Symlink => Self::Link,
            special => Self::Special(special),
        }
    }
}

/// Describes a special file.
pub(super) fn describe(special: FileType) -> &'static str {
    match special {
        FileType::Fifo => "a FIFO",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        _ => "a file of unknown type",
    }
}

/// The maximum lag of the clock that file systems use for timestamps.
const TICK: Duration = Duration::from_millis(10);

/// The maximum duration of a write. Its timestamp is that of its start.
const WRITE: Duration = Duration::from_millis(250);

/// The resolution of timestamps on file systems that store multiples of one or two seconds.
const COARSE: Duration = Duration::from_secs(2);

/// Returns `true` if the timestamp `time` is certainly earlier than that of any change at `moment` or later.
fn is_before(time: Timespec, moment: SystemTime) -> bool {
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    settled_at(time).is_none_or(|settled| settled < since)
}

/// The time since the epoch until which a change may have the timestamp `time`; `None` if it is before the epoch.
fn settled_at(time: Timespec) -> Option<Duration> {
    let (seconds, nanos) = (u64::try_from(time.tv_sec).ok()?, u32::try_from(time.tv_nsec).ok()?);
    Some(Duration::new(seconds, nanos).saturating_add(if nanos == 0 { COARSE } else { TICK }))
}

/// Timestamps that set only the modification time.
pub(crate) fn modified_at(modified: Timespec) -> Timestamps {
    Timestamps { last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT }, last_modification: modified }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_is_earlier_only_beyond_the_clock_precision() {
        let moment = UNIX_EPOCH + Duration::from_secs(1_000);
        for (seconds, nanos, before) in [
            (999, 1, true),
            (999, 989_000_000, true),
            (999, 995_000_000, false),
            (1_000, 1, false),
            (2_000, 1, false),
            (997, 0, true),
            (999, 0, false),
            (-1, 5, true),
        ] {
            let time = Timespec { tv_sec: seconds, tv_nsec: nanos };
            assert_eq!(is_before(time, moment), before, "{seconds} s {nanos} ns");
        }
    }
}
