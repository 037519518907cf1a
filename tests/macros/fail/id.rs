use syncmgr::prelude::*;

struct MissingId;

#[sync_handler(name = "Offline Web Pages")]
impl SyncHandler for MissingId {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

struct IdInBraces;

#[sync_handler(id = "{D2F0C1A4-5B7E-4C3D-9A8F-0E1D2C3B4A59}", name = "Offline Web Pages")]
impl SyncHandler for IdInBraces {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

struct IdThatIsAConstant;

#[sync_handler(id = PAGES, name = "Offline Web Pages")]
impl SyncHandler for IdThatIsAConstant {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

struct IdThatIsNoUuid;

#[sync_handler(id = "offline-pages", name = "Offline Web Pages")]
impl SyncHandler for IdThatIsNoUuid {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

struct IdWithADigitTooFew;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a5", name = "Offline Web Pages")]
impl SyncHandler for IdWithADigitTooFew {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

struct NilId;

#[sync_handler(id = "00000000-0000-0000-0000-000000000000", name = "Offline Web Pages")]
impl SyncHandler for NilId {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

fn main() {
    fn is_handler(_: impl SyncHandler) {}
    is_handler(MissingId);
    let _ = MissingId::HANDLER;
    is_handler(IdInBraces);
    let _ = IdInBraces::HANDLER;
    is_handler(IdThatIsAConstant);
    let _ = IdThatIsAConstant::HANDLER;
    is_handler(IdThatIsNoUuid);
    let _ = IdThatIsNoUuid::HANDLER;
    is_handler(IdWithADigitTooFew);
    let _ = IdWithADigitTooFew::HANDLER;
    is_handler(NilId);
    let _ = NilId::HANDLER;
}
