//! The secrets of handlers, and their deletion when a handler is forgotten.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::anyhow;
use async_trait::async_trait;
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use syncmgr_core::error::{SyncResult, one_line};
use syncmgr_core::foreign::{self, Foreign};
use syncmgr_core::id::HandlerId;
use syncmgr_core::port::{Secret, SecretStore};
use syncmgr_core::sync::Mutex;

/// The store of secrets. While the secrets of a forgotten handler are deleted, a new registration with its id waits, so
/// that its secrets are not deleted too.
pub(crate) struct Secrets {
    store: Foreign<Arc<dyn SecretStore>>,
    deletions: Mutex<BTreeMap<HandlerId, Deletion>>,
}

/// A deletion, which every caller that waits for it drives.
pub(crate) type Deletion = Shared<BoxFuture<'static, Result<(), Arc<anyhow::Error>>>>;

impl Secrets {
    pub(crate) fn new(store: Arc<dyn SecretStore>) -> Arc<Self> {
        Arc::new(Self { store: Foreign::new(store), deletions: Mutex::default() })
    }

    /// Begins to delete all secrets of a handler. Calls no foreign code before the result is polled.
    pub(crate) fn begin_to_forget(&self, handler: HandlerId) -> Deletion {
        let store = Arc::clone(&self.store);
        let mut deletions = self.deletions.lock();
        let earlier = deletions.remove(&handler);
        let deletion = async move {
            if let Some(earlier) = earlier {
                drop(earlier.await);
            }
            let deleted = foreign::call_async(|| store.forget(handler)).await;
            deleted.unwrap_or_else(|panic| Err(anyhow!("the store of secrets panicked: {panic}"))).map_err(Arc::new)
        };
        let deletion = deletion.boxed().shared();
        deletions.insert(handler, deletion.clone());
        deletion
    }

    /// Waits until no deletion of the handler's secrets is left.
    async fn until_deleted(&self, handler: HandlerId) {
        let pending = || self.deletions.lock().get(&handler).cloned();
        while let Some(deletion) = pending() {
            drop(deletion.clone().await);
            let mut deletions = self.deletions.lock();
            if deletions.get(&handler).is_some_and(|latest| latest.ptr_eq(&deletion)) {
                deletions.remove(&handler);
            }
        }
    }
}

#[async_trait]
impl SecretStore for Secrets {
    async fn get(&self, handler: HandlerId, name: &str) -> SyncResult<Option<Secret>> {
        self.until_deleted(handler).await;
        self.store.get(handler, name).await
    }

    async fn put(&self, handler: HandlerId, name: &str, secret: &Secret) -> SyncResult {
        self.until_deleted(handler).await;
        self.store.put(handler, name, secret).await
    }

    async fn reject(&self, handler: HandlerId, name: &str, refused: &Secret) -> SyncResult {
        self.until_deleted(handler).await;
        self.store.reject(handler, name, refused).await
    }

    async fn forget(&self, handler: HandlerId) -> SyncResult {
        let forgotten = self.begin_to_forget(handler).await;
        forgotten.map_err(|error| anyhow!("{}", one_line(&error)))
    }
}
