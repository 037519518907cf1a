//! Two sides: what a peer has, and the copies of it on this side. Both outlive a process.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use syncmgr_core::id::{HandlerId, ItemId};

use super::step::Fault;

/// An item of a handler.
pub(super) type Key = (HandlerId, ItemId);

/// Of how many entries some are deleted.
pub(super) const ENTRIES: u64 = 40;

/// Both sides.
#[derive(Debug, Default)]
pub(super) struct Sides {
    pub(super) theirs: BTreeMap<Key, Theirs>,
    pub(super) ours: BTreeMap<Key, Ours>,
    /// How many listings of a handler fail.
    pub(super) unlisted: BTreeMap<HandlerId, u32>,
}

/// What the peer has of an item.
#[derive(Debug)]
pub(super) struct Theirs {
    pub(super) version: u64,
    pub(super) chunks: u64,
    pub(super) is_there: bool,
    /// How many of the [`ENTRIES`] the next attempt is to delete.
    pub(super) deletes: u64,
    pub(super) faults: VecDeque<Fault>,
}

/// What there is of an item on this side.
#[derive(Debug, Default)]
pub(super) struct Ours {
    pub(super) version: u64,
    pub(super) chunks: BTreeSet<u64>,
    /// How often anything was written.
    pub(super) writes: u64,
}

impl Sides {
    /// Writes a chunk on this side. Doing it twice leaves what doing it once leaves.
    pub(super) fn write(&mut self, key: Key, version: u64, chunk: u64) {
        let ours = self.ours.entry(key).or_default();
        if ours.version != version {
            *ours = Ours { version, chunks: BTreeSet::new(), writes: ours.writes };
        }
        ours.writes += 1;
        ours.chunks.insert(chunk);
    }

    /// Whether so much of this version was written.
    pub(super) fn has(&self, key: Key, version: u64, chunks: u64) -> bool {
        let ours = self.ours.get(&key);
        // What a later version has replaced was there.
        chunks == 0
            || ours.is_some_and(|ours| {
                ours.version > version
                    || ours.version == version && (0..chunks).all(|chunk| ours.chunks.contains(&chunk))
            })
    }

    /// The items that are not the same on both sides.
    pub(super) fn unequal(&self) -> Vec<Key> {
        let there = self.theirs.iter().filter(|(_, theirs)| theirs.is_there);
        let unequal = there.filter(|(key, theirs)| {
            self.ours.get(key).is_none_or(|ours| ours.version != theirs.version)
                || !self.has(**key, theirs.version, theirs.chunks)
        });
        unequal.map(|(key, _)| *key).collect()
    }

    /// How often anything was written on this side.
    pub(super) fn writes(&self) -> u64 {
        self.ours.values().map(|ours| ours.writes).sum()
    }

    /// Nothing goes wrong any more, and every item is there.
    pub(super) fn heal(&mut self) {
        self.unlisted.clear();
        for theirs in self.theirs.values_mut() {
            theirs.faults.clear();
            theirs.is_there = true;
        }
    }
}
