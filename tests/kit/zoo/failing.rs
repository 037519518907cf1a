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

/// Waits a while by itself before it says that the peer has failed.
struct Patient(Arc<World>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0e05", name = "Patient")]
impl SyncHandler for Patient {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let fetched = self.0.fetch(item.name(), 0).await;
        if fetched.is_err() {
            tokio::time::sleep(Duration::from_secs(300)).await;
        }
        self.0.put(item.name(), 0, fetched?);
        Ok(())
    }
}

#[test]
fn a_delay_of_the_handlers_own_is_noticed() {
    caught(Patient, Check::Failures, "waits 300 s before it says so");
}

/// Throws everything away when the peer fails once.
struct Hysterical(Arc<World>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0e06", name = "Hysterical")]
impl SyncHandler for Hysterical {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        if item.name() == "cookbook" {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let fetched = self.0.fetch(item.name(), 0).await;
        if fetched.is_err() {
            self.0.shelf().clear();
        }
        self.0.put(item.name(), 0, fetched?);
        Ok(())
    }
}

#[test]
fn a_failure_that_takes_the_neighbours_data_along_is_noticed() {
    caught(
        Hysterical,
        Check::Failures,
        "`cookbook` failed, and its neighbour `atlas` ends: succeeded, and lacks atlas/0",
    );
}

/// Sleeps on its thread where there is something to go on from.
struct SleepsLater(Arc<World>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0e07", name = "Sleeps later")]
impl SyncHandler for SleepsLater {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    #[expect(clippy::disallowed_methods, reason = "this is the mistake")]
    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        if item.name() == "atlas" && self.0.shelf().contains_key("atlas/0") {
            std::thread::sleep(Duration::from_millis(150));
        }
        let text = self.0.fetch(item.name(), 0).await?;
        self.0.put(item.name(), 0, text);
        Ok(())
    }
}

#[test]
fn a_handler_that_blocks_its_thread_in_its_second_run_is_told_in_which_call() {
    caught(SleepsLater, Check::Blocking, "synchronize_item of `atlas` blocks its thread for");
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

pub(crate) fn deadlocked(world: Arc<World>) -> impl SyncHandler {
    Deadlocked(world)
}

#[test]
fn a_handler_that_blocks_its_thread_for_good_does_not_take_the_test_along() {
    let kit = super::super::world::kit(deadlocked).patience(Duration::from_millis(300));
    let found = super::super::world::breach(&kit, Check::Blocking);
    assert!(found.headline().ends_with("a call blocks its thread for good"), "{}", found.headline());
}
