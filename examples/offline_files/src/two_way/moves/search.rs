//! The search for the moves of one side.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::Relocation;
use crate::two_way::entry::{Agreed, Change, Found, Kind, Version};
use crate::two_way::side::{Both, Side};
use crate::two_way::state::State;
use crate::two_way::tree::{Id, Tree};

/// The search for the moves of one side.
pub(super) struct Search<'a> {
    pub(super) state: &'a mut State,
    pub(super) side: Side,
    index: OnceCell<Index>,
    pub(super) refused: &'a HashSet<PathBuf>,
    /// Entries whose new places are occupied on the other side.
    pub(super) waiting: Vec<Waiting>,
    pub(super) relocations: &'a mut Vec<Relocation>,
}

/// An entry whose new place is occupied.
pub(super) struct Waiting {
    pub(super) id: Id,
    /// `true` for a directory in which moved entries were looked for.
    is_entered: bool,
}

/// The answer to whether an entry has moved.
pub(super) enum Moved {
    No,
    /// Not yet: its place is occupied on the other side.
    Waits,
    /// This entry of the agreed state is now at its place.
    Yes(Id),
}

impl<'a> Search<'a> {
    pub(super) fn new(
        state: &'a mut State,
        side: Side,
        refused: &'a HashSet<PathBuf>,
        relocations: &'a mut Vec<Relocation>,
    ) -> Self {
        Self { state, side, index: OnceCell::new(), refused, waiting: Vec::new(), relocations }
    }

    /// Finds all moves, until no waiting entry can be moved.
    pub(super) fn find_all(&mut self) {
        self.walk(Tree::<Found>::ROOT, Some(Tree::<Agreed>::ROOT));
        while self.retry() || self.break_cycle() || self.enter_waiting() {}
    }

    /// Looks for moved entries below a directory, which the agreed state has as `agreed`.
    pub(super) fn walk(&mut self, directory: Id, agreed: Option<Id>) {
        let mut pending = vec![(directory, agreed)];
        while let Some((directory, agreed)) = pending.pop() {
            for id in self.own().children(directory).to_vec() {
                let known = agreed.and_then(|agreed| self.state.agreed.child(agreed, self.own().name(id)));
                if known.is_some_and(|known| self.state.is_all_agreed(known)) {
                    continue;
                }
                let moved = if self.is_in_place(id, known) { Moved::No } else { self.examine(id) };
                match moved {
                    Moved::Waits => self.waiting.push(Waiting { id, is_entered: false }),
                    Moved::Yes(agreed) => pending.push((id, Some(agreed))),
                    Moved::No => pending.push((id, known)),
                }
            }
        }
    }

    /// Tries the waiting entries again. Returns `true` if one of them waits no more.
    fn retry(&mut self) -> bool {
        let waiting = std::mem::take(&mut self.waiting);
        let count = waiting.len();
        for entry in waiting {
            match self.examine(entry.id) {
                Moved::Waits => self.waiting.push(entry),
                Moved::Yes(agreed) => self.walk(entry.id, Some(agreed)),
                Moved::No if entry.is_entered => {}
                Moved::No => self.enter(entry.id),
            }
        }
        self.waiting.len() < count
    }

    /// Looks for moved entries in directories that wait, as their own moves may never be possible. Returns `false` if all waiting
    /// directories have been looked at.
    fn enter_waiting(&mut self) -> bool {
        let entered: Vec<Id> = self.waiting.iter().filter(|entry| !entry.is_entered).map(|entry| entry.id).collect();
        self.waiting.iter_mut().for_each(|entry| entry.is_entered = true);
        entered.iter().for_each(|id| self.enter(*id));
        !entered.is_empty()
    }

    /// Looks for moved entries in a directory that stays where it is.
    fn enter(&mut self, id: Id) {
        let known = self.state.agreed.find(&self.own().path(id));
        self.walk(id, known);
    }

    pub(super) fn own(&self) -> &Tree<Found> {
        &self.state.found[self.side]
    }

    pub(super) fn other(&self) -> &Tree<Found> {
        &self.state.found[self.side.other()]
    }

    pub(super) fn is_in_place(&self, id: Id, known: Option<Id>) -> bool {
        let version = self.own().entry(id).version;
        let known = known.and_then(|known| *self.state.agreed.entry(known));
        known.is_some_and(|known| (known[self.side].kind, known[self.side].inode) == (version.kind, version.inode))
    }

