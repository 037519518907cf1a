//! Comparison of one name on both sides.

use std::collections::HashSet;
use std::collections::hash_map::Entry::{Occupied, Vacant};
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use rustix::fs::FileType;

use super::apply::collision;
use super::delete::{self, count_tree};
use super::entry::{Entry, Kind, describe};
use super::listing::{Checksum, Listing};
use super::monitor::{Failure, FileContext, FileError};
use super::plan::{Action, Change, Deletion, Occupant, Plan, Respelling};
use super::scan::{ExtraEntries, Linked, Scan};
use super::scan_cache::SourceDigest;
use super::temporary::is_leftover;
use super::visit::{Pending, TargetEntry, Visit};

/// A directory that is compared entry by entry.
pub(super) struct Sides<'a> {
    pub(super) visit: &'a Visit,
    /// The names in FROM.
    pub(super) names: &'a Listing,
    /// The names in TO.
    pub(super) listed: &'a Listing,
    /// The names in TO that are other spellings of names in FROM.
    pub(super) respelled: Mutex<HashSet<OsString>>,
}

/// The results of the comparison of some entries of a directory.
#[derive(Default)]
pub(super) struct Found {
    /// The numbers of entries, and the changes other than those of files and links.
    pub(super) plan: Plan,
    pub(super) changes: Vec<Change>,
    /// The subdirectories.
    pub(super) directories: Vec<Pending>,
    pub(super) source: SourceDigest,
    /// The checksum of the entries of TO that the plan does not replace or delete.
    pub(super) checksum: Checksum,
    /// `true` if the directory in TO, and thus its modification time, will change.
    pub(super) touched: bool,
    /// `true` if an entry failed.
    pub(super) failed: bool,
    /// `true` if TO has extra entries, which are kept.
    pub(super) has_extra: bool,
}

impl Sides<'_> {
    /// The names that only TO has, without other spellings of names in FROM.
    pub(super) fn only_in_target(&self) -> impl Iterator<Item = &OsStr> {
        let respelled = self.respelled.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.listed.without(self.names).filter(move |name| !respelled.contains(*name))
    }
}

impl Found {
    pub(super) fn with_checksum(checksum: Checksum) -> Self {
        Self { checksum, ..Self::default() }
    }

    /// Counts an entry of FROM.
    pub(super) fn count_source(&mut self, from: &Entry) {
        self.plan.entries += 1;
        self.plan.files += u64::from(!from.is_directory());
    }

    /// Adds the results for the next entries.
    pub(super) fn merge(mut self, other: Self) -> Self {
        self.plan.merge(other.plan);
        self.changes.extend(other.changes);
        self.directories.extend(other.directories);
        self.source.merge(other.source);
        self.checksum.merge(other.checksum);
        self.touched |= other.touched;
        self.failed |= other.failed;
        self
    }
}

