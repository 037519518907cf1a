//! The record of an item between runs.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use syncmgr::Saved;
use syncmgr::anyhow::Context;
use syncmgr::context::Origin;
use syncmgr::prelude::*;

use crate::mirror::ScanCache;
use crate::roots::RootIds;
use crate::scan_scope::{FullScanReason, ScanScope};

/// The use of records in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecordMode {
    /// Reads and writes no records.
    Off,
    /// Ignores existing records and writes new ones.
    Rebuild,
    /// Reads the records of the same two directories, and writes new ones.
    Use,
}

/// The checkpoint of an item: the ids of the two directories, and the directories that were in sync.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    roots: RootIds,
    #[serde(rename = "settled")]
    in_sync: ScanCache,
}

/// The record of an item that is running.
pub(crate) struct LoadedRecord {
    saved: Saved<Record>,
    /// The directories that need no comparison.
    pub(crate) cache: Arc<ScanCache>,
    pub(crate) scan_scope: ScanScope,
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
            (RecordMode::Use, Origin::Fresh) => ScanScope::All(FullScanReason::NoRecord),
            (RecordMode::Use, _) => roots.mismatch(&saved.roots).map_or(ScanScope::Changes, ScanScope::All),
        };
        let cache = if scan_scope == ScanScope::Changes { saved.in_sync.clone() } else { ScanCache::default() };
        Ok(Self { saved, cache: Arc::new(cache), scan_scope })
    }

    /// Records the directories that are in sync. Writes nothing if the record would not change.
    pub(crate) async fn save(mut self, roots: &RootIds, in_sync: ScanCache) -> SyncResult {
        let record = Record { roots: roots.clone(), in_sync };
        if *self.saved == record && self.saved.origin() != Origin::Fresh {
            return Ok(());
        }
        *self.saved = record;
        self.saved.commit().await
    }
}
