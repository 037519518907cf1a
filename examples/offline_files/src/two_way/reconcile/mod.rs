//! Reconciliation: the comparison of both sides with the agreed state, name by name.

mod decide;
mod visit;

use std::collections::{BTreeMap, HashMap};
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use self::visit::Reconciler;
use super::conflict::{Choice, Conflicts};
use super::entry::Agreed;
use super::plan::{PartName, PartPlan, Plan, Step, Verdict};
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
    /// A file changed meanwhile or could not be read.
    Failed,
}

/// Plans what makes both sides equal, after the moves are made.
pub(crate) fn reconcile(state: &State, rules: &Rules) -> Plan {
    let part = |(name, names): (PartName, Vec<OsString>)| (name, plan_part(state, rules, names));
    Plan { parts: parts_of(state).into_iter().map(part).collect() }
}

/// Plans one item again, after comparisons or answers.
pub(crate) fn reconcile_part(state: &State, rules: &Rules, part: &PartName) -> PartPlan {
    plan_part(state, rules, parts_of(state).remove(part).unwrap_or_default())
}

/// The names at the top level by item.
fn parts_of(state: &State) -> BTreeMap<PartName, Vec<OsString>> {
    let mut parts = BTreeMap::<PartName, Vec<OsString>>::new();
    for name in names(state, ROOT) {
        let found = state.found(child(state, ROOT, &name));
        let is_directory = Side::BOTH.iter().any(|side| found[*side].is_some_and(|found| found.version.is_directory()));
        parts.entry(is_directory.then(|| name.clone())).or_default().push(name);
    }
    parts
}

fn plan_part(state: &State, rules: &Rules, names: Vec<OsString>) -> PartPlan {
    let mut part = PartPlan::default();
    for name in names {
        let place = child(state, ROOT, &name);
        Reconciler { state, rules, part: &mut part }.visit_all(name, place);
    }
    keep_directories_of_kept_entries(&mut part);
    count(&mut part);
    part
}

const ROOT: Place = Place { agreed: Some(Tree::<Agreed>::ROOT), found: Both { a: Some(0), b: Some(0) } };

/// The names in a directory on any side or in the agreed state, sorted.
fn names(state: &State, place: Place) -> Vec<OsString> {
    let agreed = place.agreed.into_iter().flat_map(|id| state.agreed.children(id)).map(|id| state.agreed.name(*id));
    let of = |side: Side| {
        let tree = &state.found[side];
        place.found[side].into_iter().flat_map(|id| tree.children(id)).map(|id| tree.name(*id))
    };
    let mut names: Vec<&OsStr> = of(Side::A).chain(of(Side::B)).chain(agreed).collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter().map(OsStr::to_owned).collect()
}

fn child(state: &State, place: Place, name: &OsStr) -> Place {
    Place {
        agreed: place.agreed.and_then(|id| state.agreed.child(id, name)),
        found: Both::from_fn(|side| place.found[side].and_then(|id| state.found[side].child(id, name))),
    }
}

/// A directory that one side has deleted stays if something in it has changed on the other side.
fn keep_directories_of_kept_entries(part: &mut PartPlan) {
    for index in (0..part.steps.len()).rev() {
        let Step { verdict, parent, .. } = &part.steps[index];
        let (Some(parent), false) = (*parent, matches!(verdict, Verdict::Delete(_))) else { continue };
        if let Verdict::Delete(side) = part.steps[parent].verdict {
            part.steps[parent].verdict = Verdict::Copy(side.other());
        }
    }
}

/// Counts what the steps do.
fn count(part: &mut PartPlan) {
    let PartPlan { steps, tally, .. } = part;
    for step in steps {
        match step.verdict {
            Verdict::Delete(side) => tally.deletes[side] += 1,
            Verdict::Copy(to) => {
                let counted = if step.found[to].is_none() { &mut tally.creates } else { &mut tally.updates };
                counted[to] += 1;
                tally.bytes += step.size_on(to.other());
            }
            Verdict::Keep | Verdict::Compare | Verdict::Leave(_) => {}
        }
    }
}
