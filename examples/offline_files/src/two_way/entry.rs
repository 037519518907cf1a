//! The entries of a side as a scan finds them, and as both sides last agreed on them.

use super::side::{Both, Side};

/// A point in time as a file system stores it: seconds since 1970, and nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Time {
    pub(crate) seconds: i64,
    pub(crate) nanos: u32,
}

/// The kind of an entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    #[default]
    Directory,
    File,
    Link,
    /// A special file, such as a FIFO, which is never opened or copied.
    Special,
}

/// What tells one version of an entry from another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) kind: Kind,
    pub(crate) inode: u64,
    pub(crate) size: u64,
    pub(crate) modified: Time,
    /// The time of the last change of contents or metadata, which programs cannot set.
    pub(crate) changed: Time,
    /// The permission bits.
    pub(crate) mode: u16,
    /// `true` for a directory on which another file system is mounted.
    pub(crate) is_mount: bool,
}

/// An entry that a scan found.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Found {
    pub(crate) version: Version,
    /// `true` for a directory that has entries which the scan leaves out: ignored ones, and the program's own.
    pub(crate) hides: bool,
    /// `true` for a directory that could not be read. Nothing is known about what it contains.
    pub(crate) is_unreadable: bool,
    /// `true` if it had another name in the agreed state.
    pub(crate) is_moved: bool,
}

/// An entry on which both sides agreed: the version on each side. `None` for a directory that only holds the place of what was moved
/// into it.
pub(crate) type Agreed = Option<Both<Version>>;

/// How an entry compares to the version that was agreed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Change {
    /// It is that version.
    None,
    /// Only its metadata have changed, such as its name, permissions or number of links, unless an edit has put its time of modification
    /// back.
    Metadata,
    /// Its contents may differ, only a comparison can tell.
    Possible,
    /// Its contents differ.
    Certain,
}

impl Found {
    pub(crate) fn new(version: Version) -> Self {
        Self { version, ..Self::default() }
    }

    /// Returns `true` if it is the agreed version of its side in every respect.
    pub(crate) fn is_as_agreed(&self, agreed: &Version) -> bool {
        let parts = |version: &Version| (version.kind, version.inode, version.mode, version.is_mount);
        let times = |version: &Version| (version.size, version.modified, version.changed);
        let (now, is_file) = (&self.version, !self.version.is_directory());
        !self.is_unreadable && parts(now) == parts(agreed) && (!is_file || times(now) == times(agreed))
    }
}

impl Version {
    pub(crate) fn is_directory(&self) -> bool {
        self.kind == Kind::Directory
    }

    /// How the contents compare to those of the `agreed` version of the same side.
    pub(crate) fn change_since(&self, agreed: &Self) -> Change {
        if self.kind != agreed.kind {
            Change::Certain
        } else if self.is_directory() {
            if self.inode == agreed.inode { Change::None } else { Change::Possible }
        } else if (self.size, self.modified) != (agreed.size, agreed.modified) {
            Change::Certain
        } else if (self.inode, self.changed) == (agreed.inode, agreed.changed) {
            Change::None
        } else if self.inode == agreed.inode && agreed.would_get_another_time() {
            // Another file of the same size may have been made at the same time.
            Change::Metadata
        } else {
            Change::Possible
        }
    }

    /// Returns `true` if every later edit gives it another time of modification, unless that is put back: the file system stores parts of
    /// seconds, or the last edit was more than two seconds, the coarsest unit, before the version was seen.
    fn would_get_another_time(&self) -> bool {
        self.modified.nanos != 0 || self.modified.seconds + 2 < self.changed.seconds
    }

    /// Returns `true` if this is the agreed entry under another name.
    pub(crate) fn is_moved_from(&self, agreed: &Self) -> bool {
        let is_same = (self.kind, self.inode) == (agreed.kind, agreed.inode);
        is_same && (self.is_directory() || (self.size, self.modified) == (agreed.size, agreed.modified))
    }

    /// Returns `true` if nothing has changed since the scan that found this version, as far as metadata tell.
    pub(crate) fn is_still(&self, now: &Self) -> bool {
        let parts = |version: &Self| (version.kind, version.inode, version.mode);
        let times = |version: &Self| (version.size, version.modified, version.changed);
        parts(self) == parts(now) && (self.is_directory() || times(self) == times(now))
    }
}

/// The permission bits for both sides, of which each bit is merged by itself: a bit that one side has changed since the agreed version
/// is that of this side. Without an agreed version, nothing gives more access than both sides do.
pub(crate) fn merged_modes(agreed: Option<&Both<Version>>, found: &Both<Version>) -> Both<u16> {
    let Some(agreed) = agreed else {
        let least = found.a.mode & found.b.mode;
        return Both { a: least, b: least };
    };
    Both::from_fn(|side| {
        let (own, other) = (found[side].mode, found[side.other()].mode);
        let changed = other ^ agreed[side.other()].mode;
        own & !changed | other & changed
    })
}

/// The side whose version was modified last; `None` if both were at the same time.
pub(crate) fn newer(found: &Both<Version>) -> Option<Side> {
    match found.a.modified.cmp(&found.b.modified) {
        std::cmp::Ordering::Greater => Some(Side::A),
        std::cmp::Ordering::Less => Some(Side::B),
        std::cmp::Ordering::Equal => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_permission_bit_is_merged_by_itself() {
        let both = |a, b| Both { a, b }.map(|mode| Version { mode, ..Version::default() });
        let merged = |agreed, a, b| {
            let modes = merged_modes(Some(&both(agreed, agreed)), &both(a, b));
            assert_eq!(modes.a, modes.b);
            modes.a
        };
        assert_eq!(merged(0o644, 0o755, 0o644), 0o755);
        assert_eq!(merged(0o644, 0o755, 0o600), 0o711);
        assert_eq!(merged(0o644, 0o600, 0o600), 0o600);
        assert_eq!(merged_modes(None, &both(0o755, 0o640)).a, 0o640);
    }

    #[test]
    fn a_side_that_stores_no_permissions_changes_none() {
        let agreed = Both { a: 0o600, b: 0o777 }.map(|mode| Version { mode, ..Version::default() });
        let modes = merged_modes(Some(&agreed), &agreed);
        assert_eq!((modes.a, modes.b), (0o600, 0o777));
    }
}
