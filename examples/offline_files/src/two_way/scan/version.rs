//! Versions of entries on disk.

use crate::mirror::{self, Entry};
use crate::two_way::entry::{Kind, Time, Version};

/// The version of an entry on a disk.
pub(crate) fn version(entry: &Entry) -> Version {
    let time =
        |time: rustix::fs::Timespec| Time { seconds: time.tv_sec, nanos: u32::try_from(time.tv_nsec).unwrap_or(0) };
    let kind = match entry.kind {
        mirror::Kind::Directory => Kind::Directory,
        mirror::Kind::File => Kind::File,
        mirror::Kind::Link => Kind::Link,
        mirror::Kind::Special(_) => Kind::Special,
    };
    let mode = u16::try_from(entry.mode.as_raw_mode() & 0o1777).expect("these bits fit");
    Version {
        kind,
        inode: entry.inode(),
        size: if kind == Kind::Directory { 0 } else { entry.size },
        modified: time(entry.modified),
        changed: time(entry.changed),
        // The permissions of links have no meaning, and cannot be set.
        mode: if kind == Kind::Link { 0o777 } else { mode },
        is_mount: false,
    }
}
