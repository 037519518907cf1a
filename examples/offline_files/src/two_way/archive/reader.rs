//! Reading.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use super::{Before, MOUNTS, PLACE, SAME_MODE, SAME_TIME};
use crate::two_way::entry::{Agreed, Kind, Time, Version};
use crate::two_way::side::{Both, Side};

pub(super) struct Reader<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) before: Before,
}

impl<'a> Reader<'a> {
    pub(super) fn entry(&mut self) -> Option<(&'a OsStr, Agreed)> {
        let length = usize::try_from(self.number()?).ok()?;
        let (name, rest) = self.bytes.split_at_checked(length)?;
        let (tag, rest) = rest.split_first()?;
        self.bytes = rest;
        let name = OsStr::from_bytes(name);
        if tag & 3 == PLACE {
            return Some((name, None));
        }
        let mut versions = Both::<Version>::default();
        for side in Side::BOTH {
            let version = self.version(*tag, side, &versions.a)?;
            versions[side] = version;
        }
        if versions.a.kind != Kind::Directory {
            let size = self.number()?;
            (versions.a.size, versions.b.size) = (size, size);
        }
        Some((name, Some(versions)))
    }

    fn version(&mut self, tag: u8, side: Side, other: &Version) -> Option<Version> {
        let kind = [Kind::Directory, Kind::File, Kind::Link][usize::from(tag & 3)];
        let inode = self.difference(self.before.inodes[side] as i64)? as u64;
        self.before.inodes[side] = inode;
        let is_first = side == Side::A;
        let has_mode = is_first || tag & SAME_MODE == 0;
        let mode = if has_mode { u16::try_from(self.number()?).ok()? } else { other.mode };
        let is_mount = tag & MOUNTS[side] != 0;
        let mut version = Version { kind, inode, mode, is_mount, ..Version::default() };
        if kind != Kind::Directory {
            version.modified = other.modified;
            if is_first || tag & SAME_TIME == 0 {
                version.modified = self.time(self.before.modified)?;
                self.before.modified = version.modified.seconds;
            }
            version.changed = self.time(self.before.changed[side])?;
            self.before.changed[side] = version.changed.seconds;
        }
        Some(version)
    }

    fn time(&mut self, before: i64) -> Option<Time> {
        Some(Time { seconds: self.difference(before)?, nanos: u32::try_from(self.number()?).ok()? })
    }

    pub(super) fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.bytes.split_first()?;
            self.bytes = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if *byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn difference(&mut self, before: i64) -> Option<i64> {
        let number = self.number()?;
        Some(before.wrapping_add((number >> 1) as i64 ^ -((number & 1) as i64)))
    }
}
