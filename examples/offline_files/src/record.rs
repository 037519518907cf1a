//! What is recorded of an item from run to run.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use syncmgr::Saved;
use syncmgr::anyhow::Context;
use syncmgr::context::Origin;
use syncmgr::prelude::*;

use crate::compared::{Compared, Reason};
use crate::mirror::Memory;
use crate::roots::Markers;

/// Which records count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Records {
    /// None, and none are made.
    Nothing,
    /// None, but they are made anew.
    Afresh,
    /// Those of the same two directories.
    Known,
}

/// The checkpoint of an item: between which directories it was mirrored, and what of it was in order then.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    roots: Markers,
    settled: Memory,
}

/// The record of an item being mirrored.
pub(crate) struct Recorded {
    saved: Saved<Record>,
    /// What need not be compared.
    pub(crate) known: Arc<Memory>,
    pub(crate) compared: Compared,
}

impl Recorded {
    /// What is recorded of `item`, as far as it counts for these roots. A record that cannot be read, as one of a newer
    /// program, is not written over either.
    pub(crate) fn load(item: &ItemContext, records: Records, roots: &Markers) -> SyncResult<Self> {
        let saved = item.saved::<Record>().context("its record in the state is of no use, --no-state does without")?;
        let compared = match (records, saved.origin()) {
            (Records::Nothing, _) => Compared::All(Reason::NoState),
            (Records::Afresh, _) => Compared::All(Reason::Asked),
            (Records::Known, Origin::Fresh) => Compared::All(Reason::NothingRecorded),
            (Records::Known, _) => roots.differ(&saved.roots).map_or(Compared::Changes, Compared::All),
        };
        let known = if compared == Compared::Changes { saved.settled.clone() } else { Memory::default() };
        Ok(Self { saved, known: Arc::new(known), compared })
    }

    /// Records what is in order now, once it is. What would tell nothing new is not written.
    pub(crate) async fn save(mut self, roots: &Markers, settled: Memory) -> SyncResult {
        let record = Record { roots: roots.clone(), settled };
        if *self.saved == record && self.saved.origin() != Origin::Fresh {
            return Ok(());
        }
        *self.saved = record;
        self.saved.commit().await
    }
}