    /// Decides if an entry has moved, and makes the move in the trees.
    fn examine(&mut self, id: Id) -> Moved {
        let Some((agreed, from, versions)) = self.origin(id) else { return Moved::No };
        let to = self.own().path(id);
        let Some(source) = self.other().find(&from) else {
            return if self.has_moved_too(&to, &versions) { self.adopt(id, agreed, &to) } else { Moved::No };
        };
        if self.refused.contains(&to) || !self.may_move(source, &from, &versions) || !self.has_room(source, agreed, &to)
        {
            return Moved::No;
        }
        if self.other().find(&to).is_some() || self.is_agreed_place(&to) {
            return Moved::Waits;
        }
        self.relocate((id, source, agreed), from, to, &versions);
        Moved::Yes(agreed)
    }

    /// The agreed entry that has become the entry `id`, with its path and versions.
    pub(super) fn origin(&self, id: Id) -> Option<(Id, PathBuf, Both<Version>)> {
        let version = &self.own().entry(id).version;
        let index = self.index.get_or_init(|| index(&self.state.agreed, self.side));
        let agreed = (*index.get(&(version.kind, version.inode))?)?;
        let versions = (*self.state.agreed.entry(agreed))?;
        let from = self.state.agreed.path(agreed);
        let is_elsewhere = || {
            self.own().find(&from).is_none_or(|there| {
                let there = &self.own().entry(there).version;
                (there.kind, there.inode) != (version.kind, version.inode)
            })
        };
        let is_moved = version.is_moved_from(&versions[self.side])
            && (!version.is_directory() || self.has_survivor(id, agreed))
            && is_elsewhere();
        is_moved.then_some((agreed, from, versions))
    }

    /// Returns `true` if a directory still has one of the entries that were agreed, perhaps under a new name.
    fn has_survivor(&self, id: Id, agreed: Id) -> bool {
        let (own, known) = (self.own(), &self.state.agreed);
        let found: HashMap<_, _> =
            own.children(id).iter().map(|child| (own.entry(*child).version.inode, *child)).collect();
        known.children(agreed).iter().any(|child| {
            let Some(versions) = known.entry(*child) else { return false };
            let then = &versions[self.side];
            // The number of a deleted file may be that of a new one.
            found.get(&then.inode).is_some_and(|now| {
                let version = &own.entry(*now).version;
                version.is_moved_from(then) || version.kind == then.kind && own.name(*now) == known.name(*child)
            })
        })
    }

    /// Returns `true` if the other side has moved the entry to the same path.
    fn has_moved_too(&self, to: &Path, versions: &Both<Version>) -> bool {
        let there = self.other().find(to);
        there.is_some_and(|there| self.other().entry(there).version.is_moved_from(&versions[self.side.other()]))
    }

    /// Returns `true` if the other side's entry at the old path is what was agreed there. It may have changed in place, unless this
    /// side has something new at the old path, with which the change may conflict.
    pub(super) fn may_move(&self, source: Id, from: &Path, versions: &Both<Version>) -> bool {
        let (found, agreed) = (self.other().entry(source), &versions[self.side.other()]);
        let change = found.version.change_since(agreed);
        found.version.kind == agreed.kind
            && !found.is_unreadable
            && (change <= Change::Metadata || !found.version.is_directory() && self.own().find(from).is_none())
    }

    /// Returns `true` if the directory of `to` exists on the other side, or can be made there, and is outside of what is moved.
    fn has_room(&self, source: Id, agreed: Id, to: &Path) -> bool {
        let parent = to.parent().unwrap_or(Path::new(""));
        let (mut place, mut known) = (Some(Tree::<Found>::ROOT), Some(Tree::<Agreed>::ROOT));
        for name in parent {
            place = place.and_then(|place| self.other().child(place, name));
            known = known.and_then(|known| self.state.agreed.child(known, name));
            let blocks = |place| {
                let found = self.other().entry(place);
                place == source || !found.version.is_directory() || found.is_unreadable
            };
            if place.is_some_and(blocks) || known == Some(agreed) {
                return false;
            }
        }
        true
    }

    /// Returns `true` if something was agreed at this path that is not there only to hold a place.
    pub(super) fn is_agreed_place(&self, to: &Path) -> bool {
        let known = self.state.agreed.find(to);
        known.is_some_and(|id| self.state.agreed.entry(id).is_some() || !self.state.agreed.children(id).is_empty())
    }
}

/// The entries of the agreed state by their identities on one side; `None` for an identity that several have, as hard links.
type Index = HashMap<(Kind, u64), Option<Id>>;

fn index(agreed: &Tree<Agreed>, side: Side) -> Index {
    let mut index = HashMap::new();
    for id in agreed.below(Tree::<Agreed>::ROOT) {
        if let Some(versions) = agreed.entry(id) {
            let version = &versions[side];
            index.entry((version.kind, version.inode)).and_modify(|known| *known = None).or_insert(Some(id));
        }
    }
    index
}
