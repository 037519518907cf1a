//! Comparison of one name on both sides.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::FileType;

use super::apply::collision;
use super::delete::{self, count_tree};
use super::entry::{Entry, Kind, describe};
use super::file_system::FileSystem;
use super::listing::Checksum;
use super::monitor::{Failure, FileContext, FileError, Location, Monitor};
use super::plan::{Action, Change, Deletion, Occupant, Plan, Respelling};
use super::scan::{ExtraEntries, Scan};
use super::scan_cache::SourceDigest;
use super::sides::Sides;
use super::temporary::is_leftover;
use super::visit::{Pending, TargetEntry, Visit};

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
    /// `true` if a file was not compared. TO may then have another one of equal size and time.
    pub(super) is_uncertain: bool,
    /// `true` if TO has extra entries, which are kept.
    pub(super) has_extra: bool,
}

impl Found {
    pub(super) fn with_checksum(checksum: Checksum) -> Self {
        Self { checksum, ..Self::default() }
    }

    /// Records that an entry in TO gets another name. The next run compares the directory again, also if that fails.
    fn expect_respelling(&mut self) {
        self.touched = true;
        self.source.merge(SourceDigest::UNKNOWN);
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
        self.is_uncertain |= other.is_uncertain;
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
        if visit.is_top() && from.is_directory() {
            // It is an item of its own, whose directory in TO may have another spelling.
            if !sides.listed.contains(name) {
                sides.find(name)?;
            }
            return Ok(());
        }
        let target = self.find(sides, found, name).inspect_err(|_| found.is_uncertain = true)?;
        match from.kind {
            Kind::Directory => self.directory(visit, found, &target, from),
            Kind::File => self.file(visit, found, index, &target, from)?,
            Kind::Link => self.link(visit, found, index, &target, from)?,
            Kind::Special(what) => self.skip_special(visit, name, what),
        }
        found.plan.existing += u64::from(target.to.is_some());
        Ok(())
    }

    /// Looks up a name of FROM in TO. Plans to rename what it finds if TO lists that in another spelling.
    fn find<'n>(&self, sides: &Sides<'_>, found: &mut Found, name: &'n OsStr) -> Result<TargetEntry<'n>, FileError> {
        if self.options.completes_renamings && sides.complete_respell(name) {
            found.expect_respelling();
        }
        let target = sides.find(name)?;
        let Some(spelling) = sides.spelling(&target) else { return Ok(target) };
        let is_of_item = || sides.visit.is_top() && self.root.claims.claim(spelling, name).is_err();
        if !sides.is_free(&target, spelling) || is_of_item() {
            return Err(collides(sides.visit, &target, spelling));
        }
        found.expect_respelling();
        found.plan.respellings.push(Respelling::of(&sides.visit.path, spelling, name));
        Ok(target)
    }

    pub(super) fn skip_special(&self, visit: &Visit, name: &OsStr, special: FileType) {
        self.monitor.warn(&visit.path.join(name), &format!("{} is not copied", describe(special)));
    }

    pub(super) fn directory(&self, visit: &Visit, found: &mut Found, target: &TargetEntry<'_>, from: Entry) {
        let path = visit.path.join(target.name);
        if let Some(itself) = part_of_target(visit, target, &from) {
            return self.monitor.warn(&path, &format!("{itself}, and is not copied into itself"));
        }
        let path: Arc<Path> = path.into();
        let is_moved = self.is_moved(visit, &path, &from);
        let (file_system, lineage) = (visit.about.file_system.clone(), visit.about.lineage.clone());
        let pending = Pending { path, from, to: target.to, is_moved, file_system, lineage };
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
        let (has_links, device) = (self.has_links(&from), visit.about.file_system.device);
        let action = match has_links.then(|| self.links.find(&from, device)).flatten() {
            Some(first) => first.link_for(target),
            None => self.file_action(visit, target, &from)?,
        };
        if has_links {
            self.links.add((&from, device), visit.path.join(target.name), target.to, action.as_ref());
        }
        match action {
            Some(action) => self.change(visit, found, (index, &from), target, action)?,
            None => found.plan.unchanged += 1,
        }
        Ok(())
    }

    /// Returns `true` if the names of `from` are to be links of one file in TO.
    pub(super) fn has_links(&self, from: &Entry) -> bool {
        self.root.asked.hard_links && from.names > 1 && from.kind == Kind::File
    }

    /// The action that makes a file in TO equal to `from`; `None` if it is equal.
    fn file_action(&self, visit: &Visit, target: &TargetEntry<'_>, from: &Entry) -> Result<Option<Action>, Failure> {
        let copy = Some(Action::CopyFile(from.size));
        let Some(to) = target.to.filter(|to| is_alike(visit, from, to)) else { return Ok(copy) };
        let is_suspect = visit.about.is_moved || self.may_have_changed(from);
        // A file that cannot be read fails when it is copied, and its copy then gets no more permissions than it has.
        let is_equal = || match visit.same_contents(target.name, self.monitor) {
            Err(Failure::File(_)) => Ok(false),
            compared => compared,
        };
        if is_suspect && !is_equal()? {
            return Ok(copy);
        }
        let attributes = visit.new_attributes(target.name, from, &to)?;
        // Another name of the file in TO, as in a snapshot, keeps its attributes.
        let is_shared = to.names > 1 && !self.has_links(from);
        Ok(attributes.and_then(|new| if is_shared { copy } else { Some(Action::SetAttributes(Box::new(new))) }))
    }

    /// Returns `true` if `from` may have changed since the last complete run.
    fn may_have_changed(&self, from: &Entry) -> bool {
        self.options.changed_since.is_some_and(|moment| !from.was_changed_before(moment))
    }

