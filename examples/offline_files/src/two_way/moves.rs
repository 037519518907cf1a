//! Entries that one side has moved, which become moves on the other side.
//!
//! An entry has moved if its inode number is now under another path, and its old path has another entry or none. Files and links must
//! have the size and time of before. Of a directory, an entry must still be in it: the number of a deleted directory may be that of a
//! new one. Each move is made in the agreed state and in the tree of the other side before anything else is compared, so that whatever
//! else has changed in a moved directory is found where it is now.
//!
//! A move to a place that the other side has occupied waits for the move that frees it, as in a rotation of logs. Where that never
//! happens, and where the other side has moved or deleted the entry too, nothing is moved: the entry is then copied and deleted like
//! any other.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::entry::{Agreed, Change, Found, Kind, Version};
use super::side::{Both, Side};
use super::state::State;
use super::tree::{Id, Tree};

/// A change of one side to make before the others, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Relocation {
    /// Makes the directory of this number at `path`, with these permission bits.
    Make {
        side: Side,
        id: Id,
        path: PathBuf,
        mode: u16,
    },
    Move(Move),
}

/// An entry of one side to move because the other side has moved it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Move {
    pub(crate) side: Side,
    pub(crate) id: Id,
    /// Its number in the agreed state.
    pub(crate) agreed: Id,
    pub(crate) from: PathBuf,
    pub(crate) to: PathBuf,
    /// `true` if it is the agreed version, so that the move explains its new time of change.
    pub(crate) is_agreed: bool,
}

/// Finds the moves of both sides and makes them in `state`. Paths in `refused` get no move.
pub(crate) fn detect(state: &mut State, refused: &HashSet<PathBuf>) -> Vec<Relocation> {
    let mut relocations = Vec::new();
    for side in Side::BOTH {
        let index = index(&state.agreed, side);
        let mut search = Search { state, side, index, refused, waiting: Vec::new(), relocations: &mut relocations };
        search.walk(Tree::<Found>::ROOT, Some(Tree::<Agreed>::ROOT));
        search.retry();
    }
    relocations
}

impl Relocation {
    /// Records the version that the entry has afterwards.
    pub(crate) fn settle(&self, state: &mut State, now: Version) {
        match self {
            Self::Make { side, id, .. } => state.found[*side].entry_mut(*id).version = now,
            Self::Move(Move { side, id, agreed, is_agreed, .. }) => {
                state.found[*side].entry_mut(*id).version = now;
                if let Some(versions) = state.agreed.entry_mut(*agreed).as_mut().filter(|_| *is_agreed) {
                    versions[*side].changed = now.changed;
                }
            }
        }
    }
}

/// The entries of the agreed state by their identities on `side`; `None` for an identity that several have, as hard links.
fn index(agreed: &Tree<Agreed>, side: Side) -> HashMap<(Kind, u64), Option<Id>> {
    let mut index = HashMap::new();
    for id in agreed.below(Tree::<Agreed>::ROOT) {
        if let Some(versions) = agreed.entry(id) {
            let version = &versions[side];
            index.entry((version.kind, version.inode)).and_modify(|known| *known = None).or_insert(Some(id));
        }
    }
    index
}

/// The search for the moves of one side.
struct Search<'a> {
    state: &'a mut State,
    side: Side,
    index: HashMap<(Kind, u64), Option<Id>>,
    refused: &'a HashSet<PathBuf>,
    /// Entries whose new places are occupied on the other side.
    waiting: Vec<Id>,
    relocations: &'a mut Vec<Relocation>,
}

/// The answer to whether an entry has moved.
enum Moved {
    No,
    /// Not yet: its place is occupied on the other side.
    Waits,
    /// This entry of the agreed state is now at its place.
    Yes(Id),
}

