//! Nothing generated names `::syncmgr` when the facade is elsewhere, and nothing needs an import.
#![deny(warnings)]

mod vendored {
    pub mod sync {
        pub use ::syncmgr::__private;
        pub use ::syncmgr::*;
    }
}

struct OfflinePages;

#[vendored::sync::sync_handler(
    id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59",
    name = "Offline Web Pages",
    flags(hidden),
    capabilities(cancellable, resumable),
    limits(items = 2, stall = "1min", when_stalled = cancel),
    crate = crate::vendored::sync,
)]
impl vendored::sync::SyncHandler for OfflinePages {
    async fn synchronize_item(&self, _item: &vendored::sync::ItemContext) -> vendored::sync::SyncResult {
        Ok(())
    }
}

fn main() {
    assert_eq!(OfflinePages::HANDLER.name(), "Offline Web Pages");
}
