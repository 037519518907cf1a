//! The entries of a directory, on both sides and in the agreed state.

use std::ffi::{OsStr, OsString};

use crate::two_way::side::Both;
use crate::two_way::state::{Place, State};
use crate::two_way::tree::{Id, Tree};

/// The names in a directory on any side or in the agreed state, sorted, with their places.
pub(super) fn entries(state: &State, place: Place) -> Vec<(OsString, Place)> {
    let mut agreed = Names::new(&state.agreed, place.agreed);
    let mut found = Both::from_fn(|side| Names::new(&state.found[side], place.found[side]));
    let mut entries = Vec::new();
    while let Some(name) = [agreed.first(), found.a.first(), found.b.first()].into_iter().flatten().min() {
        let place = Place { agreed: agreed.take(name), found: Both { a: found.a.take(name), b: found.b.take(name) } };
        entries.push((name.to_owned(), place));
    }
    entries
}

/// The entries of a directory of one tree that are left.
struct Names<'a, E> {
    tree: &'a Tree<E>,
    left: &'a [Id],
}

impl<'a, E> Names<'a, E> {
    fn new(tree: &'a Tree<E>, directory: Option<Id>) -> Self {
        Self { tree, left: directory.map_or(&[], |id| tree.children(id)) }
    }

    fn first(&self) -> Option<&'a OsStr> {
        self.left.first().map(|id| self.tree.name(*id))
    }

    /// Takes the first entry if it has this name.
    fn take(&mut self, name: &OsStr) -> Option<Id> {
        let (first, rest) = self.left.split_first().filter(|(first, _)| self.tree.name(**first) == name)?;
        self.left = rest;
        Some(*first)
    }
}