impl Search<'_> {
    /// Looks for moved entries below a directory, which the agreed state has as `agreed`.
    fn walk(&mut self, directory: Id, agreed: Option<Id>) {
        let mut pending = vec![(directory, agreed)];
        while let Some((directory, agreed)) = pending.pop() {
            for id in self.own().children(directory).to_vec() {
                let known = agreed.and_then(|agreed| self.state.agreed.child(agreed, self.own().name(id)));
                let known = if self.is_in_place(id, known) { known } else { self.moved_to(id).or(known) };
                if self.own().entry(id).version.is_directory() {
                    pending.push((id, known));
                }
            }
        }
    }

    /// Tries the waiting entries again, until none of them can be moved.
    fn retry(&mut self) {
        loop {
            let waiting = std::mem::take(&mut self.waiting);
            let count = waiting.len();
            for id in waiting {
                if let Some(agreed) = self.moved_to(id) {
                    self.walk(id, Some(agreed));
                }
            }
            if self.waiting.len() >= count {
                return;
            }
        }
    }

    fn moved_to(&mut self, id: Id) -> Option<Id> {
        match self.examine(id) {
            Moved::No => None,
            Moved::Waits => {
                self.waiting.push(id);
                None
            }
            Moved::Yes(agreed) => Some(agreed),
        }
    }

    fn own(&self) -> &Tree<Found> {
        &self.state.found[self.side]
    }

    fn other(&self) -> &Tree<Found> {
        &self.state.found[self.side.other()]
    }

    fn is_in_place(&self, id: Id, known: Option<Id>) -> bool {
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
    fn origin(&self, id: Id) -> Option<(Id, PathBuf, Both<Version>)> {
        let version = &self.own().entry(id).version;
        let agreed = (*self.index.get(&(version.kind, version.inode))?)?;
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
        let identity = |version: &Version| (version.kind, version.inode);
        let own = self.own();
        let found: HashSet<_> = own.children(id).iter().map(|child| identity(&own.entry(*child).version)).collect();
        let known = self.state.agreed.children(agreed).iter().filter_map(|child| *self.state.agreed.entry(*child));
        known.into_iter().any(|versions| found.contains(&identity(&versions[self.side])))
    }

    /// Returns `true` if the other side has moved the entry to the same path.
    fn has_moved_too(&self, to: &Path, versions: &Both<Version>) -> bool {
        let there = self.other().find(to);
        there.is_some_and(|there| self.other().entry(there).version.is_moved_from(&versions[self.side.other()]))
    }

    /// Returns `true` if the other side's entry at the old path is what was agreed there. It may have changed in place, unless this
    /// side has something new at the old path, with which the change may conflict.
    fn may_move(&self, source: Id, from: &Path, versions: &Both<Version>) -> bool {
        let (found, agreed) = (self.other().entry(source), &versions[self.side.other()]);
        let change = found.version.change_since(agreed);
        found.version.kind == agreed.kind
            && !found.is_unreadable
            && (change == Change::None || !found.version.is_directory() && self.own().find(from).is_none())
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
    fn is_agreed_place(&self, to: &Path) -> bool {
        let known = self.state.agreed.find(to);
        known.is_some_and(|id| self.state.agreed.entry(id).is_some() || !self.state.agreed.children(id).is_empty())
    }

    /// Makes the move in the agreed state alone.
    fn adopt(&mut self, id: Id, agreed: Id, to: &Path) -> Moved {
        if self.is_agreed_place(to) {
            return Moved::Waits;
        }
        let there = self.other().find(to);
        let now = Both::from_fn(|side| {
            let id = if side == self.side { Some(id) } else { there };
            id.map(|id| self.state.found[side].entry(id).version.changed)
        });
        if let Some(versions) = self.state.agreed.entry_mut(agreed) {
            for side in Side::BOTH {
                versions[side].changed = now[side].unwrap_or(versions[side].changed);
            }
        }
        self.relocate_agreed(agreed, to);
        Moved::Yes(agreed)
    }

    fn relocate(&mut self, (id, source, agreed): (Id, Id, Id), from: PathBuf, to: PathBuf, versions: &Both<Version>) {
        let (side, now) = (self.side.other(), self.own().entry(id).version);
        let parent = self.make_directories(to.parent().unwrap_or(Path::new("")));
        let is_agreed = self.other().entry(source).version.change_since(&versions[side]) == Change::None;
        if let Some(versions) = self.state.agreed.entry_mut(agreed) {
            versions[self.side].changed = now.changed;
        }
        self.state.found[side].relocate(source, parent, name_of(&to).to_owned());
        self.relocate_agreed(agreed, &to);
        self.relocations.push(Relocation::Move(Move { side, id: source, agreed, from, to, is_agreed }));
    }

    /// The directory at `path` on the other side. Makes those that are missing.
    fn make_directories(&mut self, path: &Path) -> Id {
        let (side, mut parent, mut own) = (self.side.other(), Tree::<Found>::ROOT, Tree::<Found>::ROOT);
        for name in path {
            own = self.own().child(own, name).expect("the directories of a moved entry exist on its side");
            parent = self.other().child(parent, name).unwrap_or_else(|| {
                let mode = self.own().entry(own).version.mode;
                let made = Found::new(Version { mode, ..Version::default() });
                let id = self.state.found[side].add(parent, name.to_owned(), made);
                self.relocations.push(Relocation::Make { side, id, path: self.other().path(id), mode });
                id
            });
        }
        parent
    }

    fn relocate_agreed(&mut self, agreed: Id, to: &Path) {
        let tree = &mut self.state.agreed;
        let mut parent = Tree::<Agreed>::ROOT;
        for name in to.parent().unwrap_or(Path::new("")) {
            parent = tree.child(parent, name).unwrap_or_else(|| tree.add(parent, name.to_owned(), None));
        }
        tree.child(parent, name_of(to)).into_iter().for_each(|place| tree.remove(place));
        tree.relocate(agreed, parent, name_of(to).to_owned());
    }
}

fn name_of(path: &Path) -> &OsStr {
    path.file_name().unwrap_or_default()
}
