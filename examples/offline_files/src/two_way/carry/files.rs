//! Copies of files and links.

use std::ffi::OsStr;
use std::path::Path;

use super::Run;
use crate::mirror::{
    Copied, Counted, Done, Entry, Expected, Failure, FileContext, FileError, LARGE, Location, Monitor, Occupant, Pair,
    Stopped, Updated, copy_link, copy_version, update,
};
use crate::two_way::disks::{Here, explain, failure_in};
use crate::two_way::entry::{Found, Kind, Version};
use crate::two_way::kept::Keeper;
use crate::two_way::plan::{Step, Verdict};
use crate::two_way::scan::version;
use crate::two_way::settled::Outcome;
use crate::two_way::side::{Both, Side};

impl Run<'_> {
    /// Does these steps in a directory.
    pub(super) fn do_files(&self, directory: Option<usize>, files: &[usize]) -> Result<(), Stopped> {
        let parent = self.part.parent_path(directory);
        let Some(here) = self.failures.tolerate(self.disks.open(&parent))? else { return Ok(()) };
        for index in files {
            self.failures.monitor.advance(0)?;
            let step = &self.part.steps[*index];
            let done = self.do_file(&here, step, &parent.join(&step.name));
            let done = self.failures.tolerate(done)?.flatten();
            done.into_iter().for_each(|versions| self.settle(*index, Outcome::Agreed(versions)));
        }
        Ok(())
    }

    /// Copies a file or link if need be, and sets its permissions. Returns the versions of both sides; `None` if one of them has
    /// changed since the scan.
    fn do_file(&self, here: &Here, step: &Step, path: &Path) -> Result<Option<Both<Version>>, Failure> {
        let versions = match step.verdict {
            Verdict::Copy(to) => self.copy(here, step, path, to).map_err(|failure| failure_in(failure, to))?,
            _ => step.found.map(|found| found.map(|found| found.version)).together(),
        };
        Ok(versions.map(|versions| self.set_modes(here, step, path, versions)).transpose()?.flatten())
    }

    /// Copies a file or link, or updates it in place.
    fn copy(&self, here: &Here, step: &Step, path: &Path, to: Side) -> Result<Option<Both<Version>>, Failure> {
        let pair = &here.to[to];
        let Some(scanned) = step.found[to.other()].map(|found| found.version) else { return Ok(None) };
        let monitor = &Counted::new(self.failures.monitor);
        let copied = match self.update(pair, step, path, to, monitor)? {
            Updated::To { source, target } => {
                let is_updated = |now: &Version| version(&target).is_still(now);
                self.copied(pair, (&step.name, path), to, &source, is_updated)?
            }
            Updated::Not => {
                monitor.restart();
                let is_still = |now: &Entry| self.is_still(to.other(), &scanned, &version(now));
                let copied = copy_entry(pair, &step.name, path, scanned.kind, is_still, monitor)?;
                copied.map(|copied| self.publish(pair, step, path, to, copied)).transpose()?.flatten()
            }
            Updated::Shared => None,
        };
        if copied.is_none() {
            self.failures.leave(path);
        }
        Ok(copied)
    }

    /// Gives a copy its name, unless another program has changed what it replaces.
    fn publish(
        &self,
        pair: &Pair,
        step: &Step,
        path: &Path,
        to: Side,
        (copied, source): (Copied<'_>, Entry),
    ) -> Result<Option<Both<Version>>, Failure> {
        let name = &*step.name;
        let Some(occupant) = self.occupant(&pair.to, step, to, path)? else { return Ok(None) };
        let temporary = pair.to.entry(copied.temporary.name()).file_context("cannot be read", to.into(), path)?;
        let replaced = step.found[to].map(|found| found.version).filter(|_| occupant != Occupant::None);
        replaced.iter().for_each(|replaced| self.touch(to, replaced));
        let published = match replaced {
            Some(replaced) => copied.temporary.replace(name, |now| version(now).is_moved_from(&replaced)),
            None => copied.temporary.publish(name, Occupant::None).map(|()| true),
        };
        let published = published.map_err(|cause| explain(&pair.to, name, to, cause));
        if !published.file_context("cannot be written", to.into(), path)? {
            return Ok(None);
        }
        let is_copy = |now: &Version| temporary.is_some_and(|temporary| now.is_moved_from(&version(&temporary)));
        self.copied(pair, (name, path), to, &source, is_copy)
    }

    /// Updates a large file in place, unless what it replaces is kept.
    fn update(
        &self,
        pair: &Pair,
        step: &Step,
        path: &Path,
        to: Side,
        monitor: &dyn Monitor,
    ) -> Result<Updated, Failure> {
        let is_large = |found: &Found| found.version.kind == Kind::File && found.version.size >= LARGE;
        let found = step.found.map(|found| found.filter(is_large).map(|found| found.version));
        let Some(versions) = found.together().filter(|_| matches!(self.keeper, Keeper::None)) else {
            return Ok(Updated::Not);
        };
        let is_still = |side: Side| move |now: &Entry| self.is_still(side, &versions[side], &version(now));
        let expected = Expected { source: &is_still(to.other()), target: &is_still(to) };
        update(pair, &step.name, path, &expected, monitor)
    }

    /// The versions of both sides after a copy of `source`; `None` if another program has changed the copy already.
    fn copied(
        &self,
        pair: &Pair,
        (name, path): (&OsStr, &Path),
        to: Side,
        source: &Entry,
        is_copy: impl Fn(&Version) -> bool,
    ) -> Result<Option<Both<Version>>, Failure> {
        self.failures.monitor.done(Done::Copied);
        let target = pair.to.entry(name).file_context("cannot be read", to.into(), path)?;
        let target = target.map(|target| version(&target)).filter(is_copy);
        Ok(target.map(|target| Both::from_fn(|side| if side == to { target } else { version(source) })))
    }
}

/// Copies a file or link under a temporary name if it `is_still` the one that the scan found.
fn copy_entry<'a>(
    pair: &'a Pair,
    name: &OsStr,
    path: &Path,
    kind: Kind,
    is_still: impl Fn(&Entry) -> bool,
    monitor: &dyn Monitor,
) -> Result<Option<(Copied<'a>, Entry)>, Failure> {
    if kind != Kind::Link {
        return copy_version(pair, name, path, is_still, monitor);
    }
    let entry = pair.from.entry(name).file_context("cannot be read", Location::From, path)?.filter(is_still);
    Ok(entry.map(|entry| Ok::<_, FileError>((copy_link(pair, name, path, &entry)?, entry))).transpose()?)
}
