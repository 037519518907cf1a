use syncmgr::prelude::*;

struct UnknownFlag;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages", flags(hidden, fast))]
impl SyncHandler for UnknownFlag {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

struct MisspelledFlag;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages", flags(HasPropertys))]
impl SyncHandler for MisspelledFlag {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

struct DuplicateFlag;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages", flags(hidden, hidden))]
impl SyncHandler for DuplicateFlag {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

struct FlagWithAValue;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages", flags(hidden = true))]
impl SyncHandler for FlagWithAValue {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

struct FlagsAssigned;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages", flags = hidden)]
impl SyncHandler for FlagsAssigned {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

fn main() {
    fn is_handler(_: impl SyncHandler) {}
    is_handler(UnknownFlag);
    let _ = UnknownFlag::HANDLER;
    is_handler(MisspelledFlag);
    let _ = MisspelledFlag::HANDLER;
    is_handler(DuplicateFlag);
    let _ = DuplicateFlag::HANDLER;
    is_handler(FlagWithAValue);
    let _ = FlagWithAValue::HANDLER;
    is_handler(FlagsAssigned);
    let _ = FlagsAssigned::HANDLER;
}
