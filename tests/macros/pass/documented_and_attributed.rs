//! Comments, attributes, `cfg` and visibility are kept.
#![deny(warnings, missing_docs, unreachable_pub, unused_qualifications)]

mod pages {
    use syncmgr::prelude::*;

    /// Pages kept for reading offline.
    pub(crate) struct OfflinePages;

    /// Copies each page again.
    #[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = r"Offline \ Web Pages")]
    #[allow(non_snake_case)]
    impl SyncHandler for OfflinePages {
        /// Copies one page.
        #[inline]
        async fn synchronize_item(&self, ITEM: &ItemContext) -> SyncResult {
            let _ = ITEM;
            Ok(())
        }

        #[cfg(any())]
        async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
            item.there_is_no_such_method()
        }
    }

    #[sync_handler(id = "0f7c2b7e-93d7-4c55-8a3e-51b1f0a3d1c4", name = "Nowhere")]
    #[cfg(any())]
    impl SyncHandler for NoSuchType {
        async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
            Ok(())
        }
    }
}

#[test]
fn comments_attributes_cfg_and_visibility_are_kept() {
    use syncmgr::SyncHandler;
    assert_eq!(pages::OfflinePages.info().name(), r"Offline \ Web Pages");
}
