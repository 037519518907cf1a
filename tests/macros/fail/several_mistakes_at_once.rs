use syncmgr::prelude::*;

struct OfflinePages;

#[sync_handler(id = "d2f0", nmae = "", flags(hiden))]
impl SyncHandler for OfflinePages {
    fn items(&mut self) -> SyncResult<Items> {
        Ok(["inbox", "sent"].into_iter().map(SyncItem::named).collect())
    }

    async fn synchronise_item(&self, _item: ItemContext) {}
}

fn main() {
    fn is_handler(_: impl SyncHandler) {}
    is_handler(OfflinePages);
    let _ = OfflinePages::HANDLER;
}
