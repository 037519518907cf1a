//! The generated code uses the given path of the facade, and needs no import.
#![deny(warnings)]

mod vendored {
    pub(crate) mod sync {
        pub(crate) use ::syncmgr::__private;
        pub(crate) use ::syncmgr::*;
    }
}

struct OfflinePages;

#[vendored::sync::sync_handler(
    id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59",
    name = "Offline Web Pages",
    flags(hidden),
    capabilities(cancellable, resumable),
    limits(items = 2, stall = "1min", when_stalled = cancel),
    crate = crate::facade_under_another_path::vendored::sync,
)]
impl vendored::sync::SyncHandler for OfflinePages {
    async fn synchronize_item(&self, _item: &vendored::sync::ItemContext) -> vendored::sync::SyncResult {
        Ok(())
    }
}

#[test]
fn generated_code_uses_the_given_path_of_the_facade() {
    assert_eq!(OfflinePages::HANDLER.name(), "Offline Web Pages");
}
