//! A store that records its writes, and can refuse or delay them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use futures::FutureExt;
use futures::future::BoxFuture;
use syncmgr::anyhow::anyhow;
use syncmgr::store::{Checkpoint, Fence, ItemRecord, MemoryStore, StateChange, StateStore};
use syncmgr::{SyncManager, SyncResult};
use tokio::sync::Semaphore;

use crate::support::steps::register_all;
use crate::support::{HANDLER, Scripted, id};

/// A [`MemoryStore`] that records its writes. Clones share one store.
#[derive(Clone)]
pub(crate) struct RecordingStore {
    pub(crate) inner: MemoryStore,
    written: Arc<Mutex<Vec<Vec<StateChange>>>>,
    refuses: Arc<AtomicBool>,
    stored: Arc<Semaphore>,
}

impl Default for RecordingStore {
    fn default() -> Self {
        let stored = Arc::new(Semaphore::new(Semaphore::MAX_PERMITS));
        Self { inner: MemoryStore::new(), written: Arc::default(), refuses: Arc::default(), stored }
    }
}

impl RecordingStore {
    /// Returns the changes of each write so far, in order.
    pub(crate) fn writes(&self) -> Vec<Vec<StateChange>> {
        self.written.lock().expect("not poisoned").clone()
    }

    /// Sets whether later writes are refused.
    pub(crate) fn refuse(&self, refuses: bool) {
        self.refuses.store(refuses, Ordering::Relaxed);
    }

    /// Delays the completion of later writes until [`flush`](Self::flush).
    pub(crate) fn hold(&self) {
        self.stored.forget_permits(Semaphore::MAX_PERMITS);
    }

    pub(crate) fn flush(&self) {
        self.stored.add_permits(1_000);
    }

    pub(crate) fn manager(&self, handler: &Scripted) -> SyncManager {
        register_all(SyncManager::builder().store(self.clone()).build(), [handler.clone()])
    }
}

impl StateStore for RecordingStore {
    syncmgr_test::reads_from!(inner);

    fn write(&self, changes: Vec<StateChange>) -> BoxFuture<'static, SyncResult> {
        if self.refuses.load(Ordering::Relaxed) {
            return async { Err(anyhow!("the disk is full")) }.boxed();
        }
        self.written.lock().expect("not poisoned").push(changes.clone());
        let (write, stored) = (self.inner.write(changes), self.stored.clone());
        async move {
            let _permit = stored.acquire().await?;
            write.await
        }
        .boxed()
    }
}

/// Returns the record of an item of [`Scripted`], if any.
pub(crate) fn find_record(store: &impl StateStore, item: &str) -> Option<ItemRecord> {
    store.record(HANDLER, id(item)).expect("the store can be read")
}

/// Returns the record of an item of [`Scripted`].
pub(crate) fn record(store: &impl StateStore, item: &str) -> ItemRecord {
    find_record(store, item).expect("the item has a record")
}

/// Returns the version and the text of the last checkpoint of an item.
pub(crate) fn saved_checkpoint(store: &impl StateStore, item: &str) -> Option<(u32, String)> {
    let checkpoint = find_record(store, item)?.checkpoint?;
    Some((checkpoint.version, checkpoint.state.to_string()))
}

/// Returns a store with this checkpoint of an item.
pub(crate) async fn store_with_checkpoint(item: &str, version: u32, state: &str) -> MemoryStore {
    let store = MemoryStore::new();
    commit(&store, item, Fence::default(), version, state).await.expect("the store is empty");
    store
}

/// Commits a checkpoint to a store as an attempt does.
pub(crate) async fn commit(store: &impl StateStore, item: &str, fence: Fence, version: u32, state: &str) -> SyncResult {
    let (checkpoint, consumed) = (Checkpoint::new(version, state), Vec::new());
    let sides = None;
    let change = StateChange::Committed { handler: HANDLER, item: id(item), fence, checkpoint, sides, consumed };
    store.write(vec![change]).await
}
