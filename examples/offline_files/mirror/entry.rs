//! What the mirror keeps of a file, directory or link.

use rustix::fs::{FileType, Mode, Stat, Timespec, Timestamps, UTIME_OMIT};

/// An entry of a directory as it was last seen, links not followed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) kind: Kind,
    pub(crate) size: u64,
    pub(crate) modified: Timespec,
    mode: Mode,
}

/// The kinds of entries the mirror tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Directory,
    File,
    Link,
    /// Neither copied nor opened; the text says what it is.
    Odd(&'static str),
}

impl Entry {
    /// The bits to give to a copy: permissions and sticky bit, never set-user-id or set-group-id.
    pub(crate) fn permissions(&self) -> Mode {
        self.mode & (Mode::RWXU | Mode::RWXG | Mode::RWXO | Mode::SVTX)
    }

    /// Whether this entry in TO carries the bits that a copy of `from` is given.
    pub(crate) fn has_permissions_of(&self, from: &Entry) -> bool {
        self.mode == from.permissions()
    }

    /// Whether two files are the same by kind, size and modification time.
    pub(crate) fn looks_like(&self, other: &Entry) -> bool {
        self.kind == other.kind && self.size == other.size && self.modified == other.modified
    }
}

impl From<Stat> for Entry {
    fn from(stat: Stat) -> Self {
        Self {
            kind: FileType::from_raw_mode(stat.st_mode).into(),
            size: u64::try_from(stat.st_size).unwrap_or(0),
            modified: Timespec { tv_sec: stat.st_mtime as _, tv_nsec: stat.st_mtime_nsec as _ },
            mode: Mode::from_raw_mode(stat.st_mode),
        }
    }
}

impl From<FileType> for Kind {
    fn from(file_type: FileType) -> Self {
        match file_type {
            FileType::Directory => Self::Directory,
            FileType::RegularFile => Self::File,
            FileType::Symlink => Self::Link,
            FileType::Fifo => Self::Odd("a FIFO"),
            FileType::Socket => Self::Odd("a socket"),
            FileType::CharacterDevice | FileType::BlockDevice => Self::Odd("a device"),
            _ => Self::Odd("of an unknown type"),
        }
    }
}

/// A change of the modification time alone.
pub(crate) fn modified_at(modified: Timespec) -> Timestamps {
    Timestamps { last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT }, last_modification: modified }
}
