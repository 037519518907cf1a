//! Two sides: what a peer has, and the copies of it on this side. Both outlive a process.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use syncmgr_core::id::{HandlerId, ItemId};

use crate::step::Fault;

/// An item of a handler.
pub(crate) type Key = (HandlerId, ItemId);

/// Of how many entries some are deleted.
pub(crate) const ENTRIES: u64 = 40;

/// Both sides.
#[derive(Debug, Default)]
pub(crate) struct Sides {
    pub(crate) theirs: BTreeMap<Key, Theirs>,
    pub(crate) ours: BTreeMap<Key, Ours>,
    /// How many listings of a handler fail.
    pub(crate) unlisted: BTreeMap<HandlerId, u32>,
}

/// What the peer has of an item.
#[derive(Debug)]
pub(crate) struct Theirs {
    pub(crate) version: u64,
    pub(crate) chunks: u64,
    pub(crate) is_there: bool,
    /// How many of the [`ENTRIES`] the next attempt is to delete.
    pub(crate) deletes: u64,
    pub(crate) faults: VecDeque<Fault>,
}

/// What there is of an item on this side.
#[derive(Debug, Default)]
pub(crate) struct Ours {
    pub(crate) version: u64,
    pub(crate) chunks: BTreeSet<u64>,
    /// How often anything was written.
    pub(crate) writes: u64,
}

impl Sides {
    /// Writes a chunk on this side. Doing it twice leaves what doing it once leaves.
    pub(crate) fn write(&mut self, key: Key, version: u64, chunk: u64) {
        let ours = self.ours.entry(key).or_default();
        if ours.version != version {
            *ours = Ours { version, chunks: BTreeSet::new(), writes: ours.writes };
        }
        ours.writes += 1;
        ours.chunks.insert(chunk);
    }

    /// Whether so much of this version was written.
    pub(crate) fn has(&self, key: Key, version: u64, chunks: u64) -> bool {
        let ours = self.ours.get(&key);
        // What a later version has replaced was there.
        chunks == 0
            || ours.is_some_and(|ours| {
                ours.version > version
                    || ours.version == version && (0..chunks).all(|chunk| ours.chunks.contains(&chunk))
            })
    }

    /// The items that are not the same on both sides.
    pub(crate) fn unequal(&self) -> Vec<Key> {
        let there = self.theirs.iter().filter(|(_, theirs)| theirs.is_there);
        let unequal = there.filter(|(key, theirs)| {
            self.ours.get(key).is_none_or(|ours| ours.version != theirs.version)
                || !self.has(**key, theirs.version, theirs.chunks)
        });
        unequal.map(|(key, _)| *key).collect()
    }

    /// How often anything was written on this side.
    pub(crate) fn writes(&self) -> u64 {
        self.ours.values().map(|ours| ours.writes).sum()
    }

    /// Nothing goes wrong any more, and every item is there.
    pub(crate) fn heal(&mut self) {
        self.unlisted.clear();
        for theirs in self.theirs.values_mut() {
            theirs.faults.clear();
            theirs.is_there = true;
        }
    }
}
