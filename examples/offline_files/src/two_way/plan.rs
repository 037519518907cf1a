//! The steps that make both sides equal.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::ops::AddAssign;
use std::path::PathBuf;

use super::conflict::Conflict;
use super::entry::Found;
use super::side::{Both, Side};
use super::state::Place;

/// An item: the name of a directory at the top level, or `None` for all other entries there.
pub(crate) type PartName = Option<OsString>;

/// What to do about all entries, by item.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) parts: BTreeMap<PartName, PartPlan>,
}

/// The steps of an item, parents before their children.
#[derive(Clone, Debug, Default)]
pub(crate) struct PartPlan {
    pub(crate) steps: Vec<Step>,
    /// Renamings of one side, to make before the steps.
    pub(crate) renamings: Vec<Renaming>,
    pub(crate) tally: Tally,
    /// The files and links that are as they were agreed on both sides.
    pub(crate) unchanged: u64,
    /// `true` for a side whose root has entries that are not synchronized.
    pub(crate) root_hides: Both<bool>,
}

/// Leaves out the deletions, and the copies that wait for them.
pub(crate) fn hold_deletions(part: &mut PartPlan) {
    for step in &mut part.steps {
        if matches!(step.verdict, Verdict::Delete(_)) || step.is_late() {
            step.verdict = Verdict::Leave(Reason::Held);
        }
    }
}

/// What to do about one entry.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// The index of the step of its directory; `None` at the top level.
    pub(crate) parent: Option<usize>,
    pub(crate) name: OsString,
    pub(crate) place: Place,
    pub(crate) found: Both<Option<Found>>,
    pub(crate) verdict: Verdict,
    /// The permission bits that both sides have afterwards.
    pub(crate) modes: Both<u16>,
}

/// The decision about an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Both sides have the same contents.
    Keep,
    /// Both sides have a directory that is as it was agreed, with everything in it.
    Unchanged,
    /// To be planned again, once the contents are compared.
    Compare,
    /// Created or replaced on this side by a copy of the other one.
    Copy(Side),
    /// Deleted on this side, after everything in it.
    Delete(Side),
    /// Left alone, with everything in it.
    Leave(Reason),
}

/// Why an entry is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    Conflict(Conflict),
    /// The directory cannot be read on this side, which the scan has reported.
    Unreadable(Side),
    /// A special file of this side.
    Special(Side),
    /// This side had another file system mounted here.
    Unmounted(Side),
    /// A directory that the other side has deleted, and this one still needs for entries that are not synchronized.
    Hides(Side),
    /// A directory that the other version should replace, and that this side needs for entries that are not synchronized.
    Occupied(Side),
    /// Its deletion was refused, which the item has reported.
    Held,
    /// It could not be read on either side, which the comparison of its contents has reported.
    NotCompared,
    /// It changed during the run.
    Unstable,
}

/// A new name for an entry of one side, whose old name the version of the other side gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Renaming {
    pub(crate) side: Side,
    /// The index of the step of its directory.
    pub(crate) parent: Option<usize>,
    pub(crate) from: OsString,
    pub(crate) to: OsString,
    /// The index of the step of its new name.
    pub(crate) step: usize,
}

/// Numbers of entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Those that were agreed.
    pub(crate) agreed: u64,
    /// Those of these that each side still has.
    pub(crate) survivors: Both<u64>,
    pub(crate) entries: Both<u64>,
    pub(crate) creates: Both<u64>,
    pub(crate) updates: Both<u64>,
    pub(crate) deletes: Both<u64>,
    /// The bytes to copy.
    pub(crate) bytes: u64,
}

impl PartPlan {
    /// The path of a step below the roots.
    pub(crate) fn path(&self, index: usize) -> PathBuf {
        let above = |index: &usize| self.steps[*index].parent;
        let mut names: Vec<_> =
            std::iter::successors(Some(index), above).map(|index| &self.steps[index].name).collect();
        names.reverse();
        names.into_iter().collect()
    }

    /// The path of the directory of a step or renaming.
    pub(crate) fn parent_path(&self, parent: Option<usize>) -> PathBuf {
        parent.map_or_else(PathBuf::new, |parent| self.path(parent))
    }
}

impl Step {
    /// Returns `true` if this side has a directory.
    pub(crate) fn is_directory_on(&self, side: Side) -> bool {
        self.found[side].is_some_and(|found| found.version.is_directory())
    }

    /// Returns `true` for a directory that both sides have or get.
    pub(crate) fn is_entered(&self) -> bool {
        match self.verdict {
            Verdict::Copy(to) => self.is_directory_on(to.other()),
            Verdict::Keep => self.is_directory_on(Side::A),
            Verdict::Unchanged | Verdict::Compare | Verdict::Delete(_) | Verdict::Leave(_) => false,
        }
    }

    /// Returns `true` if it replaces a directory by a file or link, after what was in the directory is deleted.
    pub(crate) fn is_late(&self) -> bool {
        matches!(self.verdict, Verdict::Copy(to) if self.is_directory_on(to) && !self.is_directory_on(to.other()))
    }

    /// The size of the entry on a side.
    pub(crate) fn size_on(&self, side: Side) -> u64 {
        self.found[side].map_or(0, |found| if found.version.is_directory() { 0 } else { found.version.size })
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        let Self { agreed, survivors, entries, creates, updates, deletes, bytes } = other;
        self.agreed += agreed;
        self.bytes += bytes;
        for side in Side::BOTH {
            self.survivors[side] += survivors[side];
            self.entries[side] += entries[side];
            self.creates[side] += creates[side];
            self.updates[side] += updates[side];
            self.deletes[side] += deletes[side];
        }
    }
}
