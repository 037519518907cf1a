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
mod walk;

use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;

use self::failures::Failures;
use self::modes::has_other_modes;
use self::renamings::rename_all;
use self::walk::Walk;
use super::disks::Disks;
use super::kept::Keeper;
use super::plan::{PartPlan, Step, Verdict};
use super::settled::Outcome;
use crate::mirror::{Monitor, Stopped};

/// Carries out the steps of an item. Returns an outcome for each step. Nothing is deleted if the run `has_failed` before.
pub(crate) fn carry_out(
    disks: &Disks,
    part: &mut PartPlan,
    keeper: &Keeper,
    has_failed: &AtomicBool,
    monitor: &dyn Monitor,
) -> Result<Vec<Outcome>, Stopped> {
    let failures = Failures { monitor, has_failed };
    rename_all(disks, part, &failures)?;
    let run = Run { disks, part, keeper, failures, results: part.steps.iter().map(|_| OnceLock::new()).collect() };
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
}

impl Run<'_> {
    fn settle(&self, index: usize, outcome: Outcome) {
        // Each step is done once.
        let _ = self.results[index].set(outcome);
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
