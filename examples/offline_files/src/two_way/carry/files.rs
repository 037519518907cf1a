//! Copies of files and links.

use std::ffi::OsStr;
use std::io;
use std::path::Path;

use super::Run;
use crate::mirror::{Done, Entry, Failure, FileContext, FileError, Occupant, Stopped, copy_link, copy_version};
use crate::two_way::disks::{Here, explain, failure_in};
use crate::two_way::entry::{Kind, Version};
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

    fn copy(&self, here: &Here, step: &Step, path: &Path, to: Side) -> Result<Option<Both<Version>>, Failure> {
        let (pair, name) = (&here.to[to], &*step.name);
        let Some(scanned) = step.found[to.other()].map(|found| found.version) else { return Ok(None) };
        let is_still = |now: &Entry| scanned.is_still(&version(now));
        let copied = if scanned.kind == Kind::Link {
            let entry = pair.from.entry(name).file_context("cannot be read", to.other().into(), path)?.filter(is_still);
            entry.map(|entry| Ok::<_, FileError>((copy_link(pair, name, path, &entry)?, entry))).transpose()?
        } else {
            copy_version(pair, name, path, is_still, self.failures.monitor)?
        };
        let Some((copied, source)) = copied else {
            self.failures.leave(path);
            return Ok(None);
        };
        let Some(occupant) = self.occupant(&pair.to, step, to, path)? else {
            self.failures.leave(path);
            return Ok(None);
        };
        let look = |name: &OsStr| Ok::<_, io::Error>(pair.to.entry(name)?.map(|entry| version(&entry)));
        let temporary = look(copied.temporary.name()).file_context("cannot be read", to.into(), path)?;
        let replaced = step.found[to].map(|found| found.version).filter(|_| occupant != Occupant::None);
        let published = match replaced {
            Some(replaced) => copied.temporary.replace(name, |now| version(now).is_moved_from(&replaced)),
            None => copied.temporary.publish(name, Occupant::None).map(|()| true),
        };
        let published = published.map_err(|cause| explain(&pair.to, name, to, cause));
        if !published.file_context("cannot be written", to.into(), path)? {
            self.failures.leave(path);
            return Ok(None);
        }
        self.failures.monitor.done(Done::Copied);
        // Another program may have changed the copy already.
        let target = look(name).file_context("cannot be read", to.into(), path)?;
        let Some(target) = target.filter(|now| temporary.is_some_and(|temporary| now.is_moved_from(&temporary))) else {
            self.failures.leave(path);
            return Ok(None);
        };
        let source = version(&source);
        Ok(Some(Both::from_fn(|side| if side == to { target } else { source })))
    }
}
