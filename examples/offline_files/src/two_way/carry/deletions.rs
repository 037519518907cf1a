//! Deletions, from the bottom up, and the copies that wait for them.

use std::io;

use super::Run;
use crate::mirror::{Done, FileContext, FileError, Stopped};
use crate::two_way::plan::{Step, Verdict};
use crate::two_way::scan::version;
use crate::two_way::settled::Outcome;
use crate::two_way::side::Side;

impl Run<'_> {
    pub(super) fn delete_all(&self) -> Result<(), Stopped> {
        for (index, step) in self.part.steps.iter().enumerate().rev() {
            let Verdict::Delete(side) = step.verdict else { continue };
            if self.failures.have_failed() {
                let text = "nothing was deleted because of the errors; the next run without errors deletes";
                self.failures.monitor.warn(&self.part.path(index), text);
                return Ok(());
            }
            self.failures.monitor.advance(0)?;
            let deleted = self.delete(index, step, side);
            if self.failures.tolerate(deleted)? == Some(true) {
                self.settle(index, Outcome::Gone);
            }
        }
        Ok(())
    }

    /// Deletes an entry. Returns `false` if it has changed since the scan.
    fn delete(&self, index: usize, step: &Step, side: Side) -> Result<bool, FileError> {
        let path = self.part.path(index);
        let directory = self.disks.descend(side, &self.part.parent_path(step.parent))?;
        let now =
            directory.entry(&step.name).file_context("cannot be read", side.into(), &path)?.map(|now| version(&now));
        let Some(now) = now else { return Ok(true) };
        let scanned = step.found[side].map(|found| found.version);
        let scanned = scanned.filter(|scanned| self.is_still(side, scanned, &now));
        scanned.iter().for_each(|scanned| self.touch(side, scanned));
        let removed = match scanned {
            None => Ok(false),
            Some(_) if now.is_directory() => match directory.remove_directory(&step.name) {
                Err(cause) if cause.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(false),
                removed => removed.map(|()| true),
            },
            Some(scanned) => self.keeper.retire(self.disks, side, &directory, &path, &scanned),
        };
        let removed = removed.file_context("cannot be deleted", side.into(), &path)?;
        match removed {
            true => self.failures.monitor.done(Done::Deleted),
            false => self.failures.leave(&path),
        }
        Ok(removed)
    }

    /// Copies what takes the places of deleted directories.
    pub(super) fn copy_late(&self) -> Result<(), Stopped> {
        for (index, step) in self.part.steps.iter().enumerate().filter(|(_, step)| step.is_late()) {
            if self.failures.have_failed() {
                return Ok(());
            }
            self.do_files(step.parent, &[index])?;
        }
        Ok(())
    }
}
