//! A handler may be defined in a function.
#![deny(warnings)]

use syncmgr::prelude::*;

#[test]
fn a_handler_may_be_defined_in_a_function() {
    struct OfflinePages;

    #[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages")]
    impl SyncHandler for OfflinePages {
        async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
            Ok(())
        }
    }

    assert_eq!(OfflinePages.info().name(), "Offline Web Pages");
}
