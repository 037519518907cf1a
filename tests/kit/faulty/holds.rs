//! Handlers that work on items that are held.

use std::sync::Arc;
use std::time::Duration;

use syncmgr::prelude::*;
use syncmgr_test::Check;

use super::super::peer::{FakePeer, assert_caught, violation};
use super::super::shelf::{Shelf, shelf_kit};

/// Fetches the last book together with each other book.
struct WorksAhead(Arc<Shelf>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c1101", name = "Works ahead", limits(items = 1))]
impl SyncHandler for WorksAhead {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        for name in [item.name(), "bestiary"] {
            let text = self.0.fetch(name).await?;
            self.0.put(name, text);
        }
        Ok(())
    }
}

#[test]
fn an_access_for_an_item_that_a_pause_holds_is_found() {
    let found = violation(&shelf_kit(WorksAhead), Check::Holds);
    let expected =
        "the peer receives access 1 to `bestiary`, although the session is paused and the item has not begun";
    assert_eq!(found.headline(), expected);
}

/// Copies all items in a loop of its own, beside the calls that the host begins.
struct LoopsOverSelection(Arc<FakePeer>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c1102", name = "Loops over selection", limits(items = 1))]
impl SyncHandler for LoopsOverSelection {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize(&self, run: &SynchronizeContext) -> SyncResult {
        let copy_all = async {
            for item in run.selection() {
                let text = self.0.fetch(item.name(), 0).await?;
                self.0.put(item.name(), 0, text);
            }
            Ok(())
        };
        let wait = run.each(async |item| {
            self.0.fetch(item.name(), 0).await?;
            Ok(())
        });
        tokio::try_join!(copy_all, wait).map(drop)
    }
}

#[test]
fn data_written_for_an_item_that_a_pause_holds_are_found() {
    assert_caught(
        LoopsOverSelection,
        Check::Holds,
        "which belongs to `bestiary`, changes, although the session is paused",
    );
}

/// Turns to the next book if the peer asks to wait, although the books are on one server.
struct TriesAnotherItem(Arc<Shelf>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c1103", name = "Tries another item", limits(items = 1))]
impl SyncHandler for TriesAnotherItem {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items().iter().map(|item| item.clone().with_claim("server")).collect())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let text = self.0.fetch(item.name()).await;
        if text.is_err() {
            let next = self.0.fetch("bestiary").await?;
            self.0.put("bestiary", next);
        }
        self.0.put(item.name(), text?);
        Ok(())
    }
}

#[test]
fn an_access_for_an_item_that_has_to_wait_for_the_peer_is_found() {
    let found = violation(&shelf_kit(TriesAnotherItem), Check::Holds);
    let expected =
        "the peer receives access 1 to `bestiary`, although the peer has asked to wait and the item has not begun";
    assert_eq!(found.headline(), expected);
}

/// Fetches the first book again every ten minutes, in a task that outlives the run.
struct PollsInBackground(Arc<Shelf>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c1104", name = "Polls in background")]
impl SyncHandler for PollsInBackground {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn prepare(&self, _: &PrepareContext) -> SyncResult {
        let shelf = self.0.clone();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_secs(600)).await;
                shelf.put("atlas", shelf.fetch("atlas").await.unwrap());
            }
        });
        Ok(())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let text = self.0.fetch(item.name()).await?;
        self.0.put(item.name(), text);
        Ok(())
    }
}

#[test]
fn work_in_the_background_without_a_network_is_found() {
    let found = violation(&shelf_kit(PollsInBackground), Check::Holds);
    let expected = "the peer receives access 2 to `atlas`, although no session runs and the network is down";
    assert_eq!(found.headline(), expected);
}
