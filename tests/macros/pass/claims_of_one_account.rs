//! An `info` written by the author can add claims to the generated constant `HANDLER`.
#![deny(warnings)]

use syncmgr::Claim;
use syncmgr::prelude::*;

struct Mail {
    account: String,
}

#[sync_handler(id = "0f7c2b7e-93d7-4c55-8a3e-51b1f0a3d1c4", name = "Mail", capabilities(cancellable, idempotent))]
impl SyncHandler for Mail {
    fn info(&self) -> HandlerInfo {
        Self::HANDLER.instance(&self.account).with_claim(self.account.as_str())
    }

    async fn synchronize(&self, _run: &SynchronizeContext) -> SyncResult {
        Ok(())
    }
}

#[test]
fn the_authors_own_info_can_add_claims() {
    let info = Mail { account: "ann".to_owned() }.info();
    assert_eq!(info.claims(), [Claim::new("ann")]);
    assert_eq!(info.capabilities(), Mail::HANDLER.capabilities());
}
