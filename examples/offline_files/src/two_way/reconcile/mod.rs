//! Reconciliation: the comparison of both sides with the agreed state, name by name.

mod decide;
mod entries;
mod visit;

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::path::PathBuf;

use self::entries::entries;
use self::visit::Reconciler;
use super::conflict::{Choice, Conflicts};
use super::entry::{Agreed, Found};
use super::plan::{PartName, PartPlan, Plan, Reason, Step, Verdict};
use super::side::{Both, Side};
use super::state::{Place, State};
use super::tree::Tree;

/// How entries are compared and conflicts decided.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    pub(crate) policy: Conflicts,
    /// The decisions of a person.
    pub(crate) answers: HashMap<PathBuf, Choice>,
    /// The results of comparisons of contents.
    pub(crate) compared: HashMap<PathBuf, Comparison>,
    /// `true` if the contents of all files are compared.
    pub(crate) compares_contents: bool,
    /// `true` if directories count as deleted although another file system was mounted there.
    pub(crate) forgets_mounts: bool,
}

/// The result of a comparison of contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    Different,
    /// A file changed meanwhile.
    Failed,
    /// A file could not be read.
    Unreadable,
}

/// Plans what makes both sides equal, after the moves are made.
pub(crate) fn reconcile(state: &State, rules: &Rules) -> Plan {
    let part = |(name, entries): (PartName, Entries)| (name, plan_part(state, rules, entries));
    Plan { parts: parts_of(state).into_iter().map(part).collect() }
}

/// Plans one item again, after comparisons or answers.
pub(crate) fn reconcile_part(state: &State, rules: &Rules, part: &PartName) -> PartPlan {
    plan_part(state, rules, parts_of(state).remove(part).unwrap_or_default())
}

/// The names in a directory with their places.
type Entries = Vec<(OsString, Place)>;

/// The entries at the top level by item.
fn parts_of(state: &State) -> BTreeMap<PartName, Entries> {
    let mut parts = BTreeMap::<PartName, Entries>::new();
    for (name, place) in entries(state, ROOT) {
        let found = state.found(place);
        let is_directory = Side::BOTH.iter().any(|side| found[*side].is_some_and(|found| found.version.is_directory()));
        parts.entry(is_directory.then(|| name.clone())).or_default().push((name, place));
    }
    parts
}

fn plan_part(state: &State, rules: &Rules, entries: Entries) -> PartPlan {
    let root_hides = Both::from_fn(|side| state.found[side].entry(Tree::<Found>::ROOT).hides);
    let mut part = PartPlan { root_hides, ..PartPlan::default() };
    for (name, place) in entries {
        Reconciler { state, rules, part: &mut part }.visit_all(name, place);
    }
    keep_directories_of_kept_entries(&mut part);
    count(&mut part);
    part
}

const ROOT: Place = Place { agreed: Some(Tree::<Agreed>::ROOT), found: Both { a: Some(0), b: Some(0) } };

/// A directory that one side has deleted stays on the other if something in it is not synchronized, and on both if something in it has
/// changed.
fn keep_directories_of_kept_entries(part: &mut PartPlan) {
    for index in (0..part.steps.len()).rev() {
        let Step { verdict, parent, .. } = part.steps[index];
        let Some(above) = parent.map(|parent| &mut part.steps[parent].verdict) else { continue };
        match (*above, verdict) {
            (_, Verdict::Delete(_)) => {}
            (Verdict::Delete(_), Verdict::Leave(Reason::Hides(_))) => *above = verdict,
            (Verdict::Leave(Reason::Hides(_)), Verdict::Leave(Reason::Hides(_))) => {}
            (Verdict::Delete(side) | Verdict::Leave(Reason::Hides(side)), _) => *above = Verdict::Copy(side.other()),
            _ => {}
        }
    }
}

/// Counts what the steps do, and leave as it is.
fn count(part: &mut PartPlan) {
    let PartPlan { steps, tally, unchanged, .. } = part;
    for step in steps {
        match step.verdict {
            Verdict::Delete(side) => tally.deletes[side] += 1,
            Verdict::Copy(to) => {
                let counted = if step.found[to].is_none() { &mut tally.creates } else { &mut tally.updates };
                counted[to] += 1;
                tally.bytes += step.size_on(to.other());
            }
            Verdict::Keep if !step.is_directory_on(Side::A) => *unchanged += 1,
            Verdict::Keep | Verdict::Unchanged | Verdict::Compare | Verdict::Leave(_) => {}
        }
    }
}
