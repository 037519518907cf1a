//! `migrate` accepts any name of the state's type.
#![deny(warnings)]

use syncmgr::prelude::*;
use syncmgr::serde_json;
use syncmgr::serde_json::Value;

struct Short;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Short", state_version = 2)]
impl SyncHandler for Short {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }

    fn migrate(&self, _item: ItemId, _from: u32, state: Value) -> SyncResult<Value> {
        Ok(state)
    }
}

struct Module;

#[sync_handler(id = "0f7c2b7e-93d7-4c55-8a3e-51b1f0a3d1c4", name = "Module", state_version = 2)]
impl SyncHandler for Module {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }

    fn migrate(&self, _: ItemId, _: u32, _: serde_json::Value) -> SyncResult<serde_json::Value> {
        Ok(serde_json::json!({ "page": 1 }))
    }
}

type Json = syncmgr::serde_json::Value;

struct Whole;

#[sync_handler(id = "b7d1a0c2-3c53-4f0e-8d67-9a4f2e5c1b08", name = "Whole", state_version = 2)]
impl SyncHandler for Whole {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }

    fn migrate(&self, _item: ItemId, _from: u32, state: syncmgr::serde_json::Value) -> syncmgr::anyhow::Result<Json> {
        Ok(state)
    }
}

#[test]
fn migrate_accepts_any_name_of_the_state_type() {
    let handlers: [&dyn SyncHandler; 3] = [&Short, &Module, &Whole];
    let migrate = |handler: &dyn SyncHandler| handler.migrate(ItemId::from_u128(7), 1, Value::Null).ok();
    assert_eq!(handlers.map(migrate), [Some(Value::Null), Some(serde_json::json!({ "page": 1 })), Some(Value::Null)]);
}
