//! Comparing one name on both sides.

use std::ffi::OsStr;
use std::io;

use super::delete::count_tree;
use super::entry::{Entry, Kind};
use super::monitor::{Failure, FileError};
use super::plan::{Action, Change, Deletion, PlannedDirectory};
use super::scan::{Scan, Surplus};
use super::temporary::is_leftover;
use super::visit::{Found, Visit};

impl Scan<'_> {
    /// Plans what it takes to make a name in TO equal to what it is in FROM.
    pub(super) fn compare(&mut self, visit: &mut Visit, name: &OsStr, from: Option<Entry>) -> Result<(), Failure> {
        let found = visit.find(name)?;
        match from.map(|from| (from.kind, from)) {
            // At the top, each directory of FROM is an item of its own.
            Some((Kind::Directory, _)) if visit.is_top() => return Ok(()),
            Some((Kind::Directory, from)) => self.directory(visit, &found, from),
            Some((Kind::File, from)) => self.file(visit, &found, from)?,
            Some((Kind::Link, from)) => self.link(visit, &found, from)?,
            Some((Kind::Odd(what), _)) => self.odd(visit, name, what),
            None => return self.only_in_to(visit, &found),
        }
        self.plan.existing += u64::from(found.to.is_some());
        Ok(())
    }

    pub(super) fn odd(&self, visit: &Visit, name: &OsStr, what: &str) {
        self.monitor.warn(&visit.path.join(name), &format!("{what}, which is not copied"));
    }

    pub(super) fn directory(&mut self, visit: &mut Visit, found: &Found, from: Entry) {
        let planned = PlannedDirectory { path: visit.path.join(found.name), from, to: found.to };
        visit.touched |= !planned.exists();
        self.plan.creates += u64::from(!planned.exists());
        self.pending.push_back(planned);
    }

    fn file(&mut self, visit: &mut Visit, found: &Found, from: Entry) -> Result<(), Failure> {
        match found.to {
            Some(to) if !to.looks_like(&from) => self.change(visit, found, Action::CopyFile, from.size),
            None => self.change(visit, found, Action::CopyFile, from.size),
            Some(to) if !to.has_permissions_of(&from) => self.change(visit, found, Action::SetPermissions(from), 0),
            Some(_) => {
                self.unchanged();
                Ok(())
            }
        }
    }

    fn link(&mut self, visit: &mut Visit, found: &Found, from: Entry) -> Result<(), Failure> {
        if found.to.is_some_and(|to| to.looks_like(&from)) && visit.same_target(found.name)? {
            self.unchanged();
            return Ok(());
        }
        self.change(visit, found, Action::MakeLink(from), 0)
    }

    pub(super) fn unchanged(&mut self) {
        self.plan.unchanged += 1;
    }

    fn change(&mut self, visit: &mut Visit, found: &Found, action: Action, size: u64) -> Result<(), Failure> {
        let displaced = match found.to {
            Some(to) if to.kind == Kind::Directory => self.displaced(visit, found.name)?,
            _ => 0,
        };
        visit.touched = true;
        match found.to {
            None => self.plan.creates += 1,
            Some(_) => self.plan.updates += 1,
        }
        let (directory, name) = (visit.path.clone(), found.name.to_owned());
        self.plan.changes.push(Change { directory, name, action, size, displaced });
        Ok(())
    }

    /// Counts the entries of a directory in TO that a file or link of FROM takes the place of.
    fn displaced(&mut self, visit: &Visit, name: &OsStr) -> Result<u64, Failure> {
        let path = visit.path.join(name);
        let entries = count_tree(&self.root.to, &path, self.monitor)?;
        self.plan.existing += entries - 1;
        if entries > 1 && self.basis.surplus == Surplus::Keep {
            let cause = io::Error::new(
                io::ErrorKind::DirectoryNotEmpty,
                "a directory is in its place, which only --delete removes",
            );
            return Err(FileError { path, action: "cannot replace in TO", cause }.into());
        }
        Ok(entries)
    }

    fn only_in_to(&mut self, visit: &mut Visit, found: &Found) -> Result<(), Failure> {
        let Some(to) = found.to else { return Ok(()) };
        let path = visit.path.join(found.name);
        if to.kind != Kind::Directory && is_leftover(found.name) {
            visit.touched = true;
            self.plan.leftovers.push(path);
        } else if self.basis.surplus == Surplus::Delete {
            let entries = if to.kind == Kind::Directory { count_tree(&self.root.to, &path, self.monitor)? } else { 1 };
            visit.touched = true;
            self.plan.existing += entries;
            self.plan.deletions.push(Deletion { path, entries });
        } else {
            visit.surplus += 1;
        }
        Ok(())
    }
}
