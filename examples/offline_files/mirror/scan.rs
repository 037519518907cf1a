//! Comparing the two sides of an item.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;

use rustix::io::Errno;

use super::delete::count_tree;
use super::directory::{Directory, Pair};
use super::entry::{Entry, Kind};
use super::monitor::{Doing, Failure, FileError, Monitor, Stopped, tolerate};
use super::plan::{Action, Change, Deletion, Plan, PlannedDirectory};
use super::temporary::is_leftover;
use super::visit::{Found, Visit};

/// The part of the two trees that an item owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// One directory directly below FROM.
    Directory(OsString),
    /// Every other name at the top of either side.
    TopLevel,
}

/// What becomes of entries that only TO has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Surplus {
    Keep,
    Delete,
}

/// The names of the directories directly below `from`.
pub(crate) fn directories_of(from: &Directory) -> io::Result<Vec<OsString>> {
    let mut directories = Vec::new();
    for name in from.names()? {
        if from.entry(&name)?.is_some_and(|entry| entry.kind == Kind::Directory) {
            directories.push(name);
        }
    }
    Ok(directories)
}

/// Compares the two sides of `extent`. What cannot be read is reported, and left alone in TO.
pub(crate) fn scan(root: &Pair, extent: &Extent, surplus: Surplus, monitor: &dyn Monitor) -> Result<Plan, Stopped> {
    let mut scan = Scan { root, surplus, monitor, plan: Plan::default(), pending: VecDeque::new() };
    tolerate(monitor, scan.start(extent))?;
    while let Some(directory) = scan.pending.pop_front() {
        tolerate(monitor, scan.visit(directory))?;
    }
    Ok(scan.plan)
}

/// A scan under way, breadth first: one directory of each side is open at a time.
struct Scan<'a> {
    root: &'a Pair,
    surplus: Surplus,
    monitor: &'a dyn Monitor,
    plan: Plan,
    pending: VecDeque<PlannedDirectory>,
}

impl Scan<'_> {
    fn start(&mut self, extent: &Extent) -> Result<(), Failure> {
        let mut top = Visit::top(self.root);
        match extent {
            Extent::TopLevel => self.compare_all(&mut top),
            Extent::Directory(name) => {
                let found = top.find(name)?;
                let from = found.from.filter(|from| from.kind == Kind::Directory);
                let from = from.ok_or(Errno::NOTDIR).doing("cannot enter in FROM", Path::new(name))?;
                self.directory(&mut top, &found, from);
                Ok(())
            }
        }
    }

    /// Compares what is in a directory, and plans the directory itself if anything about it must change.
    fn visit(&mut self, directory: PlannedDirectory) -> Result<(), Failure> {
        let mut visit = Visit::open(self.root, &directory)?;
        self.compare_all(&mut visit)?;
        if visit.touched || !directory.is_settled() {
            self.plan.directories.push(directory);
        }
        Ok(())
    }

    fn compare_all(&mut self, visit: &mut Visit) -> Result<(), Failure> {
        for name in visit.names()? {
            self.monitor.moved(0)?;
            tolerate(self.monitor, self.compare(visit, &name))?;
        }
        Ok(())
    }

    fn compare(&mut self, visit: &mut Visit, name: &OsStr) -> Result<(), Failure> {
        let found = visit.find(name)?;
        match found.from.map(|from| (from.kind, from)) {
            // At the top, each directory of FROM is an item of its own.
            Some((Kind::Directory, _)) if visit.is_top() => return Ok(()),
            Some((Kind::Directory, from)) => self.directory(visit, &found, from),
            Some((Kind::File, from)) => self.file(visit, &found, from)?,
            Some((Kind::Link, from)) => self.link(visit, &found, from)?,
            Some((Kind::Odd(what), _)) => {
                self.monitor.warn(&visit.path.join(name), &format!("{what}, which is not copied"));
            }
            None => return self.only_in_to(visit, &found),
        }
        self.plan.existing += u64::from(found.to.is_some());
        Ok(())
    }

    fn directory(&mut self, visit: &mut Visit, found: &Found, from: Entry) {
        let planned = PlannedDirectory { path: visit.path.join(found.name), from, to: found.to };
        visit.touched |= !planned.exists();
        self.pending.push_back(planned);
    }

    fn file(&mut self, visit: &mut Visit, found: &Found, from: Entry) -> Result<(), Failure> {
        match found.to {
            Some(to) if !to.looks_like(&from) => self.change(visit, found, Action::CopyFile, from.size),
            None => self.change(visit, found, Action::CopyFile, from.size),
            Some(to) if !to.has_permissions_of(&from) => self.change(visit, found, Action::SetPermissions(from), 0),
            Some(_) => self.unchanged(),
        }
    }

    fn link(&mut self, visit: &mut Visit, found: &Found, from: Entry) -> Result<(), Failure> {
        if found.to.is_some_and(|to| to.looks_like(&from)) && visit.same_target(found.name)? {
            return self.unchanged();
        }
        self.change(visit, found, Action::MakeLink(from), 0)
    }

    fn unchanged(&mut self) -> Result<(), Failure> {
        self.plan.unchanged += 1;
        Ok(())
    }

    fn change(&mut self, visit: &mut Visit, found: &Found, action: Action, size: u64) -> Result<(), Failure> {
        let displaced = match found.to {
            Some(to) if to.kind == Kind::Directory => self.displaced(visit, found.name)?,
            _ => 0,
        };
        visit.touched = true;
        let (directory, name) = (visit.path.clone(), found.name.to_owned());
        self.plan.changes.push(Change { directory, name, action, size, displaced });
        Ok(())
    }

    /// Counts the entries of a directory in TO that a file or link of FROM takes the place of.
    fn displaced(&mut self, visit: &Visit, name: &OsStr) -> Result<u64, Failure> {
        let path = visit.path.join(name);
        let entries = count_tree(&self.root.to, &path, self.monitor)?;
        self.plan.existing += entries - 1;
        if entries > 1 && self.surplus == Surplus::Keep {
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
        } else if self.surplus == Surplus::Delete {
            let entries = if to.kind == Kind::Directory { count_tree(&self.root.to, &path, self.monitor)? } else { 1 };
            visit.touched = true;
            self.plan.existing += entries;
            self.plan.deletions.push(Deletion { path, entries });
        }
        Ok(())
    }
}
