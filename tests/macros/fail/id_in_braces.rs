use syncmgr::prelude::*;

struct OfflinePages;

#[sync_handler(id = "{D2F0C1A4-5B7E-4C3D-9A8F-0E1D2C3B4A59}", name = "Offline Web Pages")]
impl SyncHandler for OfflinePages {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

fn main() {
    fn is_handler(_: impl SyncHandler) {}
    is_handler(OfflinePages);
    let _ = OfflinePages::HANDLER;
}
