use syncmgr::prelude::*;

struct UnknownKey;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages", version = "1.0")]
impl SyncHandler for UnknownKey {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

struct MisspelledKey;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", nmae = "Offline Web Pages")]
impl SyncHandler for MisspelledKey {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

struct DuplicateKey;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages", name = "Pages")]
impl SyncHandler for DuplicateKey {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

struct MissingComma;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59" name = "Offline Web Pages")]
impl SyncHandler for MissingComma {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

struct ValuesWithoutKeys;

#[sync_handler("d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", "Offline Web Pages")]
impl SyncHandler for ValuesWithoutKeys {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

struct CrateInQuotes;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages", crate = "syncmgr")]
impl SyncHandler for CrateInQuotes {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

struct ClaimsInTheAttribute;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages", claims("account"))]
impl SyncHandler for ClaimsInTheAttribute {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

struct ScheduleInTheAttribute;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages", schedule = "0 3 * * *")]
impl SyncHandler for ScheduleInTheAttribute {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

fn main() {
    fn is_handler(_: impl SyncHandler) {}
    is_handler(UnknownKey);
    let _ = UnknownKey::HANDLER;
    is_handler(MisspelledKey);
    let _ = MisspelledKey::HANDLER;
    is_handler(DuplicateKey);
    let _ = DuplicateKey::HANDLER;
    is_handler(MissingComma);
    let _ = MissingComma::HANDLER;
    is_handler(ValuesWithoutKeys);
    let _ = ValuesWithoutKeys::HANDLER;
    is_handler(CrateInQuotes);
    let _ = CrateInQuotes::HANDLER;
    is_handler(ClaimsInTheAttribute);
    let _ = ClaimsInTheAttribute::HANDLER;
    is_handler(ScheduleInTheAttribute);
    let _ = ScheduleInTheAttribute::HANDLER;
}
