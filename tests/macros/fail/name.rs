use syncmgr::prelude::*;

struct MissingName;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59")]
impl SyncHandler for MissingName {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

struct EmptyName;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "")]
impl SyncHandler for EmptyName {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

struct NameLongerThanTheContractHolds;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages of the Whole Company")]
impl SyncHandler for NameLongerThanTheContractHolds {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

struct NameThatIsANumber;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = 7)]
impl SyncHandler for NameThatIsANumber {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

fn main() {
    fn is_handler(_: impl SyncHandler) {}
    is_handler(MissingName);
    let _ = MissingName::HANDLER;
    is_handler(EmptyName);
    let _ = EmptyName::HANDLER;
    is_handler(NameLongerThanTheContractHolds);
    let _ = NameLongerThanTheContractHolds::HANDLER;
    is_handler(NameThatIsANumber);
    let _ = NameThatIsANumber::HANDLER;
}
