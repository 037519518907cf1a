//! Entries that wait for each other.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::search::Search;
use super::{Move, Relocation};
use crate::two_way::entry::Change;
use crate::two_way::tree::Id;

/// An entry that may be moved as soon as its place is free.
struct Blocked {
    id: Id,
    agreed: Id,
    /// Its number on the other side.
    source: Id,
    to: PathBuf,
}

impl Search<'_> {
    /// Lets the first entry of a cycle change places with the one that is in its way. Returns `false` if no entries wait for each other.
    pub(super) fn break_cycle(&mut self) -> bool {
        let mut blocked: BTreeMap<PathBuf, Blocked> =
            self.waiting.iter().filter_map(|entry| self.blocked(entry.id)).collect();
        let is_in_cycle = |from: &PathBuf| {
            let next = |from: &&PathBuf| blocked.get(*from).map(|entry| &entry.to);
            std::iter::successors(Some(from), next).skip(1).take(blocked.len()).any(|place| place == from)
        };
        let Some(first) = blocked.keys().find(|from| is_in_cycle(from)).cloned() else { return false };
        let first = blocked.remove_entry(&first);
        let second = first.as_ref().and_then(|(_, first)| blocked.remove_entry(&first.to));
        let Some((first, second)) = first.zip(second) else { return false };
        self.exchange(&first, &second);
        for (_, Blocked { id, agreed, .. }) in [first, second] {
            if self.state.agreed.path(agreed) == self.own().path(id) {
                self.waiting.retain(|entry| entry.id != id);
                self.walk(id, Some(agreed));
            }
        }
        true
    }

    /// An entry that may be moved as soon as its place is free, with its path on the other side.
    fn blocked(&self, id: Id) -> Option<(PathBuf, Blocked)> {
        let (agreed, from, versions) = self.origin(id)?;
        let source = self.other().find(&from).filter(|source| self.may_move(*source, &from, &versions))?;
        Some((from, Blocked { id, agreed, source, to: self.own().path(id) }))
    }

    /// Makes the exchange in the agreed state and in the tree of the other side.
    fn exchange(&mut self, first: &(PathBuf, Blocked), second: &(PathBuf, Blocked)) {
        let moves = [(first, &second.0), (second, &first.0)].map(|((from, entry), to)| self.move_to(from, entry, to));
        self.state.found[self.side.other()].exchange(first.1.source, second.1.source);
        self.state.agreed.exchange(first.1.agreed, second.1.agreed);
        self.state.has_moved = true;
        [first.1.id, second.1.id].iter().for_each(|id| self.state.found[self.side].entry_mut(*id).is_moved = true);
        self.relocations.push(Relocation::Exchange(moves));
    }

    fn move_to(&self, from: &Path, entry: &Blocked, to: &Path) -> Move {
        let side = self.side.other();
        let agreed = self.state.agreed.entry(entry.agreed);
        let found = &self.other().entry(entry.source).version;
        let is_agreed = agreed.is_some_and(|versions| found.change_since(&versions[side]) == Change::None);
        Move { side, id: entry.source, agreed: entry.agreed, from: from.to_owned(), to: to.to_owned(), is_agreed }
    }
}
