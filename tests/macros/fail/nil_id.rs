use syncmgr::prelude::*;

struct OfflinePages;

#[sync_handler(id = "00000000-0000-0000-0000-000000000000", name = "Offline Web Pages")]
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
