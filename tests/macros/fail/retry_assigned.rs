use syncmgr::prelude::*;

struct OfflinePages;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages", retry = 3)]
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
