use syncmgr::prelude::*;
use syncmgr::serde_json::Value;

struct MisspelledMigrate;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages")]
impl SyncHandler for MisspelledMigrate {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }

    fn migrat(&self, _item: ItemId, _from: u32, state: Value) -> SyncResult<Value> {
        Ok(state)
    }
}

struct MigrateThatIsAsync;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages")]
impl SyncHandler for MigrateThatIsAsync {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }

    async fn migrate(&self, _item: ItemId, _from: u32, state: Value) -> SyncResult<Value> {
        Ok(state)
    }
}

struct MigrateThatReturnsNothing;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages")]
impl SyncHandler for MigrateThatReturnsNothing {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }

    fn migrate(&self, _item: ItemId, _from: u32, _state: Value) -> SyncResult {
        Ok(())
    }
}

struct MigrateWithAStateByReference;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages")]
impl SyncHandler for MigrateWithAStateByReference {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }

    fn migrate(&self, _item: ItemId, _from: u32, state: &Value) -> SyncResult<Value> {
        Ok(state.clone())
    }
}

struct MigrateWithAVersionOfAnotherSize;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages")]
impl SyncHandler for MigrateWithAVersionOfAnotherSize {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }

    fn migrate(&self, _item: ItemId, _from: u64, state: Value) -> SyncResult<Value> {
        Ok(state)
    }
}

struct MigrateWithAnErrorOfItsOwn;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages")]
impl SyncHandler for MigrateWithAnErrorOfItsOwn {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }

    fn migrate(&self, _item: ItemId, _from: u32, state: Value) -> Result<Value, syncmgr::serde_json::Error> {
        Ok(state)
    }
}

struct MigrateWithoutAReturnType;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages")]
impl SyncHandler for MigrateWithoutAReturnType {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }

    fn migrate(&self, _item: ItemId, _from: u32, state: syncmgr::serde_json::Value) {
        Ok(state)
    }
}

fn main() {
    fn is_handler(_: impl SyncHandler) {}
    is_handler(MisspelledMigrate);
    let _ = MisspelledMigrate::HANDLER;
    is_handler(MigrateThatIsAsync);
    let _ = MigrateThatIsAsync::HANDLER;
    is_handler(MigrateThatReturnsNothing);
    let _ = MigrateThatReturnsNothing::HANDLER;
    is_handler(MigrateWithAStateByReference);
    let _ = MigrateWithAStateByReference::HANDLER;
    is_handler(MigrateWithAVersionOfAnotherSize);
    let _ = MigrateWithAVersionOfAnotherSize::HANDLER;
    is_handler(MigrateWithAnErrorOfItsOwn);
    let _ = MigrateWithAnErrorOfItsOwn::HANDLER;
    is_handler(MigrateWithoutAReturnType);
    let _ = MigrateWithoutAReturnType::HANDLER;
}
