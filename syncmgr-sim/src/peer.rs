//! The data of the peer and the local copies. Both outlive a process.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use syncmgr_core::id::{HandlerId, ItemId};

use crate::step::Fault;

/// The key of an item: its handler and its id.
pub(crate) type Key = (HandlerId, ItemId);

/// The number of entries of an item, for plans with deletions.
pub(crate) const ENTRIES: u64 = 40;

/// The data of both sides.
#[derive(Debug, Default)]
pub(crate) struct Sides {
    pub(crate) peer: BTreeMap<Key, PeerItem>,
    pub(crate) local: BTreeMap<Key, LocalItem>,
    /// The number of future listings that fail, by handler.
    pub(crate) failing_listings: BTreeMap<HandlerId, u32>,
}

/// An item on the peer.
#[derive(Debug)]
pub(crate) struct PeerItem {
    pub(crate) version: u64,
    pub(crate) chunks: u64,
    pub(crate) exists: bool,
    /// The number of entries, out of [`ENTRIES`], that the plan of the next attempt deletes.
    pub(crate) deletes: u64,
    pub(crate) faults: VecDeque<Fault>,
}

/// The local copy of an item.
#[derive(Debug, Default)]
pub(crate) struct LocalItem {
    pub(crate) version: u64,
    pub(crate) chunks: BTreeSet<u64>,
    /// The number of writes.
    pub(crate) writes: u64,
}

impl Sides {
    /// Writes a chunk of the local copy. Writing is idempotent, apart from the count of writes.
    pub(crate) fn write(&mut self, key: Key, version: u64, chunk: u64) {
        let local_item = self.local.entry(key).or_default();
        if local_item.version != version {
            *local_item = LocalItem { version, chunks: BTreeSet::new(), writes: local_item.writes };
        }
        local_item.writes += 1;
        local_item.chunks.insert(chunk);
    }

    /// Returns `true` if the first `chunks` chunks of this version were written.
    pub(crate) fn has(&self, key: Key, version: u64, chunks: u64) -> bool {
        let local_item = self.local.get(&key);
        // A later version may have replaced the chunks.
        chunks == 0
            || local_item.is_some_and(|local_item| {
                local_item.version > version
                    || local_item.version == version && (0..chunks).all(|chunk| local_item.chunks.contains(&chunk))
            })
    }

    /// Returns the items of the peer whose local copy differs.
    pub(crate) fn unequal_items(&self) -> Vec<Key> {
        let existing = self.peer.iter().filter(|(_, peer_item)| peer_item.exists);
        let unequal = existing.filter(|(key, peer_item)| {
            self.local.get(key).is_none_or(|local_item| local_item.version != peer_item.version)
                || !self.has(**key, peer_item.version, peer_item.chunks)
        });
        unequal.map(|(key, _)| *key).collect()
    }

    /// Returns the number of local writes.
    pub(crate) fn writes(&self) -> u64 {
        self.local.values().map(|local_item| local_item.writes).sum()
    }

    /// Removes all faults and restores all items.
    pub(crate) fn remove_faults(&mut self) {
        self.failing_listings.clear();
        for peer_item in self.peer.values_mut() {
            peer_item.faults.clear();
            peer_item.exists = true;
        }
    }
}
