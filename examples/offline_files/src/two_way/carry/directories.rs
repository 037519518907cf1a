//! Directories that are made, and the permissions of all directories.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::sync::PoisonError;

use rustix::fs::Mode;

use super::Run;
use super::modes::has_other_modes;
use crate::mirror::{
    Attributes, Directory, Done, Entry, Failure, FileContext, FileError, Occupant, Pair, Stopped, remove_expected,
};
use crate::two_way::disks::{Here, explain};
use crate::two_way::entry::Version;
use crate::two_way::plan::{Step, Verdict};
use crate::two_way::scan::version;
use crate::two_way::settled::Outcome;
use crate::two_way::side::{Both, Side};

impl Run<'_> {
    /// Creates a directory on one side. Its owner has all permissions until the end.
    pub(super) fn make_directory(&self, index: usize, to: Side) -> Result<(), Failure> {
        let (step, path) = (&self.part.steps[index], self.part.path(index));
        let made = self.disks.open(&self.part.parent_path(step.parent)).map_err(Failure::from);
        let made = made.and_then(|here| Ok(self.make_directory_in(&here, index, &path, to)?));
        made.inspect_err(|_| self.leave_unmade(index))
    }

    fn make_directory_in(&self, here: &Here, index: usize, path: &Path, to: Side) -> Result<(), FileError> {
        let step = &self.part.steps[index];
        let (pair, name) = (&here.to[to], &*step.name);
        let from = pair.from.enter(name).file_context("cannot be opened", to.other().into(), path)?;
        let is_free = match self.occupant(&pair.to, step, to, path)? {
            None => false,
            Some(Occupant::None) => true,
            Some(_) => {
                let scanned = step.found[to].map(|found| found.version);
                let is_scanned = |now: &Entry| scanned.is_some_and(|scanned| version(now).is_moved_from(&scanned));
                scanned.iter().for_each(|scanned| self.touch(to, scanned));
                remove_expected(&pair.to, name, is_scanned).file_context("cannot be replaced", to.into(), path)?
            }
        };
        if !is_free {
            let cause = io::Error::other("it changed during the run; the next run looks at it again");
            return Err(FileError::new(path.to_owned(), "cannot be replaced", cause).at(to.into()));
        }
        let created = pair.to.create_directory(name, Mode::RWXU).map_err(|cause| explain(&pair.to, name, to, cause));
        created.file_context("cannot be created", to.into(), path)?;
        self.failures.monitor.done(Done::Created);
        copy_attributes(pair, &from, name).file_context("cannot set the permissions", to.into(), path)?;
        let made = pair.to.entry(name).file_context("cannot be read", to.into(), path)?;
        made.map(|made| self.made.lock().unwrap_or_else(PoisonError::into_inner).insert(index, version(&made)));
        Ok(())
    }

    /// Sets the permissions of directories, from the bottom up: they may take the right to change what is in them.
    pub(super) fn finish_directories(&self) -> Result<(), Stopped> {
        for (index, step) in self.part.steps.iter().enumerate().rev() {
            if step.is_entered()
                && !self.is_unmade(index)
                && (matches!(step.verdict, Verdict::Copy(_)) || has_other_modes(step))
            {
                self.failures.monitor.advance(0)?;
                let finished = self.finish_directory(step, &self.part.path(index));
                let finished = self.failures.tolerate(finished)?.flatten().or_else(|| self.as_made(index));
                finished.into_iter().for_each(|versions| self.settle(index, Outcome::Agreed(versions)));
            }
        }
        Ok(())
    }

    /// The versions of a directory that was made and that a side does not have any more: the next run finds out which.
    fn as_made(&self, index: usize) -> Option<Both<Version>> {
        let step = &self.part.steps[index];
        let Verdict::Copy(to) = step.verdict else { return None };
        let made = *self.made.lock().unwrap_or_else(PoisonError::into_inner).get(&index)?;
        let source = step.found[to.other()]?.version;
        Some(Both::from_fn(|side| if side == to { made } else { source }))
    }

    fn finish_directory(&self, step: &Step, path: &Path) -> Result<Option<Both<Version>>, FileError> {
        let Ok(here) = self.disks.open(&self.part.parent_path(step.parent)) else { return Ok(None) };
        let look = |side: Side| Some(version(&here.directory(side).entry(&step.name).ok()??));
        let Some(versions) = Both::from_fn(look).together() else { return Ok(None) };
        if !versions.a.is_directory() || !versions.b.is_directory() {
            return Ok(None);
        }
        let is_mount = |side: Side| step.found[side].is_some_and(|found| found.version.is_mount);
        let versions = self.set_modes(&here, step, path, versions)?;
        Ok(versions.map(|versions| Both::from_fn(|side| Version { is_mount: is_mount(side), ..versions[side] })))
    }
}

/// Gives a new directory the attributes of the one that it is a copy of, if its owner keeps all permissions.
fn copy_attributes(pair: &Pair, from: &Directory, name: &OsStr) -> io::Result<()> {
    let attributes = Attributes::of(from, &from.about()?, pair.file_system.kept)?;
    let attributes = pair.file_system.for_copy(attributes);
    if attributes.mode().contains(Mode::RWXU) {
        attributes.apply(pair.to.enter(name)?, pair.file_system.kept, &pair.file_system.sample)?;
    }
    Ok(())
}
