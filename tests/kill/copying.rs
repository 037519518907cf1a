//! The handler: copies files chunk by chunk, with whatever may happen to an item on the way.

use std::io::Write;

use syncmgr::ItemId;
use syncmgr::prelude::*;
use syncmgr::store::{ItemRecord, SqliteStore, StateStore};

use crate::folder::{CHUNKS, Folder, NAMES, Place};

/// Copies the files of a folder. What happens to an item follows from its name and its record, so that it happens once,
/// however often the process is killed.
pub(crate) struct Copying {
    pub(crate) folder: Folder,
    pub(crate) store: SqliteStore,
}

pub(crate) const HANDLER: HandlerId = HandlerId::from_u128(0x8a0f6b52_3c1d_4e7f_9b2a_6d5c4e3f2a10);

/// The id of the item of this name.
pub(crate) fn id(name: &str) -> ItemId {
    SyncItem::named(name).id()
}

#[sync_handler(id = "8a0f6b52-3c1d-4e7f-9b2a-6d5c4e3f2a10", name = "Copying")]
impl SyncHandler for Copying {
    async fn items(&self) -> SyncResult<Items> {
        let passing = self.record(id("passing"))?.last_success.is_none();
        let listed = NAMES.iter().filter(|name| **name != "passing" || passing);
        Ok(listed.map(|name| listed_as(name)).collect())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        self.folder.note(&format!("begin {}", item.name()))?;
        if item.name() == "unreadable" {
            self.spoil(item).await?;
        }
        let mut saved = item.saved::<Place>()?;
        if saved.chunk < CHUNKS && saved.decided.is_none() {
            saved.decided = decided(item)?;
        }
        self.copy(item, &mut saved).await?;
        self.tell(item)
    }
}

fn listed_as(name: &str) -> SyncItem {
    let item = SyncItem::named(name);
    if name.starts_with("flaky") { item.with_claim("peer") } else { item }
}

/// What is asked and declared before anything of the item is written.
fn decided(item: &ItemContext) -> SyncResult<Option<String>> {
    let side = |entries| Side::new("to", entries).with_identity("this disk");
    match item.name() {
        "asks" => match item.decide("case", "In which case?", &["upper", "lower"]) {
            Some(case) => Ok(Some(case.to_string())),
            None => Err(NeedsUser::new("it waits for a decision").into()),
        },
        "planned" => {
            let _go = item.clear(&Plan::new().with_creates(1).with_deletes(2, 10).with_side(side(10))).or_leave()?;
            Ok(Some("cleared".into()))
        }
        "guarded" => {
            let _go = item.clear(&Plan::new().with_deletes(20, 30).with_side(side(30))).or_leave()?;
            Ok(Some("cleared".into()))
        }
        _ => Ok(None),
    }
}

impl Copying {
    fn record(&self, item: ItemId) -> SyncResult<ItemRecord> {
        Ok(self.store.record(HANDLER, item)?.unwrap_or_default())
    }

    /// Saves once what nobody can read.
    async fn spoil(&self, item: &ItemContext) -> SyncResult {
        let record = self.record(item.id())?;
        if record.checkpoint.is_none() && record.set_aside.is_none() {
            let mut spoilt = item.saved::<String>()?;
            spoilt.push_str("no place at all");
            spoilt.commit().await?;
        }
        Ok(())
    }

    async fn copy(&self, item: &ItemContext, saved: &mut syncmgr::Saved<Place>) -> SyncResult {
        let mut copy = self.folder.open_copy(item.name(), saved.bytes)?;
        while saved.chunk < CHUNKS {
            if item.name().starts_with("flaky") && saved.chunk == 2 && self.record(item.id())?.outcome.is_none() {
                syncmgr::anyhow::bail!("the peer was busy");
            }
            let chunk = self.folder.transformed(item.name(), saved.chunk)?;
            self.folder.note(&format!("chunk {} {}", item.name(), saved.chunk))?;
            copy.write_all(chunk.as_bytes())?;
            saved.chunk += 1;
            saved.bytes += chunk.len() as u64;
            saved.commit().await?;
            item.progress(saved.chunk as u64, CHUNKS as u64)?;
        }
        Ok(())
    }

    /// Says once that the item was copied.
    fn tell(&self, item: &ItemContext) -> SyncResult {
        if self.record(item.id())?.last_success.is_none() {
            let told = LogEntry::new(LogLevel::Information, format!("copied {}", item.name()));
            item.log(told.with_error(ErrorId::from_key(item.name())));
        }
        Ok(())
    }
}

/// A handler that comes and is forgotten.
pub(crate) struct Guest;

pub(crate) const GUEST: HandlerId = HandlerId::from_u128(0x8a0f6b52_3c1d_4e7f_9b2a_6d5c4e3f2a11);

#[sync_handler(id = "8a0f6b52-3c1d-4e7f-9b2a-6d5c4e3f2a11", name = "Guest")]
impl SyncHandler for Guest {
    async fn items(&self) -> SyncResult<Items> {
        Ok(["coat", "hat"].map(SyncItem::named).into_iter().collect())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        item.info("was here");
        Ok(())
    }
}
