//! An `info` written by the author is kept.
#![deny(warnings)]

use syncmgr::HandlerInfo;
use syncmgr::prelude::*;

struct Mail {
    account: String,
}

#[sync_handler(id = "0f7c2b7e-93d7-4c55-8a3e-51b1f0a3d1c4", name = "Mail")]
impl SyncHandler for Mail {
    fn info(&self) -> HandlerInfo {
        Self::HANDLER.instance(&self.account)
    }

    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

#[test]
fn the_authors_own_info_is_kept() {
    assert_eq!(Mail { account: "home".to_owned() }.info().name(), "Mail (home)");
}
