//! What both sides have now, and what they last agreed on.

use super::entry::{Agreed, Found, Version};
use super::side::{Both, Side};
use super::tree::{Id, Tree};

/// Both sides and the last agreed state, with the same moves made in all of them.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) agreed: Tree<Agreed>,
    pub(crate) found: Both<Tree<Found>>,
    /// `true` if an agreed entry got another path.
    pub(crate) has_moved: bool,
    /// Tells for each agreed entry if it was, with everything in it, as agreed on both sides before the moves. These concern none of them.
    all_agreed: Vec<bool>,
}

/// The number of an entry in each of the three trees that has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) agreed: Option<Id>,
    pub(crate) found: Both<Option<Id>>,
}

impl State {
    pub(crate) fn new(agreed: Tree<Agreed>, found: Both<Tree<Found>>) -> Self {
        let all_agreed = all_agreed(&agreed, &found);
        Self { agreed, found, has_moved: false, all_agreed }
    }

    /// Returns `true` if an agreed entry and everything in it is on both sides as it was agreed.
    pub(crate) fn is_all_agreed(&self, agreed: Id) -> bool {
        self.all_agreed.get(agreed as usize).is_some_and(|is_agreed| *is_agreed)
    }

    /// The agreed versions of a place, if both sides agreed on an entry there.
    pub(crate) fn agreed(&self, place: Place) -> Option<Both<Version>> {
        place.agreed.and_then(|id| *self.agreed.entry(id))
    }

    /// What a scan found at a place.
    pub(crate) fn found(&self, place: Place) -> Both<Option<Found>> {
        Both::from_fn(|side| place.found[side].map(|id| *self.found[side].entry(id)))
    }
}

/// Tells for each agreed entry if it is on both sides as it was agreed, with everything in it.
fn all_agreed(agreed: &Tree<Agreed>, found: &Both<Tree<Found>>) -> Vec<bool> {
    let mut all_agreed = vec![false; agreed.len()];
    let mut visited = vec![(Tree::<Agreed>::ROOT, Both { a: Tree::<Found>::ROOT, b: Tree::<Found>::ROOT })];
    let mut next = 0;
    while let Some((id, of_sides)) = visited.get(next).copied() {
        next += 1;
        let is_agreed = |side: Side| {
            let (tree, id_found) = (&found[side], of_sides[side]);
            let is_version =
                agreed.entry(id).is_some_and(|versions| tree.entry(id_found).is_as_agreed(&versions[side]));
            is_version && tree.children(id_found).len() == agreed.children(id).len()
        };
        let children = agreed.children(id).iter().filter_map(|child| {
            let of_side = |side: Side| found[side].child(of_sides[side], agreed.name(*child));
            Some((*child, Both::from_fn(of_side).together()?))
        });
        let before = visited.len();
        visited.extend(children);
        let has_all = visited.len() - before == agreed.children(id).len();
        all_agreed[id as usize] = has_all && Side::BOTH.into_iter().all(is_agreed);
    }
    for (id, _) in visited.into_iter().rev() {
        if !all_agreed[id as usize] {
            all_agreed[agreed.parent(id) as usize] = false;
        }
    }
    all_agreed
}
