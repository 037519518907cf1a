//! Comparing the two sides of an item.

use std::collections::VecDeque;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::SystemTime;

use rustix::io::Errno;

use super::directory::Pair;
use super::entry::Kind;
use super::extent::Extent;
use super::memory::{Memory, Origin, Settled, digest};
use super::monitor::{Doing, Failure, Monitor, Stopped, tolerate};
use super::plan::{Plan, PlannedDirectory};
use super::visit::Visit;

/// What becomes of entries that only TO has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Surplus {
    Keep,
    Delete,
}

/// What a comparison starts from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Basis<'a> {
    pub(crate) surplus: Surplus,
    /// What need not be compared.
    pub(crate) known: &'a Memory,
    /// A file in FROM that is left out, with those beside it whose names begin like it: the state, which changes while it is
    /// looked at.
    pub(crate) aside: Option<&'a Path>,
}

impl Basis<'_> {
    fn put_aside(&self, directory: &Path, origin: &mut Origin) {
        let Some((parent, name)) = self.aside.and_then(|aside| aside.parent().zip(aside.file_name())) else { return };
        if parent == directory {
            origin.retain(|other, _| !other.as_bytes().starts_with(name.as_bytes()));
        }
    }
}

/// Compares the two sides of `extent`. What cannot be read is reported, and left alone in TO. Of a directory that is
/// known, only FROM's side is read.
pub(crate) fn scan(root: &Pair, extent: &Extent, basis: Basis<'_>, monitor: &dyn Monitor) -> Result<Plan, Stopped> {
    let (plan, pending, began) = (Plan::default(), VecDeque::new(), monitor.now());
    let mut scan = Scan { root, basis, monitor, began, plan, pending };
    tolerate(monitor, scan.start(extent))?;
    while let Some(directory) = scan.pending.pop_front() {
        tolerate(monitor, scan.visit(directory))?;
    }
    Ok(scan.plan)
}

/// A scan under way, breadth first: one directory of each side is open at a time.
pub(super) struct Scan<'a> {
    pub(super) root: &'a Pair,
    pub(super) basis: Basis<'a>,
    pub(super) monitor: &'a dyn Monitor,
    began: SystemTime,
    pub(super) plan: Plan,
    pub(super) pending: VecDeque<PlannedDirectory>,
}

impl Scan<'_> {
    fn start(&mut self, extent: &Extent) -> Result<(), Failure> {
        let mut top = Visit::top(self.root);
        match extent {
            Extent::TopLevel => self.look(&mut top),
            Extent::Directory(name) => {
                let from = top.find_from(name)?.filter(|from| from.kind == Kind::Directory);
                let from = from.ok_or(Errno::NOTDIR).doing("cannot enter in FROM", Path::new(name))?;
                let found = top.find(name)?;
                self.directory(&mut top, &found, from);
                Ok(())
            }
        }
    }

    /// Looks into a directory, and plans the directory itself if anything about it must change.
    fn visit(&mut self, directory: PlannedDirectory) -> Result<(), Failure> {
        let mut visit = Visit::open(self.root, &directory)?;
        self.look(&mut visit)?;
        if visit.touched || !directory.is_settled() {
            self.plan.updates += u64::from(directory.exists());
            self.plan.directories.push(directory);
        }
        Ok(())
    }

    /// Looks at what is in a directory; in TO only if it is not known to be in order.
    fn look(&mut self, visit: &mut Visit) -> Result<(), Failure> {
        let mut origin = visit.origin(self.monitor)?;
        self.basis.put_aside(&visit.path, &mut origin);
        self.plan.entries += origin.len() as u64;
        let existing = self.plan.existing;
        let digest = digest(&visit.path, &origin, visit.stamp, self.began);
        let known = digest.and_then(|digest| self.basis.known.get(digest));
        match known.filter(|known| self.basis.surplus == Surplus::Keep || known.surplus == 0) {
            Some(known) => self.trust(visit, &origin, known)?,
            None => self.compare_all(visit, &origin)?,
        }
        if let Some(digest) = digest.filter(|_| visit.is_settled()) {
            let settled = Settled { existing: self.plan.existing - existing, surplus: visit.surplus };
            self.plan.settled.insert(digest, settled);
        }
        Ok(())
    }

    /// Takes a directory for what it was; those in it are on their own.
    fn trust(&mut self, visit: &mut Visit, origin: &Origin, known: Settled) -> Result<(), Failure> {
        for (name, from) in origin {
            self.monitor.moved(0)?;
            match from.map(|from| (from.kind, from)) {
                Some((Kind::Directory, from)) if !visit.is_top() => {
                    let found = visit.find(name)?;
                    self.directory(visit, &found, from);
                }
                Some((Kind::File | Kind::Link, _)) => self.unchanged(),
                Some((Kind::Odd(what), _)) => self.odd(visit, name, what),
                _ => {}
            }
        }
        visit.surplus = known.surplus;
        self.plan.existing += known.existing;
        Ok(())
    }

    fn compare_all(&mut self, visit: &mut Visit, origin: &Origin) -> Result<(), Failure> {
        for name in visit.names(origin)? {
            self.monitor.moved(0)?;
            let from = match origin.get(&name) {
                Some(None) => continue,
                Some(from) => *from,
                None => None,
            };
            if tolerate(self.monitor, self.compare(visit, &name, from))?.is_none() {
                visit.failed = true;
            }
        }
        Ok(())
    }
}
