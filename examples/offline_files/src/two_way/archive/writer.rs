//! Writing.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use super::{Before, MOUNTS, PLACE, SAME_MODE, SAME_TIME};
use crate::two_way::entry::{Agreed, Kind, Version};
use crate::two_way::side::{Both, Side};

#[derive(Debug, Default)]
pub(super) struct Writer {
    pub(super) bytes: Vec<u8>,
    before: Before,
}

impl Writer {
    pub(super) fn entry(&mut self, name: &OsStr, entry: &Agreed) {
        self.number(name.len() as u64);
        self.bytes.extend(name.as_bytes());
        let Some(versions) = entry else { return self.bytes.push(PLACE) };
        let Both { a, b } = versions;
        let has_same = |is_same: bool, bit: u8| if is_same { bit } else { 0 };
        let kind = match a.kind {
            Kind::File => 1,
            Kind::Link => 2,
            Kind::Directory | Kind::Special => 0,
        };
        let mounts = has_same(a.is_mount, MOUNTS.a) | has_same(b.is_mount, MOUNTS.b);
        let same = has_same(a.modified == b.modified, SAME_TIME) | has_same(a.mode == b.mode, SAME_MODE);
        self.bytes.push(kind | mounts | same);
        for side in Side::BOTH {
            let version = &versions[side];
            let before = std::mem::replace(&mut self.before.inodes[side], version.inode);
            self.difference(version.inode as i64, before as i64);
            if side == Side::A || a.mode != b.mode {
                self.number(version.mode.into());
            }
            if kind != 0 {
                self.times(version, side, side == Side::A || a.modified != b.modified);
            }
        }
        if kind != 0 {
            self.number(a.size);
        }
    }

    fn times(&mut self, version: &Version, side: Side, with_modified: bool) {
        if with_modified {
            let before = std::mem::replace(&mut self.before.modified, version.modified.seconds);
            self.difference(version.modified.seconds, before);
            self.number(version.modified.nanos.into());
        }
        let before = std::mem::replace(&mut self.before.changed[side], version.changed.seconds);
        self.difference(version.changed.seconds, before);
        self.number(version.changed.nanos.into());
    }

    /// Writes a number in groups of seven bits.
    pub(super) fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }

    fn difference(&mut self, number: i64, before: i64) {
        let difference = number.wrapping_sub(before);
        self.number((difference << 1 ^ difference >> 63) as u64);
    }
}
