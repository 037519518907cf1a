//! Mistakes in what becomes of a failure of the peer, and blocking.

use std::sync::Arc;
use std::time::Duration;

use syncmgr::anyhow;
use syncmgr::prelude::*;
use syncmgr_test::Check;

use super::super::world::{World, caught};

/// Tries again by itself when the peer fails.
struct Stubborn(Arc<World>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0e01", name = "Stubborn")]
impl SyncHandler for Stubborn {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let text = loop {
            match self.0.fetch(item.name(), 0).await {
                Ok(text) => break text,
                Err(_) => tokio::time::sleep(Duration::from_secs(1)).await,
            }
        };
        self.0.put(item.name(), 0, text);
        Ok(())
    }
}

#[test]
fn a_handler_that_retries_by_itself_is_told_to_return_the_error() {
    caught(Stubborn, Check::Failures, "the peer failed `atlas`, which ends: succeeded");
}

/// Makes a new error of the text of the old one.
struct Rewords(Arc<World>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0e02", name = "Rewords")]
impl SyncHandler for Rewords {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let fetched = self.0.fetch(item.name(), 0).await;
        let text = fetched.map_err(|error| anyhow::anyhow!("cannot fetch {}: {error}", item.name()))?;
        self.0.put(item.name(), 0, text);
        Ok(())
    }
}

#[test]
fn a_class_that_is_lost_on_the_way_is_named() {
    caught(Rewords, Check::Failures, "and the handler says: transient");
}

/// Sleeps on its thread.
struct Sleeper(Arc<World>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0e03", name = "Sleeper")]
impl SyncHandler for Sleeper {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    #[expect(clippy::disallowed_methods, reason = "this is the mistake")]
    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let text = self.0.fetch(item.name(), 0).await?;
        if item.name() == "bestiary" {
            std::thread::sleep(Duration::from_millis(150));
        }
        self.0.put(item.name(), 0, text);
        Ok(())
    }
}

#[test]
fn a_handler_that_blocks_its_thread_is_told_in_which_call() {
    caught(Sleeper, Check::Blocking, "synchronize_item of `bestiary` blocks its thread for");
}

/// Waits on its thread for what never comes.
struct Deadlocked(Arc<World>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0e04", name = "Deadlocked")]
impl SyncHandler for Deadlocked {
    async fn items(&self) -> SyncResult<Items> {
        let (_sender, receiver) = std::sync::mpsc::channel::<()>();
        let _kept = Box::leak(Box::new(_sender));
        _ = receiver.recv();
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, _: &ItemContext) -> SyncResult {
        Ok(())
    }
}

#[test]
fn a_handler_that_blocks_its_thread_for_good_does_not_take_the_test_along() {
    let kit = super::super::world::kit(Deadlocked).patience(Duration::from_millis(300));
    let found = super::super::world::breach(&kit, Check::Blocking);
    assert!(found.headline().ends_with("a call blocks its thread for good"), "{}", found.headline());
}
