//! Execution of the steps of an item, in this order: [renamings]; copies, by several threads from the top down ([`walk`]);
//! [deletions] from the bottom up, unless an entry failed; copies that take the places of deleted directories; permissions of
//! [directories].
//!
//! Before an entry is replaced or deleted, it must still be the version that the scan found. A copy is made under a temporary name and
//! must be of that version too. A large file may be [updated](crate::mirror::update()) in place instead. What has changed meanwhile is left for the next run.

mod deletions;
mod directories;
mod failures;
mod files;
mod modes;
mod renamings;
mod replaced;
#[cfg(test)]
mod tests;
mod walk;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, OnceLock, PoisonError};

use self::failures::Failures;
use self::modes::has_other_modes;
use self::renamings::rename_all;
use self::walk::Walk;
use super::disks::Disks;
use super::entry::Version;
use super::kept::Keeper;
use super::plan::{PartPlan, Step, Verdict};
use super::settled::Outcome;
use super::side::Side;
use crate::mirror::{Monitor, Stopped};

/// What errors mean for the deletions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Errors {
    /// Nothing is deleted after one: what seems deleted may have been moved to where it cannot be seen.
    HoldDeletions,
    Ignored,
}

/// Carries out the steps of an item. Returns an outcome for each step. The errors tell what it means if the run `has_failed`.
pub(crate) fn carry_out(
    disks: &Disks,
    part: &mut PartPlan,
    keeper: &Keeper,
    (has_failed, errors): (&AtomicBool, Errors),
    monitor: &dyn Monitor,
) -> Result<Vec<Outcome>, Stopped> {
    let failures = Failures { monitor, has_failed, errors };
    rename_all(disks, part, &failures)?;
    let results = part.steps.iter().map(|_| OnceLock::new()).collect();
    let (unmade, made, touched) = (Mutex::default(), Mutex::default(), Mutex::default());
    let run = Run { disks, part, keeper, failures, results, unmade, made, touched };
    Walk::new(&run).copy_all()?;
    run.delete_all()?;
    run.copy_late()?;
    run.finish_directories()?;
    Ok(run.outcomes())
}

/// Steps that are being carried out.
struct Run<'a> {
    disks: &'a Disks,
    part: &'a PartPlan,
    keeper: &'a Keeper,
    failures: Failures<'a>,
    results: Vec<OnceLock<Outcome>>,
    /// Directories that could not be made. What is found there, or in there, is another directory.
    unmade: Mutex<HashSet<usize>>,
    /// The directories that were made, as they were then.
    made: Mutex<HashMap<usize, Version>>,
    /// The inode numbers whose time of change the run itself has changed, which another hard link then also has.
    touched: Mutex<HashSet<(Side, u64)>>,
}

impl Run<'_> {
    fn settle(&self, index: usize, outcome: Outcome) {
        // Each step is done once.
        let _ = self.results[index].set(outcome);
    }

    /// Notes that the run changes a name, the permissions or the number of links of this entry.
    fn touch(&self, side: Side, version: &Version) {
        self.touched.lock().unwrap_or_else(PoisonError::into_inner).insert((side, version.inode));
    }

    /// Returns `true` if nothing but the run itself has changed an entry since the scan, as far as metadata tell.
    fn is_still(&self, side: Side, scanned: &Version, now: &Version) -> bool {
        let is_touched = || {
            let touched = self.touched.lock().unwrap_or_else(PoisonError::into_inner);
            touched.contains(&(side, scanned.inode))
        };
        scanned.is_still(now) || !scanned.is_directory() && scanned.is_moved_from(now) && is_touched()
    }

    fn leave_unmade(&self, index: usize) {
        self.unmade.lock().unwrap_or_else(PoisonError::into_inner).insert(index);
    }

    /// Returns `true` if this directory or one above it could not be made.
    fn is_unmade(&self, index: usize) -> bool {
        let unmade = self.unmade.lock().unwrap_or_else(PoisonError::into_inner);
        let mut above = std::iter::successors(Some(index), |index| self.part.steps[*index].parent);
        !unmade.is_empty() && above.any(|index| unmade.contains(&index))
    }

    fn outcomes(self) -> Vec<Outcome> {
        let kept = |step: &Step| {
            let versions = step.found.map(|found| found.map(|found| found.version)).together();
            let is_kept = step.verdict == Verdict::Keep && !has_other_modes(step);
            versions.filter(|_| is_kept).map_or(Outcome::Undone, Outcome::Agreed)
        };
        let steps = self.part.steps.iter().zip(self.results);
        steps.map(|(step, result)| result.into_inner().unwrap_or_else(|| kept(step))).collect()
    }
}
