//! Reconciliation: the comparison of both sides with the agreed state, name by name.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use super::conflict::{Choice, Conflict, Policy, name_of_kept, versions};
use super::entry::{Agreed, Change, Found, Kind, Version, merged_modes};
use super::plan::{PartName, PartPlan, Plan, Reason, Renaming, Step, Verdict};
use super::side::{Both, Side};
use super::state::{Place, State};
use super::tree::Tree;

/// How entries are compared and conflicts decided.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    pub(crate) policy: Policy,
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

/// An entry to visit.
struct Visit {
    parent: Option<usize>,
    name: OsString,
    place: Place,
    context: Context,
}

/// What was decided about the directory of an entry.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Context {
    Open,
    /// Everything in it is deleted on this side.
    Removed(Side),
}

/// How the versions of both sides differ.
enum Difference {
    None,
    /// Only this side has changed.
    Only(Side),
    /// Only a comparison of contents tells. `changed` is the only side that may have changed.
    Unknown {
        changed: Option<Side>,
    },
    Conflict,
}

struct Reconciler<'a> {
    state: &'a State,
    rules: &'a Rules,
    part: &'a mut PartPlan,
}

impl Reconciler<'_> {
    fn visit_all(&mut self, name: OsString, place: Place) {
        let mut pending = vec![Visit { parent: None, name, place, context: Context::Open }];
        while let Some(visit) = pending.pop() {
            pending.extend(self.visit(visit));
        }
    }

    /// Decides about an entry. Returns the entries in it, from the last to the first.
    fn visit(&mut self, visit: Visit) -> Vec<Visit> {
        let Visit { parent, name, place, context } = visit;
        let found = self.state.found(place);
        if found.a.is_none() && found.b.is_none() {
            return Vec::new();
        }
        let verdict = match context {
            Context::Removed(side) => Verdict::Delete(side),
            Context::Open => match self.verdict(parent, &name, place, &found) {
                Ok(verdict) => verdict,
                Err(side) => return self.rename(Visit { parent, name, place, context }, side),
            },
        };
        self.count_known(place, &found);
        let step = Step { parent, name, place, found, verdict, modes: self.modes(place, &found, verdict) };
        let index = self.part.steps.len();
        let children = self.children(&step, index, context);
        self.part.steps.push(step);
        children
    }

    fn count_known(&mut self, place: Place, found: &Both<Option<Found>>) {
        let tally = &mut self.part.tally;
        let is_agreed = self.state.agreed(place).is_some();
        tally.agreed += u64::from(is_agreed);
        for side in Side::BOTH {
            tally.entries[side] += u64::from(found[side].is_some());
            tally.survivors[side] += u64::from(is_agreed && found[side].is_some());
        }
    }

    /// The permission bits that both sides get.
    fn modes(&self, place: Place, found: &Both<Option<Found>>, verdict: Verdict) -> Both<u16> {
        let agreed = self.state.agreed(place).filter(|agreed| found.a.is_none_or(|a| a.version.kind == agreed.a.kind));
        match (versions(found), verdict) {
            (Some(found), Verdict::Copy(_)) if found.a.kind == found.b.kind && agreed.is_some() => {
                merged_modes(agreed.as_ref(), &found)
            }
            (_, Verdict::Copy(to)) => {
                let mode = found[to.other()].map_or(0, |found| found.version.mode);
                Both { a: mode, b: mode }
            }
            (Some(found), _) if found.a.kind == found.b.kind => merged_modes(agreed.as_ref(), &found),
            _ => Both::from_fn(|side| found[side].or(found[side.other()]).map_or(0, |found| found.version.mode)),
        }
    }

    /// The decision about an entry; the side whose version gets a new name if both are kept.
    fn verdict(
        &self,
        parent: Option<usize>,
        name: &OsStr,
        place: Place,
        found: &Both<Option<Found>>,
    ) -> Result<Verdict, Side> {
        if let Some(reason) = self.reason_to_leave(place, found) {
            return Ok(Verdict::Leave(reason));
        }
        if let Some(side) = found.only() {
            let id = place.found[side].expect("the only side has the entry");
            let is_agreed = self.state.is_entry_unchanged(side, id, place.agreed);
            return Ok(if is_agreed { Verdict::Delete(side) } else { Verdict::Copy(side.other()) });
        }
        let found = versions(found).expect("both sides have the entry");
        let difference =
            if found.a.kind == found.b.kind { self.same_kind(place, &found) } else { self.other_kind(place) };
        let path = || self.part.parent_path(parent).join(name);
        let difference = match difference {
            Difference::Unknown { .. } if self.rules.compared.is_empty() => return Ok(Verdict::Compare),
            Difference::Unknown { changed } => match self.rules.compared.get(&path()) {
                None => return Ok(Verdict::Compare),
                Some(Comparison::Equal) => Difference::None,
                Some(Comparison::Different) => changed.map_or(Difference::Conflict, Difference::Only),
                Some(Comparison::Failed) => return Ok(Verdict::Leave(Reason::Unstable)),
            },
            known => known,
        };
        match difference {
            Difference::Only(side) => Ok(Verdict::Copy(side.other())),
            Difference::Conflict => self.settle(path, &found),
            Difference::None | Difference::Unknown { .. } => Ok(Verdict::Keep),
        }
    }

    fn reason_to_leave(&self, place: Place, found: &Both<Option<Found>>) -> Option<Reason> {
        let agreed = self.state.agreed(place);
        let reason = |side: Side| {
            let was_mount = agreed.is_some_and(|agreed| agreed[side].is_mount) && !self.rules.forgets_mounts;
            match found[side] {
                Some(found) if found.version.kind == Kind::Special => Some(Reason::Special(side)),
                Some(found) if found.is_unreadable => Some(Reason::Unreadable(side)),
                Some(found) if was_mount && !found.version.is_mount => Some(Reason::Unmounted(side)),
                _ => None,
            }
        };
        reason(Side::A).or_else(|| reason(Side::B))
    }

    fn same_kind(&self, place: Place, found: &Both<Version>) -> Difference {
        if found.a.is_directory() {
            return Difference::None;
        }
        let may_be_equal = found.a.size == found.b.size;
        let agreed = self.state.agreed(place).filter(|agreed| agreed.a.kind == found.a.kind);
        let change = |side: Side| agreed.map_or(Change::Certain, |agreed| found[side].change_since(&agreed[side]));
        match (change(Side::A), change(Side::B)) {
            (Change::None, Change::None) if self.rules.compares_contents && found.a.kind == Kind::File => {
                Difference::Unknown { changed: None }
            }
            (Change::None, Change::None) => Difference::None,
            (Change::Possible, Change::None) => Difference::Unknown { changed: Some(Side::A) },
            (Change::None, Change::Possible) => Difference::Unknown { changed: Some(Side::B) },
            (Change::Certain, Change::None) => Difference::Only(Side::A),
            (Change::None, Change::Certain) => Difference::Only(Side::B),
            _ if may_be_equal => Difference::Unknown { changed: None },
            _ => Difference::Conflict,
        }
    }

    fn other_kind(&self, place: Place) -> Difference {
        match Side::BOTH.map(|side| self.state.is_unchanged(place, side)) {
            [true, false] => Difference::Only(Side::B),
            [false, true] => Difference::Only(Side::A),
            _ => Difference::Conflict,
        }
    }

    /// Decides about a conflict.
    fn settle(&self, path: impl Fn() -> PathBuf, found: &Both<Version>) -> Result<Verdict, Side> {
        let answer = || self.rules.answers.get(&path()).copied();
        let choice = self.rules.policy.decide(found);
        match choice.or_else(|| if self.rules.answers.is_empty() { None } else { answer() }) {
            Some(Choice::Use(side)) => Ok(Verdict::Copy(side.other())),
            Some(Choice::Rename(side)) => Err(side),
            None => Ok(Verdict::Leave(Reason::Conflict(Conflict { found: *found }))),
        }
    }

    /// Gives the version of `side` a new name. Returns the entries under both names.
    fn rename(&mut self, visit: Visit, side: Side) -> Vec<Visit> {
        let Visit { parent, name, place, context } = visit;
        let siblings = self.part.steps.iter().filter(|step| step.parent == parent);
        let used: BTreeSet<&OsStr> = siblings.map(|step| &*step.name).collect();
        let is_taken = |name: &OsStr| {
            let is_in = |side: Side, id: u32| {
                let tree = &self.state.found[side];
                tree.child(tree.parent(id), name).is_some()
            };
            used.contains(name) || Side::BOTH.iter().any(|side| place.found[*side].is_some_and(|id| is_in(*side, id)))
        };
        let new_name = name_of_kept(&name, side, is_taken);
        let alone =
            |kept: Side| Place { agreed: None, found: Both::from_fn(|of| place.found[of].filter(|_| of == kept)) };
        // The renamed entry is visited first, so that its step has the next index.
        let step = self.part.steps.len();
        self.part.renamings.push(Renaming { side, parent, from: name.clone(), to: new_name.clone(), step });
        let renamed = Visit { parent, name: new_name, place: alone(side), context };
        vec![Visit { parent, name, place: alone(side.other()), context }, renamed]
    }

    /// The entries in the directory of a step, from the last to the first.
    fn children(&self, step: &Step, index: usize, context: Context) -> Vec<Visit> {
        let is_directory = |side: Side| step.is_directory_on(side);
        let (place, context) = match step.verdict {
            Verdict::Leave(_) => return Vec::new(),
            _ if context != Context::Open => (step.place, context),
            Verdict::Copy(to) if is_directory(to) && !is_directory(to.other()) => (step.place, Context::Removed(to)),
            // What was agreed for a directory that a file has replaced is gone.
            Verdict::Copy(to) if step.found[to].is_some() => {
                let from = to.other();
                let found = Both::from_fn(|side| step.place.found[side].filter(|_| side == from));
                (Place { agreed: None, found }, Context::Open)
            }
            _ => (step.place, Context::Open),
        };
        let visit = |name: OsString| {
            let place = child(self.state, place, &name);
            Visit { parent: Some(index), name, place, context }
        };
        names(self.state, place).into_iter().rev().map(visit).collect()
    }
}

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
