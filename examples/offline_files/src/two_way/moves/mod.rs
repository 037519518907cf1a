//! Entries that one side has moved, which become moves on the other side.
//!
//! An entry has moved if its inode number is now under another path, and its old path has another entry or none. Files and links must
//! have the size and time of before. Of a directory, an entry must still be in it: the number of a deleted directory may be that of a
//! new one. Each move is made in the agreed state and in the tree of the other side before anything else is compared, so that whatever
//! else has changed in a moved directory is found where it is now. A moved file has a new time of change, and is therefore compared.
//!
//! A move to a place that the other side has occupied waits for the move that frees it, as in a rotation of logs. Entries that wait for
//! each other change places. Where a place is never free, and where the other side has moved or deleted the entry too, nothing is moved:
//! the entry is then copied and deleted like any other.

mod exchange;
mod search;
mod trees;

use std::collections::HashSet;
use std::path::PathBuf;

use self::search::Search;
use super::entry::Version;
use super::side::Side;
use super::state::State;
use super::tree::Id;

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
    /// Two entries change places.
    Exchange([Move; 2]),
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
        Search::new(state, side, refused, &mut relocations).find_all();
    }
    relocations
}

impl Relocation {
    /// The moves that are made.
    pub(crate) fn moves(&self) -> &[Move] {
        match self {
            Self::Make { .. } => &[],
            Self::Move(moved) => std::slice::from_ref(moved),
            Self::Exchange(moves) => moves,
        }
    }

    /// The paths that have a new entry afterwards.
    pub(crate) fn targets(&self) -> impl Iterator<Item = &PathBuf> {
        let made = if let Self::Make { path, .. } = self { Some(path) } else { None };
        made.into_iter().chain(self.moves().iter().map(|moved| &moved.to))
    }

    /// Records the versions that the entries have afterwards, in the order of [`targets`](Self::targets).
    pub(crate) fn settle(&self, state: &mut State, now: &[Version]) {
        if let (Self::Make { side, id, .. }, [now]) = (self, now) {
            state.found[*side].entry_mut(*id).version = *now;
        }
        self.moves().iter().zip(now).for_each(|(moved, now)| moved.settle(state, *now));
    }
}

impl Move {
    fn settle(&self, state: &mut State, now: Version) {
        let Self { side, id, agreed, is_agreed, .. } = self;
        state.found[*side].entry_mut(*id).version = now;
        if let Some(versions) = state.agreed.entry_mut(*agreed).as_mut().filter(|_| *is_agreed) {
            versions[*side].changed = now.changed;
        }
    }
}
