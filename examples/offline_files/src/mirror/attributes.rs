//! The attributes of a file or directory besides its time: permission bits, access control lists, owner, extended attributes.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{Gid, Mode, Uid, fchmod, fchown, fstat};
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

    /// These attributes without the ones that the file system of `to` cannot store. Permissions and owners are tried only when they
    /// differ.
    pub(super) fn storable_in(self, to: &Directory) -> Self {
        let has = |name| extended::get(Place::Open(to.as_fd()), name) != Err(Errno::NOTSUP);
        let (acls, extended) = (self.acls && has(ACL), self.extended && has(c"user.any"));
        Self { acls, extended, ..self }
    }
}

impl Attributes {
    /// The attributes of an open file or directory.
    pub(crate) fn of(file: impl AsFd, entry: &Entry, kept: Kept) -> io::Result<Self> {
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

    pub(crate) fn mode(&self) -> Mode {
        self.mode
    }

    /// Returns `true` if there is an ACL.
    pub(super) fn has_acl(&self) -> bool {
        self.extended.contains_key(ACL) || self.extended.contains_key(DEFAULT_ACL)
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
    /// applies to all named users and groups. The group itself has an entry of its own. Without their entries, the named ones have
    /// the access of the group or of others, which therefore may not have more than the least of them.
    fn without_acls(mut self) -> Self {
        self.mode = self.mode_without_acls();
        self.extended.retain(|name, _| ![ACL, DEFAULT_ACL].contains(&name.as_c_str()));
        self
    }

    fn mode_without_acls(&self) -> Mode {
        self.extended.get(ACL).map_or(self.mode, |acl| mode_without(acl, self.mode))
    }

    /// Takes the permissions from the group and others of an entry in TO that these attributes do not give them.
    pub(super) fn narrow(&self, file: impl AsFd, sample: &Sample) -> io::Result<bool> {
        self.narrow_within(file, Mode::RWXG | Mode::RWXO, sample)
    }

    /// Takes those of the permissions `within` and the ACL from an entry in TO that these attributes do not give. Returns `true` if
    /// it had any. With the same ACL an entry gives everyone the same, and keeps it: less in the mask would be less for the named
    /// users.
    pub(super) fn narrow_within(&self, file: impl AsFd, within: Mode, sample: &Sample) -> io::Result<bool> {
        let (mode, acl) =
            (Mode::from_raw_mode(fstat(&file)?.st_mode), extended::get(Place::Open(file.as_fd()), ACL).ok());
        if acl.is_some() && acl.as_ref() == self.extended.get(ACL) {
            return Ok(false);
        }
        let kept = self.mode_without_acls() & acl.as_ref().map_or(mode, |acl| mode_without(acl, mode));
        let excess = (mode & within).difference(kept);
        if !excess.is_empty() {
            set_mode(&file, mode.difference(excess), sample)?;
        }
        if acl.is_some() {
            extended::remove(file.as_fd(), ACL)?;
        }
        Ok(acl.is_some() || !excess.is_empty())
    }

    /// The permission bits with which the system creates an entry that has only these attributes; `None` if it has others, or if
    /// its owner may not write it.
    pub(super) fn only_mode(&self) -> Option<Mode> {
        let needed = if self.is_directory { Mode::RWXU } else { Mode::RUSR | Mode::WUSR };
        let is_plain = self.owner.is_none() && self.extended.is_empty() && !self.mode.contains(Mode::SVTX);
        (is_plain && self.mode.contains(needed)).then_some(self.mode)
    }

    /// Compares with the attributes of an entry in TO, as far as it stores permissions and owners.
    pub(super) fn equal(&self, to: &Self, sample: &Sample) -> bool {
        self.extended == to.extended
            && (self.owner == to.owner || !sample.keeps_owners())
            && (self.mode == to.mode || !sample.keeps_modes())
    }

    /// Sets the attributes of an open file or directory in TO, as far as it stores permissions and owners. It is never more
    /// accessible than with these attributes.
    pub(crate) fn apply(&self, file: impl AsFd, kept: Kept, sample: &Sample) -> io::Result<()> {
        let place = Place::Open(file.as_fd());
        // A new owner, or the end of an old ACL, could give someone more access until the new permissions are set.
        self.narrow(&file, sample)?;
        if let Some((user, group)) = self.owner {
            fchown(&file, Some(user), Some(group)).or_else(|error| sample.excuse_owner(error))?;
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
                Err(Errno::NOTSUP) if **name == *ACL => mode = self.mode_without_acls(),
                Err(Errno::NOTSUP) => {}
                result => result?,
            }
        }
        set_mode(file, mode, sample)
    }
}

/// Sets the permissions of an open file or directory in TO, as far as it stores them.
fn set_mode(file: impl AsFd, mode: Mode, sample: &Sample) -> io::Result<()> {
    match fchmod(file, mode) {
        Err(_) if !sample.keeps_modes() => Ok(()),
        result => Ok(result?),
    }
}

/// The permissions that give no one more without `acl` than `mode` with it.
fn mode_without(acl: &[u8], mode: Mode) -> Mode {
    let [group, named] = least_permissions(acl);
    mode & (Mode::RWXU | Mode::SVTX | Mode::from_raw_mode(((group & named) << 3 | named).into()))
}

/// The permissions, as three bits, that an ACL gives to the group of the file, and those that it gives to each of the users and
/// groups that it names.
fn least_permissions(acl: &[u8]) -> [u16; 2] {
    const USER: u16 = 0x02;
    const GROUP: u16 = 0x04;
    const NAMED_GROUP: u16 = 0x08;
    const MASK: u16 = 0x10;
    /// The size of the version number that precedes the entries.
    const HEADER: usize = 4;
    /// Each entry has a tag and permissions of two bytes each, and the id of a user or group.
    const ENTRY: usize = 8;
    let number = |bytes: &[u8]| u16::from_le_bytes([bytes[0], bytes[1]]);
    let entries = || acl.get(HEADER..).unwrap_or_default().chunks_exact(ENTRY);
    let of = |tag| entries().filter(move |entry| number(entry) == tag).map(|entry| number(&entry[2..]));
    let mask = of(MASK).next().unwrap_or(7);
    let named = of(USER).chain(of(NAMED_GROUP)).fold(7, |least, permissions| least & permissions & mask);
    [of(GROUP).next().unwrap_or(0) & mask, named]
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::mirror::pair::Pair;
    use crate::mirror::skip::skip;

    fn least(entries: &[[u8; 2]]) -> [u16; 2] {
        let entries: Vec<_> = entries.iter().map(|[tag, permissions]| [*tag, 0, *permissions, 0, 1, 0, 0, 0]).collect();
        least_permissions(&[&[2, 0, 0, 0], entries.concat().as_slice()].concat())
    }

    #[test]
    fn permissions_are_taken_before_anything_else_is_set() {
        let tree = tempfile::tempdir().unwrap();
        let directory = Directory::open(tree.path()).unwrap();
        let file = directory.create_file(OsStr::new("file"), Mode::RUSR | Mode::WUSR).unwrap();
        fchmod(&file, Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::ROTH).unwrap();
        let (mode, extended) = (Mode::RUSR, BTreeMap::from([(c"user.too-large".to_owned(), vec![0; 1 << 20])]));
        let attributes = Attributes { mode, owner: None, is_directory: false, extended };
        let _ = attributes.apply(
            &file,
            Kept::default(),
            &Sample::new((&directory, "".as_ref()), "sample".into(), Arc::default()),
        );
        let mode = Mode::from_raw_mode(fstat(&file).unwrap().st_mode);
        assert!(!mode.intersects(Mode::RWXG | Mode::RWXO), "{mode:?}");
    }

    #[test]
    fn a_directory_with_the_same_acl_keeps_its_permissions() {
        let tree = tempfile::tempdir().unwrap();
        let directory = Directory::open(tree.path()).unwrap();
        let entries = [[1, 7, u32::MAX], [2, 5, 4711], [4, 0, u32::MAX], [0x10, 5, u32::MAX], [0x20, 0, u32::MAX]];
        let bytes = entries
            .map(|[tag, permissions, id]| (u64::from(id) << 32 | u64::from(permissions << 16 | tag)).to_le_bytes());
        let acl = [&[2, 0, 0, 0], bytes.concat().as_slice()].concat();
        if extended::set(directory.as_fd(), ACL, &acl) == Err(Errno::NOTSUP) {
            return skip("the file system of the temporary directory has no ACLs");
        }
        let pair = Pair::new(directory.clone(), directory.clone(), Kept { acls: true, ..Kept::default() });
        let about = directory.about().unwrap();
        let same = Attributes::of(&directory, &about, pair.file_system.kept).unwrap();
        pair.file_system.prepare(&directory, &same).unwrap();
        assert_eq!(directory.about().unwrap().mode, about.mode);
        extended::remove(directory.as_fd(), ACL).unwrap();
        fchmod(&directory, about.mode).unwrap();
        pair.file_system.prepare(&directory, &same).unwrap();
        let mode = directory.about().unwrap().mode;
        assert!(!mode.intersects(Mode::RWXG), "without the ACL it gave the group more");
    }

    #[test]
    fn the_group_has_its_own_permissions_and_not_those_of_the_mask() {
        assert_eq!(least(&[[1, 6], [2, 4], [4, 0], [0x10, 4], [0x20, 0]])[0], 0);
        assert_eq!(least(&[[2, 7], [4, 6], [0x10, 4]])[0], 4);
        assert_eq!(least_permissions(&[]), [0, 7]);
    }

    #[test]
    fn the_named_users_and_groups_have_the_least_of_their_permissions() {
        assert_eq!(least(&[[1, 6], [2, 0], [4, 4], [0x10, 4], [0x20, 4]])[1], 0);
        assert_eq!(least(&[[2, 6], [2, 7], [4, 0], [8, 5], [0x10, 7]])[1], 4);
        assert_eq!(least(&[[2, 7], [0x10, 5]])[1], 5);
    }
}
