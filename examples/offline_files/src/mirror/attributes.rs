//! The attributes of a file or directory besides its time: permission bits, access control lists, owner, extended attributes.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{Gid, Mode, Uid, fchmod, fchown};
use rustix::io::Errno;

use super::directory::Directory;
use super::entry::Entry;
use super::extended::{self, Place};
use super::sample::Sample;

/// The access control list (ACL) of a file or directory.
const ACL: &CStr = c"system.posix_acl_access";
/// The ACL that new entries of a directory inherit.
pub(super) const DEFAULT_ACL: &CStr = c"system.posix_acl_default";

/// The attributes that a mirror keeps besides permission bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) acls: bool,
    pub(crate) owners: bool,
    /// The extended attributes of users, in the namespace `user`.
    pub(crate) extended: bool,
    /// The fact that several names in an item are one file.
    pub(crate) hard_links: bool,
}

/// The attributes of a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attributes {
    mode: Mode,
    owner: Option<(Uid, Gid)>,
    is_directory: bool,
    /// ACLs and extended attributes, as the kernel represents them.
    extended: BTreeMap<CString, Vec<u8>>,
}

impl Kept {
    /// These attributes as one number.
    pub(super) fn bits(self) -> u8 {
        let Self { acls, owners, extended, hard_links } = self;
        [acls, owners, extended, hard_links].into_iter().fold(0, |bits, bit| 2 * bits + u8::from(bit))
    }

    /// These attributes without the ones that `directory` cannot store.
    pub(crate) fn storable_in(self, directory: &Directory) -> Self {
        let acls = self.acls && extended::get(Place::Open(directory.as_fd()), ACL) != Err(Errno::NOTSUP);
        Self { acls, ..self }
    }
}

impl Attributes {
    /// The attributes of an open file or directory.
    pub(super) fn of(file: impl AsFd, entry: &Entry, kept: Kept) -> io::Result<Self> {
        Self::read(Place::Open(file.as_fd()), entry, kept)
    }

    /// The attributes of the file `name`.
    pub(super) fn of_name(directory: &Directory, name: &OsStr, entry: &Entry, kept: Kept) -> io::Result<Self> {
        // A path in /proc takes several times as long.
        if let Ok(file) = directory.open_file(name) {
            return Self::of(file, entry, kept);
        }
        let directory = format!("/proc/self/fd/{}/", directory.as_fd().as_raw_fd());
        let path = CString::new([directory.as_bytes(), name.as_bytes()].concat())?;
        Self::read(Place::Path(&path), entry, kept)
    }

    /// The attributes for a copy of an entry with these ones.
    pub(super) fn for_copy(self, kept: Kept) -> Self {
        let copy = if kept.acls { self } else { self.without_acls() };
        Self { mode: copy.mode & (Mode::RWXU | Mode::RWXG | Mode::RWXO | Mode::SVTX), ..copy }
    }

    fn read(place: Place<'_>, entry: &Entry, kept: Kept) -> io::Result<Self> {
        let mut extended = BTreeMap::new();
        let names = if kept.extended { extended::user_names(place)? } else { Vec::new() };
        let is_directory = entry.is_directory();
        let default_acl = is_directory.then(|| DEFAULT_ACL.to_owned());
        for name in names.into_iter().chain([ACL.to_owned()]).chain(default_acl) {
            match extended::get(place, &name) {
                Ok(value) => drop(extended.insert(name, value)),
                Err(Errno::NODATA | Errno::NOTSUP | Errno::NOENT) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Self { mode: entry.mode, owner: kept.owners.then_some(entry.owner), is_directory, extended })
    }

    /// The attributes in a place without ACLs, where they give no one more access. With an ACL, the group bits are its mask, which
    /// applies to all named users and groups. The group itself has an entry of its own.
    fn without_acls(mut self) -> Self {
        self.extended.remove(DEFAULT_ACL);
        if let Some(acl) = self.extended.remove(ACL) {
            self.mode &= !Mode::RWXG | Mode::from_raw_mode(u32::from(group_permissions(&acl)) << 3);
        }
        self
    }

    /// The permission bits with which the system creates an entry that has only these attributes; `None` if it has others, or if
    /// its owner may not write it.
    pub(super) fn only_mode(&self) -> Option<Mode> {
        let needed = if self.is_directory { Mode::RWXU } else { Mode::RUSR | Mode::WUSR };
        let is_plain = self.owner.is_none() && self.extended.is_empty() && !self.mode.contains(Mode::SVTX);
        (is_plain && self.mode.contains(needed)).then_some(self.mode)
    }

    /// Compares with the attributes of an entry in TO, as far as it stores permissions.
    pub(super) fn equal(&self, to: &Self, sample: &Sample) -> bool {
        self == to || Self { mode: to.mode, ..self.clone() } == *to && !sample.keeps_modes()
    }

    /// Sets the attributes of an open file or directory in TO. It is never more accessible than with these attributes.
    pub(super) fn apply(&self, file: impl AsFd, kept: Kept) -> io::Result<()> {
        let place = Place::Open(file.as_fd());
        if let Some((user, group)) = self.owner {
            fchown(&file, Some(user), Some(group))?;
        }
        let stale = if kept.extended { extended::user_names(place)? } else { Vec::new() };
        for name in stale.iter().map(CString::as_c_str).chain([ACL]).chain(self.is_directory.then_some(DEFAULT_ACL)) {
            if !self.extended.contains_key(name) && extended::get(place, name).is_ok() {
                extended::remove(file.as_fd(), name)?;
            }
        }
        let mut mode = self.mode;
        for (name, value) in &self.extended {
            match extended::set(file.as_fd(), name, value) {
                Err(Errno::NOTSUP) if **name == *ACL => mode = self.clone().without_acls().mode,
                Err(Errno::NOTSUP) => {}
                result => result?,
            }
        }
        Ok(fchmod(&file, mode)?)
    }
}

/// The permissions that an ACL gives to the group of the file, as three bits.
fn group_permissions(acl: &[u8]) -> u16 {
    const GROUP: u16 = 0x04;
    const MASK: u16 = 0x10;
    /// The size of the version number that precedes the entries.
    const HEADER: usize = 4;
    /// Each entry has a tag and permissions of two bytes each, and the id of a user or group.
    const ENTRY: usize = 8;
    let number = |bytes: &[u8]| u16::from_le_bytes([bytes[0], bytes[1]]);
    let entries = || acl.get(HEADER..).unwrap_or_default().chunks_exact(ENTRY);
    let permissions = |tag| entries().find(|entry| number(entry) == tag).map(|entry| number(&entry[2..]));
    permissions(GROUP).unwrap_or(0) & permissions(MASK).unwrap_or(7)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_has_its_own_permissions_and_not_those_of_the_mask() {
        let entry = |tag: u8, permissions: u8| [tag, 0, permissions, 0, 1, 0, 0, 0];
        let acl = |entries: &[[u8; 8]]| [&[2, 0, 0, 0], entries.concat().as_slice()].concat();
        assert_eq!(
            group_permissions(&acl(&[entry(1, 6), entry(2, 4), entry(4, 0), entry(0x10, 4), entry(0x20, 0)])),
            0
        );
        assert_eq!(group_permissions(&acl(&[entry(2, 7), entry(4, 6), entry(0x10, 4)])), 4);
        assert_eq!(group_permissions(&[]), 0);
    }
}
