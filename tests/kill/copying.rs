//! The handler that the child processes run. It copies files in chunks; some items fail, ask the user or lose their state.

use std::io::Write;
use std::time::Duration;

use syncmgr::ItemId;
use syncmgr::handler::Requirement;
use syncmgr::prelude::*;
use syncmgr::schedule::Schedule;
use syncmgr::store::{ItemRecord, SqliteStore, StateStore};

use crate::folder::{CHUNKS, FileState, Folder, NAMES};

/// Copies the files of a folder. The name and the record of an item determine its behaviour, so that each failure or
/// question occurs once, no matter how often the process is killed. The item `vanishing` is listed until it succeeds.
pub(crate) struct Copying {
    pub(crate) folder: Folder,
    pub(crate) store: SqliteStore,
}

pub(crate) const HANDLER: HandlerId = HandlerId::from_u128(0x8a0f6b52_3c1d_4e7f_9b2a_6d5c4e3f2a10);

/// Returns the id of the item with this name.
pub(crate) fn id(name: &str) -> ItemId {
    SyncItem::named(name).id()
}

#[sync_handler(id = "8a0f6b52-3c1d-4e7f-9b2a-6d5c4e3f2a10", name = "Copying")]
impl SyncHandler for Copying {
    async fn items(&self) -> SyncResult<Items> {
        let vanished = self.record(id("vanishing"))?.last_success.is_some();
        let listed = NAMES.iter().filter(|name| **name != "vanishing" || !vanished);
        Ok(listed.map(|name| item_named(name)).collect())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        self.folder.note(&format!("begin {}", item.name()))?;
        if item.name() == "unreadable" {
            self.save_unreadable_state(item).await?;
        }
        let mut saved = item.saved::<FileState>()?;
        if saved.chunk < CHUNKS && saved.decided.is_none() {
            saved.decided = decide(item)?;
        }
        self.copy(item, &mut saved).await?;
        self.log_success(item)
    }
}

fn item_named(name: &str) -> SyncItem {
    let item = SyncItem::named(name);
    if name.starts_with("flaky") { item.with_claim("peer") } else { item }
}

/// Asks the user or proposes a plan, depending on the item. Returns the decision.
fn decide(item: &ItemContext) -> SyncResult<Option<String>> {
    let side = |entries| Side::new("to", entries).with_identity("this disk");
    match item.name() {
        "asks" => match item.decide("case", "upper or lower case?", &["upper", "lower"]) {
            Some(case) => Ok(Some(case.to_string())),
            None => Err(NeedsUser::new("a decision is pending").into()),
        },
        "planned" => {
            item.propose(&Plan::new().with_creates(1).with_deletes(2, 10).with_side(side(10)))?;
            Ok(Some("proceed".into()))
        }
        "guarded" => {
            item.propose(&Plan::new().with_deletes(20, 30).with_side(side(30)))?;
            Ok(Some("proceed".into()))
        }
        _ => Ok(None),
    }
}

impl Copying {
    fn record(&self, item: ItemId) -> SyncResult<ItemRecord> {
        Ok(self.store.record(HANDLER, item)?.unwrap_or_default())
    }

    /// Saves a state of the wrong type, once.
    async fn save_unreadable_state(&self, item: &ItemContext) -> SyncResult {
        let record = self.record(item.id())?;
        if record.checkpoint.is_none() && record.set_aside.is_none() {
            let mut unreadable = item.saved::<String>()?;
            unreadable.push_str("not a file state");
            unreadable.commit().await?;
        }
        Ok(())
    }

    async fn copy(&self, item: &ItemContext, saved: &mut syncmgr::Saved<FileState>) -> SyncResult {
        let mut copy = self.folder.open_copy(item.name(), saved.bytes)?;
        while saved.chunk < CHUNKS {
            if item.name().starts_with("flaky") && saved.chunk == 2 && self.record(item.id())?.outcome.is_none() {
                syncmgr::anyhow::bail!("the peer was busy");
            }
            let chunk = self.folder.read_transformed(item.name(), saved.chunk)?;
            self.folder.note(&format!("chunk {} {}", item.name(), saved.chunk))?;
            copy.write_all(chunk.as_bytes())?;
            saved.chunk += 1;
            saved.bytes += chunk.len() as u64;
            saved.commit().await?;
            item.progress(saved.chunk as u64, CHUNKS as u64)?;
        }
        Ok(())
    }

    /// Logs that the item was copied, once.
    fn log_success(&self, item: &ItemContext) -> SyncResult {
        if self.record(item.id())?.last_success.is_none() {
            let entry = LogEntry::new(LogLevel::Information, format!("copied {}", item.name()));
            item.log(entry.with_id(ErrorId::from_key(item.name())));
        }
        Ok(())
    }
}

/// A handler that is registered for a while and then forgotten.
pub(crate) struct Temporary;

pub(crate) const TEMPORARY: HandlerId = HandlerId::from_u128(0x8a0f6b52_3c1d_4e7f_9b2a_6d5c4e3f2a11);

#[sync_handler(id = "8a0f6b52-3c1d-4e7f-9b2a-6d5c4e3f2a11", name = "Temporary")]
impl SyncHandler for Temporary {
    fn info(&self) -> HandlerInfo {
        // Its first firing is too late for the test, but the beginning of the schedule is stored.
        let yearly = Schedule::every(Duration::from_secs(365 * 24 * 60 * 60)).expect("the interval is valid");
        Self::HANDLER.with_schedule(yearly)
    }

    async fn items(&self) -> SyncResult<Items> {
        Ok([SyncItem::named("coat"), SyncItem::named("hat").requires(Requirement::Mains)].into_iter().collect())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        item.info("synchronized");
        Ok(())
    }
}
