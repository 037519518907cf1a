//! The work of an item, which blocks its thread.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::SystemTime;

use syncmgr::environment::{Clock, SystemClock};
use syncmgr::prelude::*;
use syncmgr::progress::ProgressUnit;

use super::archive::encode;
use super::carry::carry_out;
use super::compare::compare;
use super::disks::Disks;
use super::guard::{Scope, objection};
use super::kept::Keeper;
use super::plan::{PartName, PartPlan, Reason, Verdict};
use super::prepare::Prepared;
use super::questions;
use super::reconcile::reconcile_part;
use super::settled::settled;
use crate::mirror::{Done, FileError, Monitor, Stopped};
use crate::part::{Diagnostic, Part};

/// The inputs of the work on an item, and the part that receives the results.
pub(crate) struct Work {
    pub(crate) disks: Disks,
    pub(crate) prepared: Arc<Prepared>,
    pub(crate) name: PartName,
    pub(crate) part: Arc<Part>,
    pub(crate) item: ItemContext,
    pub(crate) keeper: Keeper,
    /// `true` if deletions that look like a mistake are made.
    pub(crate) is_unguarded: bool,
}

impl Work {
    /// Makes both sides of the item equal. Returns the agreed state afterwards; `None` if nothing was to be done.
    pub(crate) fn synchronize(&self) -> Result<Option<String>, Stopped> {
        self.prepared.errors_of(&self.name).for_each(|error| self.fail(error));
        let mut plan = self.plan()?;
        self.part.result().counts.unchanged = unchanged(&plan);
        let scope = match plan.steps.first() {
            _ if self.name.is_none() => Scope::TopLevel,
            Some(step) if step.found.together().is_some() => Scope::Directory,
            _ => Scope::Deleted,
        };
        let whole = self.prepared.whole;
        if !self.is_unguarded
            && let Some(text) = objection(&self.item, plan.tally, scope, whole)
        {
            self.part.result().errors.push(Diagnostic::new(self.part.path(), text));
            return Ok(None);
        }
        self.explain_what_is_left(&plan);
        self.part.plan(plan.tally.bytes);
        let changing = Progress::new().with_text("changing both sides").with_unit(ProgressUnit::Bytes);
        self.item.report(changing).map_err(|_| Stopped)?;
        let has_failed = AtomicBool::new(self.prepared.has_failed);
        let outcomes = carry_out(&self.disks, &mut plan, &self.keeper, &has_failed, self)?;
        Ok(Some(encode(&settled(&self.prepared.state, &plan, &outcomes))))
    }

    /// Plans the item again after each step that teaches something: the comparisons of contents, and the answers of the user.
    fn plan(&self) -> Result<PartPlan, Stopped> {
        let Prepared { state, rules, plan, .. } = &*self.prepared;
        let mut plan = plan.parts.get(&self.name).cloned().unwrap_or_default();
        let mut rules = rules.clone();
        if plan.steps.iter().any(|step| step.verdict == Verdict::Compare) {
            rules.compared = compare(&self.disks, &plan, self)?;
            plan = reconcile_part(state, &rules, &self.name);
        }
        let answers: HashMap<_, _> = questions::ask(&self.item, &plan);
        if !answers.is_empty() {
            rules.answers = answers;
            plan = reconcile_part(state, &rules, &self.name);
        }
        Ok(plan)
    }

    fn explain_what_is_left(&self, plan: &PartPlan) {
        for index in 0..plan.steps.len() {
            let Verdict::Leave(reason) = plan.steps[index].verdict else { continue };
            let path = plan.path(index);
            let text = match reason {
                // The item has the question, which is no failure.
                Reason::Conflict(conflict) => {
                    let text = format!("{conflict}; nothing was overwritten: change one side, or use --conflict");
                    self.part.result().errors.push(Diagnostic::new(&path, text));
                    continue;
                }
                Reason::Unmounted(side) => {
                    let cause = std::io::Error::other("no file system is mounted there now; mount it, or use --yes");
                    let action =
                        if side == super::side::Side::A { "is left alone: in A" } else { "is left alone: in B" };
                    self.fail(FileError::new(path, action, cause));
                    continue;
                }
                Reason::Special(side) => format!("is a special file in {side}, and is left alone"),
                Reason::Unstable => "changed during the run; the next run looks at it again".into(),
                // The scan has reported it.
                Reason::Unreadable(_) => continue,
            };
            self.warn(&path, &text);
        }
    }
}

fn unchanged(plan: &PartPlan) -> u64 {
    let is_file = |step: &super::plan::Step| !step.is_directory_on(super::side::Side::A);
    plan.steps.iter().filter(|step| step.verdict == Verdict::Keep && is_file(step)).count() as u64
}

impl Monitor for Work {
    fn advance(&self, bytes: u64) -> Result<(), Stopped> {
        let (written, planned) = self.part.add_written(bytes);
        self.item.progress(written, planned).map_err(|_| Stopped)
    }

    fn done(&self, done: Done) {
        self.part.result().counts.count(done);
    }

    fn warn(&self, path: &Path, text: &str) {
        self.part.warn(&self.item, path, text);
    }

    fn fail(&self, error: FileError) {
        let diagnostic = Diagnostic::new(&error.path, error.to_string());
        // An error that the stop caused is not an error of the file.
        if self.item.tolerate(&diagnostic.path, Err::<(), _>(error)).is_ok() {
            self.part.result().errors.push(diagnostic);
        }
    }

    fn now(&self) -> SystemTime {
        SystemClock::default().now().wall
    }
}
