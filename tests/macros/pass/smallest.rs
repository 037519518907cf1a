//! A handler needs only one method.
#![deny(warnings)]

use syncmgr::prelude::*;

struct OfflinePages;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages")]
impl SyncHandler for OfflinePages {
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

#[test]
fn a_handler_needs_only_one_method() {
    let info = OfflinePages.info();
    assert_eq!(info.name(), "Offline Web Pages");
    assert_eq!(info.id(), syncmgr::HandlerId::from_u128(0xd2f0c1a4_5b7e_4c3d_9a8f_0e1d2c3b4a59));
}
