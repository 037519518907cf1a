//! Every method of the trait with its documented signature.
#![deny(warnings)]

use futures::stream::BoxStream;
use syncmgr::changes::LocalChange;
use syncmgr::handler::{PropertiesOutcome, Resolution};
use syncmgr::item::ItemObject;
use syncmgr::log::ErrorId;
use syncmgr::prelude::*;
use syncmgr::progress::Status;
use syncmgr::serde_json::Value;
use syncmgr::{HandlerInfo, Participation, Subject, Uuid};

struct OfflinePages;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages")]
impl SyncHandler for OfflinePages {
    fn info(&self) -> HandlerInfo {
        Self::HANDLER
    }

    async fn initialize(&self, _run: &RunContext) -> SyncResult<Participation> {
        Ok(Participation::Decline)
    }

    async fn items(&self) -> SyncResult<Items> {
        Ok(["inbox", "sent"].into_iter().map(SyncItem::named).collect())
    }

    async fn prepare(&self, _run: &PrepareContext) -> SyncResult {
        Ok(())
    }

    async fn synchronize(&self, _run: &SynchronizeContext) -> SyncResult {
        Ok(())
    }

    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }

    fn set_item_status(&self, _run: &RunContext, _subject: Subject, _status: Status) {}

    async fn show_properties(&self, _run: &RunContext, _subject: Subject) -> SyncResult<PropertiesOutcome> {
        Ok(PropertiesOutcome::Done)
    }

    async fn show_error(&self, _run: &RunContext, _error: ErrorId) -> SyncResult<Resolution> {
        Ok(Resolution::Done)
    }

    fn changes(&self) -> Option<BoxStream<'static, LocalChange>> {
        None
    }

    fn migrate(&self, _item: ItemId, _from: u32, state: Value) -> SyncResult<Value> {
        Ok(state)
    }

    fn item_object(&self, _subject: Subject, _interface: Uuid) -> Option<ItemObject> {
        None
    }
}

#[test]
fn every_method_is_accepted_with_its_documented_signature() {
    let handler: Box<dyn SyncHandler> = Box::new(OfflinePages);
    assert_eq!(handler.info().name(), "Offline Web Pages");
}
