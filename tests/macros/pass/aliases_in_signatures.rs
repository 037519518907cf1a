//! A signature may use aliases of the right types.
#![deny(warnings)]

use syncmgr::prelude::*;
use syncmgr::{ItemContext as Page, SyncResult as Outcome};

type Listing = Outcome<Items>;

struct OfflinePages;

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages")]
impl SyncHandler for OfflinePages {
    async fn items(&self) -> Listing {
        Ok(["inbox", "sent"].into_iter().map(SyncItem::named).collect())
    }

    async fn prepare(self: &Self, _: &'_ syncmgr::PrepareContext) -> Result<(), syncmgr::anyhow::Error> {
        Ok(())
    }

    async fn synchronize_item(&self, _page: &Page) -> Outcome {
        Ok(())
    }
}

#[test]
fn aliases_of_the_right_types_are_accepted() {
    let _: &dyn SyncHandler = &OfflinePages;
}
