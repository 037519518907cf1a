//! The work of an item, which blocks its thread.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use syncmgr::anyhow::anyhow;
use syncmgr::prelude::*;
use syncmgr::progress::ProgressUnit;

use super::archive::encode;
use super::carry::{Errors, carry_out};
use super::compare::compare;
use super::conflict::{Conflict, Conflicts};
use super::disks::Disks;
use super::guard::{Objection, Refused, Scope, objection};
use super::kept::Keeper;
use super::plan::{PartName, PartPlan, Reason, Tally, Verdict, hold_deletions};
use super::prepare::Prepared;
use super::questions;
use super::reconcile::reconcile_part;
use super::record::Record;
use super::remedy::Remedies;
use super::settled::{Outcome, settled};
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
    /// Makes both sides of the item equal. Returns what the item stores.
    pub(crate) fn synchronize(&self) -> Result<Record, Stopped> {
        let errors: Vec<_> = self.prepared.errors_of(&self.name).collect();
        let unreadable: HashSet<_> = errors.iter().map(|error| error.path.clone()).collect();
        errors.into_iter().for_each(|error| self.monitor.fail(error));
        let mut plan = self.plan()?;
        self.monitor.part.result().counts.unchanged = plan.unchanged;
        let scope = match plan.steps.first() {
            _ if self.name.is_none() => Scope::TopLevel,
            Some(step) if step.found.together().is_some() => Scope::Directory,
            _ => Scope::Deleted,
        };
        let refused = if self.is_unguarded { None } else { self.objection(plan.tally, scope) };
        let is_held = refused.is_some();
        if let Some(refused) = refused {
            self.refuse(Diagnostic::new(self.monitor.part.path(), refused.text).with_kind(Kind::Refusal));
            if refused.extent == Refused::Everything {
                let undone = vec![Outcome::Undone; plan.steps.len()];
                return Ok(self.record(&plan, &undone, is_held));
            }
            hold_deletions(&mut plan);
        }
        self.explain_what_is_left(&plan, &unreadable);
        self.monitor.part.plan(plan.tally.bytes);
        let changing = Progress::new().with_text("changing both sides").with_unit(ProgressUnit::Bytes);
        self.monitor.item.report(changing).map_err(|_| Stopped)?;
        let has_failed = AtomicBool::new(self.prepared.has_failed && !self.is_unguarded);
        let errors = if self.is_unguarded { Errors::Ignored } else { Errors::HoldDeletions };
        let outcomes = carry_out(&self.disks, &mut plan, &self.keeper, (&has_failed, errors), &self.monitor)?;
        Ok(self.record(&plan, &outcomes, is_held))
    }

    fn objection(&self, own: Tally, scope: Scope) -> Option<Objection> {
        let was_held = self.prepared.was_held(&self.name);
        objection(&self.monitor.item, own, scope, self.prepared.whole, was_held, self.remedies)
    }

    fn record(&self, plan: &PartPlan, outcomes: &[Outcome], is_held: bool) -> Record {
        let Prepared { state, roots, .. } = &*self.prepared;
        let agreed = encode(&settled(state, plan, outcomes, self.prepared.left_out_of(&self.name)));
        Record { roots: roots.clone(), agreed, moved: self.prepared.moved_out_of(&self.name), is_held }
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

    /// Says why something is left alone, unless it is one of the `unreadable` entries, which have errors.
    fn explain_what_is_left(&self, plan: &PartPlan, unreadable: &HashSet<PathBuf>) {
        for index in 0..plan.steps.len() {
            let Verdict::Leave(reason) = plan.steps[index].verdict else { continue };
            let path = plan.path(index);
            match reason {
                Reason::Conflict(conflict) => self.differs(&path, self.undecided(&conflict)),
                Reason::Unmounted(side) => {
                    let text = format!("no file system is mounted there now; {}", self.remedies.unmounted);
                    self.monitor.fail(FileError::new(path, "is left alone", io::Error::other(text)).at(side.into()));
                }
                Reason::Special(side) if plan.steps[index].found[side.other()].is_some() => {
                    let other = side.other();
                    self.differs(
                        &path,
                        format!("is a special file in {side}, so that it is not synchronized with {other}"),
                    );
                    self.monitor.done(Done::Left);
                }
                Reason::Special(side) => {
                    self.monitor.warn(&path, &format!("is a special file in {side}, and is left alone"));
                }
                Reason::Hides(side) => {
                    let (other, why) = (side.other(), "it has entries that are not synchronized");
                    self.monitor.warn(&path, &format!("was deleted in {other}, but stays in {side}: {why}"));
                }
                Reason::Occupied(side) => {
                    let text = format!("stays as it is: the directory in {side} has entries that are not synchronized");
                    self.differs(&path, text);
                    self.monitor.done(Done::Left);
                }
                Reason::Unreadable(_) if unreadable.contains(&path) => {}
                Reason::Unreadable(_) | Reason::Unstable => {
                    self.monitor.done(Done::Left);
                    self.monitor.warn(&path, "changed during the run; the next run looks at it again");
                }
                // It has been reported.
                Reason::NotCompared | Reason::Held => {}
            }
        }
    }

    fn undecided(&self, conflict: &Conflict) -> String {
        let is_newer_asked = self.prepared.rules.policy == Conflicts::Newer && !conflict.has_directory();
        let undecided = if is_newer_asked { "neither is newer; " } else { "" };
        format!("{conflict}; nothing was overwritten: {undecided}{}", self.remedies.conflict)
    }

    /// Reports an entry that stays different on both sides.
    fn differs(&self, path: &Path, text: String) {
        self.monitor.part.result().errors.push(Diagnostic::new(path, text).with_kind(Kind::Conflict));
    }
}
