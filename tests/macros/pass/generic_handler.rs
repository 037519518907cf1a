//! The generated constant `HANDLER` keeps generic parameters and bounds.
#![deny(warnings)]

use syncmgr::prelude::*;

trait Store: Send + Sync {}

struct Disk;
impl Store for Disk {}

struct Pages<S, const WIDTH: usize>
where
    S: Store,
{
    _store: S,
}

#[sync_handler(id = "d2f0c1a4-5b7e-4c3d-9a8f-0e1d2c3b4a59", name = "Offline Web Pages")]
impl<S, const WIDTH: usize> SyncHandler for Pages<S, WIDTH>
where
    S: Store + 'static,
{
    async fn synchronize_item(&self, _item: &ItemContext) -> SyncResult {
        Ok(())
    }
}

#[test]
fn the_constant_keeps_parameters_and_bounds() {
    assert_eq!(Pages::<Disk, 80> { _store: Disk }.info().name(), Pages::<Disk, 80>::HANDLER.name());
}
