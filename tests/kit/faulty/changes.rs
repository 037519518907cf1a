//! Handlers that miss changes of their items, or lose data when both sides change.

use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};
use syncmgr::prelude::*;
use syncmgr_test::{Check, CheckResult};

use super::super::shelf::{Shelf, assert_caught, shelf_kit};

/// Fetches only books without a local copy.
struct FetchesOnlyMissing(Arc<Shelf>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c1001", name = "Fetches only missing")]
impl SyncHandler for FetchesOnlyMissing {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        if !self.0.local().contains_key(item.name()) {
            let text = self.0.fetch(item.name()).await?;
            self.0.put(item.name(), text);
        }
        Ok(())
    }
}

#[test]
fn an_update_that_is_never_fetched_is_found() {
    assert_caught(
        FetchesOnlyMissing,
        Check::Changes,
        "the peer updates `atlas`, and after the next run the data are not",
    );
}

/// Lists the books once and keeps the list.
struct KeepsListing(Arc<Shelf>, Mutex<Option<Items>>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c1002", name = "Keeps listing")]
impl SyncHandler for KeepsListing {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.1.lock().unwrap().get_or_insert_with(|| self.0.items()).clone())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let text = self.0.fetch(item.name()).await?;
        self.0.put(item.name(), text);
        Ok(())
    }
}

#[test]
fn a_new_item_missing_from_a_kept_listing_is_found() {
    let keeps_listing = |shelf| KeepsListing(shelf, Mutex::default());
    assert_caught(keeps_listing, Check::Changes, "the peer creates something next to `atlas`, and after the next run");
}

/// Brings back what the peer has deleted.
struct RevivesDeleted(Arc<Shelf>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c1003", name = "Revives deleted")]
impl SyncHandler for RevivesDeleted {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let peer = self.0.fetch(item.name()).await?;
        let local = self.0.local().get(item.name()).cloned();
        if peer.is_none() {
            return self.0.send(item.name(), local, None).await;
        }
        self.0.put(item.name(), peer);
        Ok(())
    }
}

#[test]
fn a_deletion_that_is_undone_is_found() {
    assert_caught(RevivesDeleted, Check::Changes, "the peer deletes `atlas`, and after the next run the data are not");
}

/// Overwrites the user's version in a conflict.
struct OverwritesUser(Arc<Shelf>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c1004", name = "Overwrites user")]
impl SyncHandler for OverwritesUser {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let mut agreed = item.saved::<Option<String>>()?;
        let peer = self.0.fetch(item.name()).await?;
        if peer == *agreed {
            let local = self.0.local().get(item.name()).cloned();
            self.0.send(item.name(), local.clone(), peer.as_ref()).await?;
            *agreed = local;
        } else {
            self.0.put(item.name(), peer.clone());
            *agreed = peer;
        }
        agreed.commit().await
    }
}

#[test]
fn a_version_of_the_user_lost_in_a_conflict_is_found() {
    assert_caught(OverwritesUser, Check::Changes, "the peer and the user update `atlas`, and after the next run");
}

/// Commits the peer's newest version, which may be newer than the fetched one.
struct CommitsNewestVersion(Arc<Shelf>);

/// The version that was copied.
#[derive(Default, Serialize, Deserialize)]
struct Version(Option<String>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c1005", name = "Commits newest version")]
impl SyncHandler for CommitsNewestVersion {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let mut copied = item.saved::<Version>()?;
        let newest = self.0.peer().get(item.name()).cloned();
        if copied.0 != newest {
            let text = self.0.fetch(item.name()).await?;
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            self.0.put(item.name(), text);
            copied.0 = self.0.peer().get(item.name()).cloned();
            copied.commit().await?;
        }
        Ok(())
    }
}

#[test]
fn an_update_that_arrives_between_fetch_and_commit_and_is_lost_is_found() {
    assert_caught(
        CommitsNewestVersion,
        Check::LostUpdates,
        "the peer updates `atlas`, and after the next run the data are not",
    );
}

/// Commits the version of an update before it writes the text. Its first copy is correct.
struct CommitsUpdateBeforeWriting(Arc<Shelf>);

#[sync_handler(id = "3b6f3b0e-6e0e-4c07-8d5e-6a3f8f5c1006", name = "Commits update before writing")]
impl SyncHandler for CommitsUpdateBeforeWriting {
    async fn items(&self) -> SyncResult<Items> {
        Ok(self.0.items())
    }

    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let mut copied = item.saved::<Version>()?;
        let text = self.0.fetch(item.name()).await?;
        if copied.0 == text {
            return Ok(());
        }
        let is_update = copied.0.is_some();
        copied.0 = text.clone();
        if is_update {
            copied.commit().await?;
            self.0.put(item.name(), text);
            return Ok(());
        }
        self.0.put(item.name(), text);
        copied.commit().await
    }
}

#[test]
fn an_update_lost_by_an_interruption_is_found() {
    let kit = shelf_kit(CommitsUpdateBeforeWriting);
    assert!(matches!(kit.check(Check::Kill), CheckResult::Passed(_)), "the first copy survives a kill");
    assert_caught(
        CommitsUpdateBeforeWriting,
        Check::InterruptedChanges,
        "the peer updates `atlas`, and after the next run the data are not",
    );
}
