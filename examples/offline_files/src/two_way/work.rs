//! The work of an item, which blocks its thread.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use syncmgr::anyhow::anyhow;
use syncmgr::prelude::*;
use syncmgr::progress::ProgressUnit;

use super::archive::encode;
use super::carry::carry_out;
use super::compare::compare;
use super::conflict::Conflicts;
use super::disks::Disks;
use super::guard::{Scope, objection};
use super::kept::Keeper;
use super::plan::{PartName, PartPlan, Reason, Verdict};
use super::prepare::Prepared;
use super::questions;
use super::reconcile::reconcile_part;
use super::remedy::Remedies;
use super::settled::settled;
use crate::item_monitor::ItemMonitor;
use crate::mirror::{Done, FileError, Monitor, Stopped};
use crate::part::{Diagnostic, Kind};

/// The inputs of the work on an item, and the monitor that receives the results.
pub(crate) struct Work {
    pub(crate) disks: Disks,
    pub(crate) prepared: Arc<Prepared>,
    pub(crate) name: PartName,
    pub(crate) monitor: ItemMonitor,
    pub(crate) keeper: Keeper,
    /// `true` if deletions that look like a mistake are made.
    pub(crate) is_unguarded: bool,
    pub(crate) remedies: Remedies,
}

impl Work {
    /// Makes both sides of the item equal. Returns the agreed state afterwards; `None` if nothing was to be done.
    pub(crate) fn synchronize(&self) -> Result<Option<String>, Stopped> {
        self.prepared.errors_of(&self.name).for_each(|error| self.monitor.fail(error));
        let mut plan = self.plan()?;
        self.monitor.part.result().counts.unchanged = plan.unchanged;
        let scope = match plan.steps.first() {
            _ if self.name.is_none() => Scope::TopLevel,
            Some(step) if step.found.together().is_some() => Scope::Directory,
            _ => Scope::Deleted,
        };
        let whole = self.prepared.whole;
        if !self.is_unguarded
            && let Some(text) = objection(&self.monitor.item, plan.tally, scope, whole, self.remedies)
        {
            self.refuse(Diagnostic::new(self.monitor.part.path(), text).with_kind(Kind::Refusal));
            return Ok(None);
        }
        self.explain_what_is_left(&plan);
        self.monitor.part.plan(plan.tally.bytes);
        let changing = Progress::new().with_text("changing both sides").with_unit(ProgressUnit::Bytes);
        self.monitor.item.report(changing).map_err(|_| Stopped)?;
        let has_failed = AtomicBool::new(self.prepared.has_failed);
        let outcomes = carry_out(&self.disks, &mut plan, &self.keeper, &has_failed, &self.monitor)?;
        Ok(Some(encode(&settled(&self.prepared.state, &plan, &outcomes, self.prepared.left_out_of(&self.name)))))
    }

    /// Plans the item again after each step that teaches something: the comparisons of contents, and the answers of the user.
    fn plan(&self) -> Result<PartPlan, Stopped> {
        let Prepared { state, rules, plan, .. } = &*self.prepared;
        let mut plan = plan.parts.get(&self.name).cloned().unwrap_or_default();
        let mut rules = rules.clone();
        if plan.steps.iter().any(|step| step.verdict == Verdict::Compare) {
            rules.compared = compare(&self.disks, &plan, &self.monitor)?;
            plan = reconcile_part(state, &rules, &self.name);
        }
        let answers = questions::ask(&self.monitor.item, &plan);
        if !answers.is_empty() {
            rules.answers = answers;
            plan = reconcile_part(state, &rules, &self.name);
        }
        Ok(plan)
    }

    /// Says why nothing is done. The item has the question about it, which is no failure, or fails.
    fn refuse(&self, refusal: Diagnostic) {
        if !self.remedies.has_questions {
            let _ = self.monitor.item.tolerate(&refusal.path, Err::<(), _>(anyhow!("{}", refusal.message)));
        }
        self.monitor.part.result().errors.push(refusal);
    }

    fn explain_what_is_left(&self, plan: &PartPlan) {
        for index in 0..plan.steps.len() {
            let Verdict::Leave(reason) = plan.steps[index].verdict else { continue };
            let path = plan.path(index);
            let text = match reason {
                Reason::Conflict(conflict) => {
                    let is_undecided = self.prepared.rules.policy == Conflicts::Newer;
                    let undecided = if is_undecided { "neither is newer; " } else { "" };
                    let text = format!("{conflict}; nothing was overwritten: {undecided}{}", self.remedies.conflict);
                    let conflict = Diagnostic::new(&path, text).with_kind(Kind::Conflict);
                    self.monitor.part.result().errors.push(conflict);
                    continue;
                }
                Reason::Unmounted(side) => {
                    let cause = std::io::Error::other(format!(
                        "no file system is mounted there now; {}",
                        self.remedies.unmounted
                    ));
                    self.monitor.fail(FileError::new(path, "is left alone", cause).at(side.into()));
                    continue;
                }
                Reason::Special(side) => format!("is a special file in {side}, and is left alone"),
                Reason::Hides(side) => {
                    format!(
                        "was deleted in {}, but stays in {side}: it has entries that are not synchronized",
                        side.other()
                    )
                }
                Reason::Unstable => {
                    self.monitor.done(Done::Left);
                    "changed during the run; the next run looks at it again".into()
                }
                Reason::Occupied(side) => {
                    let text = format!("stays as it is: the directory in {side} has entries that are not synchronized");
                    self.monitor.part.result().errors.push(Diagnostic::new(&path, text).with_kind(Kind::Conflict));
                    self.monitor.done(Done::Left);
                    continue;
                }
                // It has been reported.
                Reason::Unreadable(_) | Reason::NotCompared => continue,
            };
            self.monitor.warn(&path, &text);
        }
    }
}
