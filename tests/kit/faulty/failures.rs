//! Handlers that treat failures of the peer incorrectly, and handlers that block their thread.

use std::sync::Arc;
use std::time::Duration;

use syncmgr::anyhow;
use syncmgr::prelude::*;
use syncmgr_test::Check;

use super::super::peer::{FakePeer, assert_caught, violation};
use super::super::shelf::{Shelf, shelf_kit};

/// Retries by itself when the peer fails.
struct RetriesItself(Arc<FakePeer>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0e01", name = "Retries itself")]
impl SyncHandler for RetriesItself {
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
fn a_handler_that_retries_by_itself_is_found() {
    assert_caught(RetriesItself, Check::Failures, "the peer failed an access to `atlas`, but the item ends: succeeded");
}

/// Passes on a failure to fetch, and ignores a failure to send.
struct IgnoresFailureToSend(Arc<Shelf>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0e08", name = "Ignores failure to send")]
impl SyncHandler for IgnoresFailureToSend {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let text = self.0.fetch(item.name()).await?;
        self.0.put(item.name(), text.clone());
        _ = self.0.send(item.name(), text.clone(), text.as_ref()).await;
        Ok(())
    }
}

#[test]
fn an_ignored_failure_of_a_later_access_is_found() {
    let found = violation(&shelf_kit(IgnoresFailureToSend), Check::Failures);
    assert_eq!(found.headline(), "the peer failed an access to `atlas`, but the item ends: succeeded");
    assert_eq!(found.script(), "the peer fails access 2 to `atlas`: transient");
}

/// Builds a new error from the text of the old one, which loses the class.
struct LosesFailureClass(Arc<FakePeer>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0e02", name = "Loses failure class")]
impl SyncHandler for LosesFailureClass {
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
fn a_lost_failure_class_is_found() {
    assert_caught(LosesFailureClass, Check::Failures, "but the handler returns: transient");
}

/// Waits before it returns the failure of the peer.
struct DelaysError(Arc<FakePeer>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0e05", name = "Delays error")]
impl SyncHandler for DelaysError {
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
fn an_error_returned_late_is_found() {
    assert_caught(DelaysError, Check::Failures, "the handler returns the error only after 300 s");
}

/// Deletes all copies when the peer fails.
struct DeletesAllOnFailure(Arc<FakePeer>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0e06", name = "Deletes all on failure")]
impl SyncHandler for DeletesAllOnFailure {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        if item.name() == "cookbook" {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let fetched = self.0.fetch(item.name(), 0).await;
        if fetched.is_err() {
            self.0.copies().clear();
        }
        self.0.put(item.name(), 0, fetched?);
        Ok(())
    }
}

#[test]
fn a_failure_that_deletes_data_of_other_items_is_found() {
    assert_caught(
        DeletesAllOnFailure,
        Check::Failures,
        "`cookbook` failed, and item `atlas` ends: succeeded, but lacks atlas/0",
    );
}

/// Blocks its thread in the second run.
struct BlocksThreadInSecondRun(Arc<FakePeer>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0e07", name = "Blocks thread in second run")]
impl SyncHandler for BlocksThreadInSecondRun {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    #[expect(clippy::disallowed_methods, reason = "the fault of this handler")]
    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        if item.name() == "atlas" && self.0.copies().contains_key("atlas/0") {
            std::thread::sleep(Duration::from_millis(150));
        }
        let text = self.0.fetch(item.name(), 0).await?;
        self.0.put(item.name(), 0, text);
        Ok(())
    }
}

#[test]
fn a_call_that_blocks_its_thread_in_the_second_run_is_named() {
    assert_caught(BlocksThreadInSecondRun, Check::Blocking, "synchronize_item of `atlas` blocks its thread for");
}

/// Blocks its thread.
struct BlocksThread(Arc<FakePeer>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0e03", name = "Blocks thread")]
impl SyncHandler for BlocksThread {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    #[expect(clippy::disallowed_methods, reason = "the fault of this handler")]
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
fn a_call_that_blocks_its_thread_is_named() {
    assert_caught(BlocksThread, Check::Blocking, "synchronize_item of `bestiary` blocks its thread for");
}

/// Blocks its thread forever.
struct Deadlocked(Arc<FakePeer>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c0e04", name = "Deadlocked")]
impl SyncHandler for Deadlocked {
    async fn items(&self) -> SyncResult<Items> {
        let (_sender, receiver) = std::sync::mpsc::channel::<()>();
        let _leaked = Box::leak(Box::new(_sender));
        _ = receiver.recv();
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, _: &ItemContext) -> SyncResult {
        Ok(())
    }
}

pub(crate) fn deadlocked(peer: Arc<FakePeer>) -> impl SyncHandler {
    Deadlocked(peer)
}

#[test]
fn a_handler_that_blocks_forever_does_not_hang_the_test() {
    let kit = super::super::peer::kit(deadlocked).script_timeout(Duration::from_millis(300));
    let found = violation(&kit, Check::Blocking);
    assert!(found.headline().ends_with("a call blocks its thread forever"), "{}", found.headline());
}
