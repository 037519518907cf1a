//! What both sides have now, and what they last agreed on.

use super::entry::{Agreed, Found, Version};
use super::side::{Both, Side};
use super::tree::{Id, Tree};

/// Both sides and the last agreed state, with the same moves made in all of them.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) agreed: Tree<Agreed>,
    pub(crate) found: Both<Tree<Found>>,
}

/// The number of an entry in each of the three trees that has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) agreed: Option<Id>,
    pub(crate) found: Both<Option<Id>>,
}

impl State {
    pub(crate) fn new(agreed: Tree<Agreed>, found: Both<Tree<Found>>) -> Self {
        Self { agreed, found }
    }

    /// The agreed versions of a place, if both sides agreed on an entry there.
    pub(crate) fn agreed(&self, place: Place) -> Option<Both<Version>> {
        place.agreed.and_then(|id| *self.agreed.entry(id))
    }

    /// What a scan found at a place.
    pub(crate) fn found(&self, place: Place) -> Both<Option<Found>> {
        Both::from_fn(|side| place.found[side].map(|id| *self.found[side].entry(id)))
    }

    /// Returns `true` if a side has everything below and including this entry as it was agreed.
    pub(crate) fn is_unchanged(&self, place: Place, side: Side) -> bool {
        let Some(top) = place.found[side] else { return false };
        let mut pending = vec![(top, place.agreed)];
        while let Some((id, agreed)) = pending.pop() {
            if !self.is_entry_unchanged(side, id, agreed) {
                return false;
            }
            let tree = &self.found[side];
            let known = |child| agreed.and_then(|agreed| self.agreed.child(agreed, tree.name(child)));
            pending.extend(tree.children(id).iter().map(|child| (*child, known(*child))));
        }
        true
    }

    /// The same without what a directory contains.
    pub(crate) fn is_entry_unchanged(&self, side: Side, id: Id, agreed: Option<Id>) -> bool {
        let found = self.found[side].entry(id);
        let agreed = agreed.and_then(|agreed| *self.agreed.entry(agreed));
        let is_same = |agreed: Both<Version>| {
            let (now, then) = (&found.version, &agreed[side]);
            now.change_since(then) == super::entry::Change::None && now.mode == then.mode
        };
        !found.hides && !found.is_unreadable && agreed.is_some_and(is_same)
    }
}
