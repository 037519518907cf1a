//! The agreed state after a run, from what its steps have done.

use std::ffi::OsStr;

use super::entry::{Agreed, Version};
use super::plan::{PartPlan, Reason, Verdict};
use super::side::Both;
use super::state::State;
use super::tree::{Id, Tree};

/// What a step has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Both sides have these versions.
    Agreed(Both<Version>),
    /// Neither side has the entry.
    Gone,
    /// Nothing. What was agreed before stays agreed.
    Undone,
}

const ROOT: Id = Tree::<Agreed>::ROOT;

/// The state of an item after its steps, without what is the same for all items. `outcomes` has one outcome for each step, and what was
/// agreed about the `left_out` names at the top level stays.
pub(crate) fn settled<'a>(
    state: &State,
    part: &PartPlan,
    outcomes: &[Outcome],
    left_out: impl IntoIterator<Item = &'a OsStr>,
) -> Tree<Agreed> {
    let mut tree = Tree::new(None);
    for (name, agreed) in left_out.into_iter().filter_map(|name| Some((name, state.agreed.child(ROOT, name)?))) {
        let id = tree.add(ROOT, name, *state.agreed.entry(agreed));
        state.agreed.copy_into(agreed, &mut tree, id);
    }
    let mut ids: Vec<Option<Id>> = Vec::with_capacity(part.steps.len());
    for (step, outcome) in part.steps.iter().zip(outcomes) {
        let before = state.agreed(step.place);
        let entry = match outcome {
            Outcome::Agreed(versions) => Some(*versions),
            Outcome::Gone => None,
            Outcome::Undone => before,
        };
        let parent = step.parent.map_or(Some(ROOT), |parent| ids[parent]);
        // Something may still be agreed below a directory that is not.
        let is_kept = entry.is_some() || *outcome == Outcome::Undone && step.place.agreed.is_some();
        let id = parent.filter(|_| is_kept).map(|parent| tree.add(parent, &step.name, entry));
        // A step without steps for what is in its directory.
        let is_whole = match step.verdict {
            Verdict::Leave(reason) => !matches!(reason, Reason::Hides(_) | Reason::Held),
            verdict => verdict == Verdict::Unchanged,
        };
        if let (Some(id), Some(agreed), true) = (id, step.place.agreed, is_whole) {
            state.agreed.copy_into(agreed, &mut tree, id);
        }
        ids.push(id);
    }
    tree
}