impl Scan<'_> {
    /// Plans the changes that make the entry in TO equal to `from`, the one in FROM at `index`.
    pub(super) fn compare(
        &self,
        sides: &Sides<'_>,
        found: &mut Found,
        index: usize,
        from: Entry,
    ) -> Result<(), Failure> {
        let (visit, name) = (sides.visit, sides.names.name(index));
        let is_listed = sides.listed.contains(name);
        // At the top level, each directory in FROM is an item of its own.
        let is_item = visit.is_top() && from.is_directory();
        if is_item && is_listed {
            return Ok(());
        }
        let target = visit.find(name)?;
        if target.to.is_some() && !is_listed {
            self.respell(sides, found, &target, is_item)?;
        }
        match from.kind {
            Kind::Directory if is_item => return Ok(()),
            Kind::Directory => self.directory(visit, found, &target, from),
            Kind::File => self.file(visit, found, index, &target, from)?,
            Kind::Link => self.link(visit, found, index, &target, from)?,
            Kind::Special(what) => self.skip_special(visit, name, what),
        }
        found.plan.existing += u64::from(target.to.is_some());
        Ok(())
    }

    /// Plans to rename an entry that TO lists in another spelling. The other spelling is no longer an extra entry.
    fn respell(
        &self,
        sides: &Sides<'_>,
        found: &mut Found,
        target: &TargetEntry<'_>,
        is_item: bool,
    ) -> Result<(), Failure> {
        let visit = sides.visit;
        let Some(spelling) = visit.spelling(target)? else { return Ok(()) };
        let is_free = !sides.names.contains(&spelling) && sides.listed.contains(&spelling);
        let mut respelled = sides.respelled.lock().unwrap_or_else(PoisonError::into_inner);
        if !is_free || !respelled.insert(spelling.clone()) {
            return Err(collides(visit, target, &spelling).into());
        }
        // Another item may be at work in a directory at the top level.
        if !is_item {
            found.touched = true;
            // The next run compares the directory again, also if the name cannot be changed.
            found.source.merge(SourceDigest::UNKNOWN);
            let (directory, to) = (visit.path.clone(), target.name.to_owned());
            found.plan.respellings.push(Respelling { directory, from: spelling, to });
        }
        Ok(())
    }

    /// Fails if TO lists an item's directory as the directory of another item.
    pub(super) fn refuse_collision(&self, top: &Visit, target: &TargetEntry<'_>) -> Result<(), FileError> {
        match top.spelling(target)? {
            Some(other) if top.find_from(&other)?.is_some() => Err(collides(top, target, &other)),
            _ => Ok(()),
        }
    }

    pub(super) fn skip_special(&self, visit: &Visit, name: &OsStr, special: FileType) {
        self.monitor.warn(&visit.path.join(name), &format!("{} is not copied", describe(special)));
    }

    pub(super) fn directory(&self, visit: &Visit, found: &mut Found, target: &TargetEntry<'_>, from: Entry) {
        if self.root.is_to(&from) {
            return self.monitor.warn(&visit.path.join(target.name), "is TO itself, and is not copied into itself");
        }
        let pending = Pending { path: visit.path.join(target.name).into(), from, to: target.to };
        if !pending.exists() {
            found.touched = true;
            found.plan.creates += 1;
            found.displace(target);
        }
        found.directories.push(pending);
    }

    fn file(
        &self,
        visit: &Visit,
        found: &mut Found,
        index: usize,
        target: &TargetEntry<'_>,
        from: Entry,
    ) -> Result<(), Failure> {
        let copy = Action::CopyFile(from.size);
        if let Some(first) = self.first_name(visit, target, &from) {
            return self.change(visit, found, index, target, Action::LinkTo(Box::new(first)));
        }
        let Some(to) = target.to.filter(|to| self.is_alike(&from, to)) else {
            return self.change(visit, found, index, target, copy);
        };
        let is_suspect = self.options.changed_since.is_some_and(|moment| !from.was_changed_before(moment));
        if is_suspect && !visit.same_contents(target.name, self.monitor)? {
            return self.change(visit, found, index, target, copy);
        }
        match visit.new_attributes(target.name, &from, &to, self.root)? {
            // Another name of the file in TO, as in a snapshot, keeps its attributes.
            Some(_) if to.names > 1 && !self.root.kept.hard_links => self.change(visit, found, index, target, copy),
            Some(attributes) => self.change(visit, found, index, target, Action::SetAttributes(Box::new(attributes))),
            None => {
                found.plan.unchanged += 1;
                Ok(())
            }
        }
    }

    /// Returns the first name of a file whose other names are already scanned, if the one in TO must become a link to it.
    fn first_name(&self, visit: &Visit, target: &TargetEntry<'_>, from: &Entry) -> Option<PathBuf> {
        if !self.root.kept.hard_links || from.names < 2 {
            return None;
        }
        let to = target.to.filter(|to| self.is_alike(from, to)).map(|to| to.id());
        match self.linked.lock().unwrap_or_else(PoisonError::into_inner).entry(from.id()) {
            Vacant(entry) => {
                entry.insert(Linked { path: visit.path.join(target.name), to });
                None
            }
            Occupied(first) if to.is_some() && first.get().to == to => None,
            Occupied(first) => Some(first.get().path.clone()),
        }
    }

    fn link(
        &self,
        visit: &Visit,
        found: &mut Found,
        index: usize,
        target: &TargetEntry<'_>,
        from: Entry,
    ) -> Result<(), Failure> {
        let owned = |to: &Entry| !self.root.kept.owners || to.owner == from.owner;
        if target.to.is_some_and(|to| self.is_alike(&from, &to) && owned(&to)) && visit.same_target(target.name)? {
            found.plan.unchanged += 1;
            return Ok(());
        }
        self.change(visit, found, index, target, Action::MakeLink(Box::new(from)))
    }

    /// Returns `true` if kind, size and time are equal, as far as TO stores times.
    fn is_alike(&self, from: &Entry, to: &Entry) -> bool {
        to.resembles(from) && self.root.sample.same_time(from, to)
    }

    fn change(
        &self,
        visit: &Visit,
        found: &mut Found,
        index: usize,
        target: &TargetEntry<'_>,
        action: Action,
    ) -> Result<(), Failure> {
        let occupant = match target.to {
            None => Occupant::None,
            Some(to) if to.kind == Kind::Directory => self.directory_in_the_way(visit, found, target.name)?,
            Some(_) => Occupant::Entry,
        };
        found.touched = true;
        match occupant {
            Occupant::None => found.plan.creates += 1,
            _ => found.plan.updates += 1,
        }
        if !matches!(action, Action::SetAttributes(_)) {
            found.displace(target);
        }
        let name = u32::try_from(index).expect("a listing has fewer names than bytes");
        found.changes.push(Change { name, occupant, action });
        Ok(())
    }

    /// Counts the entries of the directory `name` in TO, which a file or link of FROM replaces.
    fn directory_in_the_way(&self, visit: &Visit, found: &mut Found, name: &OsStr) -> Result<Occupant, Failure> {
        let path = visit.path.join(name);
        let entries = count_tree(self.root, &path, self.monitor)?;
        found.plan.existing += entries - 1;
        let reason = if self.options.own_files.are_in(&path) {
            "a directory with the state has this name"
        } else if entries > 1 && self.options.extra_entries == ExtraEntries::Keep {
            "a directory with entries has this name; use --delete to remove it"
        } else {
            return Ok(Occupant::Directory(u32::try_from(entries).unwrap_or(u32::MAX)));
        };
        let cause = io::Error::new(io::ErrorKind::DirectoryNotEmpty, reason);
        Err(FileError::new(path, "cannot be replaced in TO", cause).into())
    }

    /// Plans the deletion of the entry `name`, which only TO has.
    pub(super) fn only_in_target(&self, visit: &Visit, found: &mut Found, name: &OsStr) -> Result<(), Failure> {
        let target = visit.find(name)?;
        let Some(to) = target.to else { return Ok(()) };
        let path = visit.path.join(name);
        if to.kind != Kind::Directory && is_leftover(name) {
            found.touched = true;
            found.displace(&target);
            found.plan.leftovers.push(path);
        } else if self.options.extra_entries == ExtraEntries::Delete {
            let planned = found.plan.deletions.len();
            self.delete(found, path, to.kind)?;
            if found.plan.deletions.len() > planned {
                found.touched = true;
                found.displace(&target);
            }
        } else {
            found.has_extra = true;
        }
        Ok(())
    }

    /// Plans the deletion of an entry in TO, except for the program's own files and the directories that contain them.
    fn delete(&self, found: &mut Found, path: PathBuf, kind: Kind) -> Result<(), Failure> {
        let own_files = self.options.own_files;
        if own_files.are_in(&path) {
            if own_files.contains(&path) {
                return Ok(());
            }
            let directory = delete::enter(self.root, &path)?;
            for name in directory.names().file_context("cannot be listed in TO", &path)? {
                let path = path.join(&name);
                let entry = directory.entry(&name).file_context("cannot read the metadata in TO", &path)?;
                entry.map_or(Ok(()), |entry| self.delete(found, path, entry.kind))?;
            }
            return Ok(());
        }
        let entries = if kind == Kind::Directory { count_tree(self.root, &path, self.monitor)? } else { 1 };
        found.plan.existing += entries;
        found.plan.deletions.push(Deletion { path, entries });
        Ok(())
    }
}

impl Found {
    /// Removes an entry of TO that is replaced or deleted from the checksum.
    fn displace(&mut self, target: &TargetEntry<'_>) {
        if let Some(to) = target.to {
            self.checksum.remove(target.name, to.inode());
        }
    }
}

/// The error for a name that TO does not distinguish from `other`, which FROM also has.
fn collides(visit: &Visit, target: &TargetEntry<'_>, other: &OsStr) -> FileError {
    FileError::new(visit.path.join(target.name), "is not copied", collision(other))
}
