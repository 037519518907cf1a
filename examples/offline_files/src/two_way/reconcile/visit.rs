//! The walk through all entries, from the top down.

use std::ffi::{OsStr, OsString};

use super::Rules;
use super::entries::entries;
use crate::two_way::conflict::{name_of_kept, versions};
use crate::two_way::entry::{Found, merged_modes};
use crate::two_way::plan::{PartPlan, Reason, Renaming, Step, Verdict};
use crate::two_way::side::{Both, Side};
use crate::two_way::state::{Place, State};

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

pub(super) struct Reconciler<'a> {
    pub(super) state: &'a State,
    pub(super) rules: &'a Rules,
    pub(super) part: &'a mut PartPlan,
}

impl Reconciler<'_> {
    pub(super) fn visit_all(&mut self, name: OsString, place: Place) {
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
            Context::Open if self.is_unchanged(place, &found) => {
                self.count_unchanged(place);
                Verdict::Unchanged
            }
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

    /// Returns `true` for a directory of which nothing is to be looked at.
    fn is_unchanged(&self, place: Place, found: &Both<Option<Found>>) -> bool {
        let is_directory = found.a.is_some_and(|found| found.version.is_directory());
        let is_agreed = place.agreed.is_some_and(|agreed| self.state.is_all_agreed(agreed));
        is_directory && is_agreed && !self.rules.compares_contents
    }

    /// Counts what is below an unchanged directory.
    fn count_unchanged(&mut self, place: Place) {
        for id in place.agreed.into_iter().flat_map(|agreed| self.state.agreed.below(agreed)) {
            let tally = &mut self.part.tally;
            tally.agreed += 1;
            for side in Side::BOTH {
                tally.entries[side] += 1;
                tally.survivors[side] += 1;
            }
            let is_file = self.state.agreed.entry(id).is_some_and(|versions| !versions.a.is_directory());
            self.part.unchanged += u64::from(is_file);
        }
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

    /// Gives the version of `side` a new name. Returns the entries under both names.
    fn rename(&mut self, visit: Visit, side: Side) -> Vec<Visit> {
        let Visit { parent, name, place, context } = visit;
        let renamings = || self.part.renamings.iter().rev().take_while(|renaming| renaming.parent == parent);
        let is_taken = |name: &OsStr| {
            let is_in = |side: Side, id: u32| {
                let tree = &self.state.found[side];
                tree.child(tree.parent(id), name).is_some()
            };
            renamings().any(|renaming| renaming.to == name)
                || Side::BOTH.iter().any(|side| place.found[*side].is_some_and(|id| is_in(*side, id)))
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
            Verdict::Leave(Reason::Hides(_)) => (step.place, Context::Open),
            Verdict::Leave(_) | Verdict::Unchanged => return Vec::new(),
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
        let visit = |(name, place): (OsString, Place)| Visit { parent: Some(index), name, place, context };
        entries(self.state, place).into_iter().rev().map(visit).collect()
    }
}