    /// Returns `true` if the last complete run may have mirrored another directory than `from` at `path`, a directory in `visit`. The
    /// files in it keep their change times when it is moved, but the directory that contains it changes.
    fn is_moved(&self, visit: &Visit, path: &Path, from: &Entry) -> bool {
        let parent = &visit.about;
        let is_entered =
            parent.is_moved || self.may_have_changed(&parent.from) || parent.from.device() != from.device();
        let was_here = || self.options.cache.has_place(self.place(path, from));
        self.options.changed_since.is_some()
            && is_entered
            && !was_here().unwrap_or_else(|| !parent.is_moved && !self.may_have_changed(from))
    }

    fn link(
        &self,
        visit: &Visit,
        found: &mut Found,
        index: usize,
        target: &TargetEntry<'_>,
        from: Entry,
    ) -> Result<(), Failure> {
        let FileSystem { kept, sample, .. } = &*visit.about.file_system;
        let owned = |to: &Entry| !kept.owners || to.owner == from.owner || !sample.keeps_owners();
        if target.to.is_some_and(|to| is_alike(visit, &from, &to) && owned(&to)) && visit.same_target(target.name)? {
            found.plan.unchanged += 1;
            return Ok(());
        }
        self.change(visit, found, (index, &from), target, Action::MakeLink(Box::new(from)))
    }

    fn change(
        &self,
        visit: &Visit,
        found: &mut Found,
        (index, from): (usize, &Entry),
        target: &TargetEntry<'_>,
        action: Action,
    ) -> Result<(), Failure> {
        let occupant = match target.to {
            None => Occupant::None,
            Some(to) if to.kind == Kind::Directory => self.directory_in_the_way(visit, found, target.name, &to)?,
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
        let is_copied = matches!(action, Action::CopyFile(_) | Action::LinkTo(_));
        let is_twin = is_copied && target.to.is_some_and(|to| is_alike(visit, from, &to));
        found.changes.push(Change { is_twin, ..Change::new(name, from.inode(), occupant, action) });
        Ok(())
    }

    /// Counts the entries of the directory `name` in TO, which a file or link of FROM replaces.
    fn directory_in_the_way(
        &self,
        visit: &Visit,
        found: &mut Found,
        name: &OsStr,
        to: &Entry,
    ) -> Result<Occupant, Failure> {
        let path = visit.path.join(name);
        let entries = count_tree(self.root, &path, self.monitor)?;
        found.plan.existing += entries - 1;
        let reason = if self.options.own_files.are_below(&path, to) {
            "a directory with the state has this name"
        } else if entries > 1 && self.options.extra_entries == ExtraEntries::Keep {
            "a directory with entries has this name; use --delete to remove it"
        } else {
            return Ok(Occupant::Directory(u32::try_from(entries).unwrap_or(u32::MAX)));
        };
        let cause = io::Error::new(io::ErrorKind::DirectoryNotEmpty, reason);
        Err(FileError::new(path, "cannot be replaced", cause).at(Location::To).into())
    }

    /// Plans the deletion of the entry `name`, which only TO has.
    pub(super) fn only_in_target(&self, sides: &Sides<'_>, found: &mut Found, name: &OsStr) -> Result<(), Failure> {
        let visit = sides.visit;
        let target = visit.find(name)?;
        let Some(to) = target.to.filter(|to| !sides.keeps(to)) else { return Ok(()) };
        let path = visit.path.join(name);
        if to.kind != Kind::Directory && is_leftover(name) {
            found.touched = true;
            found.displace(&target);
            found.plan.leftovers.push(path);
        } else if self.options.extra_entries == ExtraEntries::Delete {
            let planned = found.plan.deletions.len();
            self.delete(found, path, &to)?;
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
    fn delete(&self, found: &mut Found, path: PathBuf, to: &Entry) -> Result<(), Failure> {
        let own_files = self.options.own_files;
        if own_files.are_below(&path, to) {
            let directory = delete::enter(self.root, &path)?;
            let own_names = own_files.names_in_target(&path, Some(to));
            let names = directory.names().file_context("cannot be listed", Location::To, &path)?;
            for name in names.into_iter().filter(|name| !own_names.contains(name)) {
                let path = path.join(&name);
                let entry = directory.entry(&name).file_context("cannot read the metadata", Location::To, &path)?;
                entry.map_or(Ok(()), |entry| self.delete(found, path, &entry))?;
            }
            return Ok(());
        }
        let entries = if to.kind == Kind::Directory { count_tree(self.root, &path, self.monitor)? } else { 1 };
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

/// Describes a directory of FROM that is also mounted in TO, as its own copy or as a directory that contains it; `None` for others.
fn part_of_target(visit: &Visit, target: &TargetEntry<'_>, from: &Entry) -> Option<&'static str> {
    let lineage = &visit.about.lineage;
    let is_copy = || target.to.is_some_and(|to| to.id() == from.id());
    match lineage.has_target(from) {
        true if lineage.starts_with_target(from) => Some("is TO itself"),
        has_target => (has_target || is_copy()).then_some("is a directory of TO"),
    }
}

/// Returns `true` if kind, size and time are equal, as far as TO stores times.
fn is_alike(visit: &Visit, from: &Entry, to: &Entry) -> bool {
    to.resembles(from) && visit.about.file_system.sample.same_time(from, to)
}

/// The error for a name that TO does not distinguish from `other`, which FROM also has.
pub(super) fn collides(visit: &Visit, target: &TargetEntry<'_>, other: &OsStr) -> FileError {
    FileError::new(visit.path.join(target.name), "is not copied", collision(other))
}
