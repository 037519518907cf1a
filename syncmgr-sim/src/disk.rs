//! The store of one process: what is written goes into the books too.

use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use syncmgr_core::error::SyncResult;
use syncmgr_core::store::{Durability, StateChange, StateStore};

use crate::world::World;
use syncmgr_test::FaultyStore;
use syncmgr_test::reads_from;

/// A store whose writes take a while longer, by chance, until whoever waits hears of them.
#[derive(Clone)]
pub(crate) struct Disk {
    pub(crate) store: FaultyStore,
    pub(crate) world: World,
}

impl StateStore for Disk {
    reads_from!(store);

    fn write(&self, changes: Vec<StateChange>) -> BoxFuture<'static, SyncResult> {
        self.world.reach(|state| changes.iter().for_each(|change| state.digest(&format!("{change:?}"))));
        let (world, written) = (self.world.clone(), self.store.write(changes));
        async move {
            let written = written.await;
            if written.is_err() {
                world.reach(|state| state.books.store_trouble = true);
            }
            world.shake("write", 0, Duration::from_millis(30)).await;
            written
        }
        .boxed()
    }

    fn durability(&self) -> Durability {
        self.store.durability()
    }
}
