//! Comparison of one name on both sides.

use std::collections::BTreeSet;
use std::collections::hash_map::Entry::{Occupied, Vacant};
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::PathBuf;

use super::apply::collision;
use super::delete::count_tree;
use super::entry::{Entry, Kind};
use super::monitor::{Failure, FileContext, FileError};
use super::plan::{Action, Change, Deletion, Occupant, PlannedDirectory, Respelling};
use super::scan::{ExtraEntries, Linked, Scan};
use super::scan_cache::SourceEntries;
use super::temporary::is_leftover;
use super::visit::{TargetEntry, Visit};

impl Scan<'_> {
    /// Plans the changes that make the entry `name` in TO equal to the one in FROM.
    pub(super) fn compare(
        &mut self,
        visit: &mut Visit,
        name: &OsStr,
        from: Entry,
        source: &SourceEntries,
        listed: &mut BTreeSet<OsString>,
    ) -> Result<(), Failure> {
        let target = visit.find(name)?;
        if target.to.is_some() && !listed.contains(name) {
            self.respell(visit, &target, from, source, listed)?;
        }
        match from.kind {
            // At the top level, each directory in FROM is an item of its own.
            Kind::Directory if visit.is_top() => return Ok(()),
            Kind::Directory => self.directory(visit, &target, from),
            Kind::File => self.file(visit, &target, from)?,
            Kind::Link => self.link(visit, &target, from)?,
            Kind::Special(what) => self.skip_special(visit, name, what),
        }
        self.plan.existing += u64::from(target.to.is_some());
        Ok(())
    }

    /// Plans to rename an entry that TO lists in another spelling. The other spelling is no longer an extra entry.
    fn respell(
        &mut self,
        visit: &mut Visit,
        target: &TargetEntry<'_>,
        from: Entry,
        source: &SourceEntries,
        listed: &mut BTreeSet<OsString>,
    ) -> Result<(), Failure> {
        let Some(spelling) = visit.spelling(target)? else { return Ok(()) };
        if source.contains_key(&spelling) || !listed.remove(&spelling) {
            return Err(collides(visit, target, &spelling).into());
        }
        // Another item may be at work in a directory at the top level.
        if !visit.is_top() || from.kind != Kind::Directory {
            visit.touched = true;
            let (directory, to) = (visit.path.clone(), target.name.to_owned());
            self.plan.respellings.push(Respelling { directory, from: spelling, to });
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

    pub(super) fn skip_special(&self, visit: &Visit, name: &OsStr, what: &str) {
        self.monitor.warn(&visit.path.join(name), &format!("{what} is not copied"));
    }

    pub(super) fn directory(&mut self, visit: &mut Visit, target: &TargetEntry, from: Entry) {
        if self.root.is_to(&from) {
            return self.monitor.warn(&visit.path.join(target.name), "is TO itself, and is not copied into itself");
        }
        let planned = PlannedDirectory { path: visit.path.join(target.name), from, to: target.to, attributes: None };
        visit.touched |= !planned.exists();
        self.plan.creates += u64::from(!planned.exists());
        self.pending.push_back(planned);
    }

    fn file(&mut self, visit: &mut Visit, target: &TargetEntry, from: Entry) -> Result<(), Failure> {
        if self.root.kept.hard_links && from.names > 1 {
            let is_alike = |to: &Entry| self.is_alike(&from, to);
            let to = target.to.filter(is_alike).map(|to| to.id());
            match self.linked.entry(from.id()) {
                Vacant(entry) => drop(entry.insert(Linked { path: visit.path.join(target.name), to })),
                Occupied(first) if to.is_some() && first.get().to == to => {}
                Occupied(first) => {
                    let action = Action::LinkTo(first.get().path.clone());
                    return self.change(visit, target, action, 0);
                }
            }
        }
        let Some(to) = target.to.filter(|to| self.is_alike(&from, to)) else {
            return self.change(visit, target, Action::CopyFile, from.size);
        };
        let is_suspect = self.options.changed_since.is_some_and(|moment| !from.was_changed_before(moment));
        if is_suspect && !visit.same_contents(target.name, self.monitor)? {
            return self.change(visit, target, Action::CopyFile, from.size);
        }
        if self.has_applied_attributes(&from, &to) {
            self.count_unchanged();
            return Ok(());
        }
        match visit.new_attributes(target.name, &from, &to, self.root)? {
            // Another name of the file in TO, as in a snapshot, keeps its attributes.
            Some(_) if to.names > 1 && !self.root.kept.hard_links => {
                self.change(visit, target, Action::CopyFile, from.size)
            }
            Some(attributes) => self.change(visit, target, Action::SetAttributes(attributes), 0),
            None => {
                self.count_unchanged();
                Ok(())
            }
        }
    }

    fn link(&mut self, visit: &mut Visit, target: &TargetEntry, from: Entry) -> Result<(), Failure> {
        let owned = |to: &Entry| !self.root.kept.owners || to.owner == from.owner;
        if target.to.is_some_and(|to| self.is_alike(&from, &to) && owned(&to)) && visit.same_target(target.name)? {
            self.count_unchanged();
            return Ok(());
        }
        self.change(visit, target, Action::MakeLink(from), 0)
    }

    /// Returns `true` if kind, size and time are equal, as far as TO stores times.
    fn is_alike(&self, from: &Entry, to: &Entry) -> bool {
        to.resembles(from) && self.root.sample.same_time(from, to)
    }

    /// Returns `true` if the run has compared or set the attributes of `to` already, and `from` has not changed since.
    fn has_applied_attributes(&self, from: &Entry, to: &Entry) -> bool {
        let has_settled = |moment| from.was_changed_before(moment);
        self.options.applied_since.is_some_and(has_settled) && from.mode == to.mode && from.owner == to.owner
    }

    pub(super) fn count_unchanged(&mut self) {
        self.plan.unchanged += 1;
    }

    fn change(&mut self, visit: &mut Visit, target: &TargetEntry, action: Action, size: u64) -> Result<(), Failure> {
        let occupant = match target.to {
            None => Occupant::None,
            Some(to) if to.kind == Kind::Directory => Occupant::Directory(self.count_displaced(visit, target.name)?),
            Some(_) => Occupant::Entry,
        };
        visit.touched = true;
        match occupant {
            Occupant::None => self.plan.creates += 1,
            _ => self.plan.updates += 1,
        }
        let (directory, name) = (visit.path.clone(), target.name.to_owned());
        self.plan.changes.push(Change { directory, name, action, size, occupant });
        Ok(())
    }

    /// Counts the entries of the directory `name` in TO, which a file or link of FROM replaces.
    fn count_displaced(&mut self, visit: &Visit, name: &OsStr) -> Result<u64, Failure> {
        let path = visit.path.join(name);
        let entries = count_tree(self.root, &path, self.monitor)?;
        self.plan.existing += entries - 1;
        let reason = if self.options.own_files.are_in(&path) {
            "a directory with the state has this name"
        } else if entries > 1 && self.options.extra_entries == ExtraEntries::Keep {
            "a directory with entries has this name; use --delete to remove it"
        } else {
            return Ok(entries);
        };
        let cause = io::Error::new(io::ErrorKind::DirectoryNotEmpty, reason);
        Err(FileError::new(path, "cannot be replaced in TO", cause).into())
    }

    /// Plans the deletion of the entry `name`, which only TO has.
    pub(super) fn only_in_target(&mut self, visit: &mut Visit, name: &OsStr) -> Result<(), Failure> {
        let Some(to) = visit.find(name)?.to else { return Ok(()) };
        let path = visit.path.join(name);
        if to.kind != Kind::Directory && is_leftover(name) {
            visit.touched = true;
            self.plan.leftovers.push(path);
        } else if self.options.extra_entries == ExtraEntries::Delete {
            let planned = self.plan.deletions.len();
            self.delete(path, to.kind)?;
            visit.touched |= self.plan.deletions.len() > planned;
        } else {
            visit.extra_count += 1;
        }
        Ok(())
    }

    /// Plans the deletion of an entry in TO, except for the program's own files and the directories that contain them.
    fn delete(&mut self, path: PathBuf, kind: Kind) -> Result<(), Failure> {
        let own_files = self.options.own_files;
        if own_files.are_in(&path) {
            if own_files.contains(&path) {
                return Ok(());
            }
            let directory = self.root.to.descend(&path).file_context("cannot be opened in TO", &path)?;
            for name in directory.names().file_context("cannot be listed in TO", &path)? {
                let path = path.join(&name);
                let entry = directory.entry(&name).file_context("cannot read the metadata in TO", &path)?;
                entry.map_or(Ok(()), |entry| self.delete(path, entry.kind))?;
            }
            return Ok(());
        }
        let entries = if kind == Kind::Directory { count_tree(self.root, &path, self.monitor)? } else { 1 };
        self.plan.existing += entries;
        self.plan.deletions.push(Deletion { path, entries });
        Ok(())
    }
}

/// The error for a name that TO does not distinguish from `other`, which FROM also has.
fn collides(visit: &Visit, target: &TargetEntry<'_>, other: &OsStr) -> FileError {
    FileError::new(visit.path.join(target.name), "is not copied", collision(other))
}
