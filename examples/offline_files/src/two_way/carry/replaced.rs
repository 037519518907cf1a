//! What a copy or new directory replaces.

use std::io;
use std::path::Path;

use super::Run;
use crate::mirror::{Directory, FileContext, FileError, Occupant};
use crate::two_way::disks::explain;
use crate::two_way::kept::Keeper;
use crate::two_way::plan::Step;
use crate::two_way::scan::version;
use crate::two_way::side::Side;

impl Run<'_> {
    /// Returns `true` if a side has entries in this directory that are not synchronized.
    fn hides(&self, directory: Option<usize>, side: Side) -> bool {
        let hides = |index: usize| self.part.steps[index].found[side].is_some_and(|found| found.hides);
        directory.map_or(self.part.root_hides[side], hides)
    }

    /// What a copy replaces; `None` if it is not what the scan found. A directory must be empty by now, and is removed.
    pub(super) fn occupant(
        &self,
        to: &Directory,
        step: &Step,
        side: Side,
        path: &Path,
    ) -> Result<Option<Occupant>, FileError> {
        let now = to.entry(&step.name).file_context("cannot be read", side.into(), path)?.map(|now| version(&now));
        let scanned = step.found[side].map(|found| found.version);
        match (scanned, now) {
            (None, None) => Ok(Some(Occupant::None)),
            (Some(scanned), Some(now)) if !self.is_still(side, &scanned, &now) => Ok(None),
            (Some(_), Some(now)) if now.is_directory() => match to.remove_directory(&step.name) {
                Err(cause) if cause.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(None),
                removed => removed.map(|()| Some(Occupant::None)).file_context("cannot be replaced", side.into(), path),
            },
            (Some(_), Some(_)) if matches!(self.keeper, Keeper::None) => Ok(Some(Occupant::Entry)),
            (Some(scanned), Some(_)) => {
                let kept = self.keeper.retire(self.disks, side, to, path, &scanned);
                let kept = kept.file_context("cannot be kept", side.into(), path)?;
                Ok(kept.then_some(Occupant::None))
            }
            (None, Some(_)) if self.hides(step.parent, side) => {
                let cause = io::Error::other("an entry of this name is not synchronized, because of a rule, or is new");
                Err(cause).file_context("cannot be written", side.into(), path)
            }
            (None, Some(_)) if to.spelling(&step.name).is_ok_and(|listed| listed.is_some()) => {
                let cause = explain(to, &step.name, side, io::ErrorKind::AlreadyExists.into());
                Err(cause).file_context("cannot be written", side.into(), path)
            }
            _ => Ok(None),
        }
    }
}
