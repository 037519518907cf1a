//! The record of an item between runs.

use std::time::{SystemTime, UNIX_EPOCH};

use futures::FutureExt;
use serde::{Deserialize, Serialize};
use syncmgr::Saved;
use syncmgr::anyhow::Context;
use syncmgr::context::Origin;
use syncmgr::prelude::*;

use crate::history::{History, time};
use crate::mirror::ScanCache;
use crate::roots::RootIds;
use crate::scan_scope::{FullScanReason, ScanScope};

/// The use of records in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecordMode {
    /// Reads and writes no records.
    Off,
    /// Compares everything and writes new records.
    Rebuild,
    /// The same, and also compares the contents of all files.
    Checksum,
    /// Reads the records of the same two directories, and writes new ones.
    Use,
}

/// The checkpoint of an item: the ids of the two directories, the directories that were in sync, and the history of the last
/// complete runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    roots: RootIds,
    #[serde(default)]
    in_sync: ScanCache,
    #[serde(flatten)]
    history: History,
}

impl Record {
    /// Decodes the record in a checkpoint; `None` if that is not possible.
    pub(crate) fn decode(state: &str) -> Option<Self> {
        serde_json::from_str(state).ok()
    }

    /// The directories that were in sync; `None` if the record is for other `roots`.
    pub(crate) fn cache(self, roots: &RootIds) -> Option<ScanCache> {
        roots.mismatch(&self.roots).is_none().then_some(self.in_sync)
    }

    /// The known places of another pair.
    fn places(&self, roots: &RootIds) -> ScanCache {
        let missed = self.history.missed(&self.roots, roots);
        missed.map_or_else(ScanCache::default, |missed| self.in_sync.clone().without_digests().without_places(&missed))
    }
}

/// The record of an item that is running.
pub(crate) struct LoadedRecord {
    saved: Saved<Record>,
    /// The directories that need no comparison, and the known places.
    pub(crate) cache: ScanCache,
    pub(crate) scan_scope: ScanScope,
    record_mode: RecordMode,
}

impl LoadedRecord {
    /// Loads the record of `item`. A record for other `roots` is ignored. A record that cannot be read, such as one of a newer
    /// version of the program, is an error and is not overwritten.
    pub(crate) fn load(item: &ItemContext, record_mode: RecordMode, roots: &RootIds) -> SyncResult<Self> {
        let saved = item
            .saved::<Record>()
            .context("cannot use the record of this item in the state; --no-state runs without it")?;
        let scan_scope = match (record_mode, saved.origin()) {
            (RecordMode::Off, _) => ScanScope::All(FullScanReason::NoState),
            (RecordMode::Rebuild, _) => ScanScope::All(FullScanReason::Requested),
            (RecordMode::Checksum, _) => ScanScope::All(FullScanReason::Checksum),
            (RecordMode::Use, Origin::Fresh) => ScanScope::All(FullScanReason::NoRecord),
            (RecordMode::Use, _) => roots.mismatch(&saved.roots).map_or(ScanScope::Changes, ScanScope::All),
        };
        let cache = match scan_scope {
            ScanScope::Changes => saved.in_sync.clone(),
            _ if roots.mismatch(&saved.roots).is_none() => saved.in_sync.clone().without_digests(),
            _ => saved.places(roots),
        };
        Ok(Self { saved, cache, scan_scope, record_mode })
    }

    /// Returns `true` if an earlier run has mirrored this item.
    pub(crate) fn is_known(&self) -> bool {
        self.saved.origin() != Origin::Fresh
    }

    /// The time since which files in FROM may have changed without a difference in size and time.
    pub(crate) fn changed_since(&self, roots: &RootIds) -> Option<SystemTime> {
        match self.record_mode {
            RecordMode::Off => None,
            RecordMode::Checksum => Some(UNIX_EPOCH),
            _ => self.saved.history.changed_since(&self.saved.roots, roots).map(time),
        }
    }

    /// Records the directories that are in sync, and the start of a run that mirrored everything. Writes nothing if no directory
    /// has changed. Does not wait until the record is stored: the host waits at the end of the session, and says if it could not.
    pub(crate) fn save(mut self, roots: &RootIds, in_sync: ScanCache, began: Option<SystemTime>) -> SyncResult {
        let added = in_sync.places_added_to(&self.saved.in_sync);
        let history = self.saved.history.clone().continued(&self.saved.roots, roots, added.as_deref());
        let mut record = Record { roots: roots.clone(), in_sync, history };
        if *self.saved == record && self.saved.origin() != Origin::Fresh {
            return Ok(());
        }
        if let Some(began) = began {
            record.history.complete(began);
        }
        *self.saved = record;
        // The host stores what was passed to it, also if the future is dropped.
        self.saved.commit().now_or_never().unwrap_or(Ok(()))
    }
}
