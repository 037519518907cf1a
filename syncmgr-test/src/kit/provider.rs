//! A provider under test: a handler and its data.

use std::collections::BTreeMap;
use std::sync::Arc;

use syncmgr_core::error::FailureClass;
use syncmgr_core::handler::SyncHandler;
use syncmgr_core::item::SyncItem;

use super::accesses::Accesses;
use super::change::{Change, Expected};

/// A provider: a handler, its peer, and the data it has written so far.
///
/// Every handler implements this trait already, so a type is either a handler or implements `Provider`. Implement it for a type of
/// your own to enable checks that are skipped otherwise: show the kit the data ([`data`](Self::data)), create a new handler for
/// every process ([`handler`](Self::handler)), inject failures of the peer ([`accesses`](Self::accesses)), or change
/// items between runs ([`change`](Self::change)).
///
/// The provider outlives the processes that use it, as a disk and a server do. Create its data in memory or in a fresh directory,
/// never in anything that two tests share.
pub trait Provider: Send + Sync + 'static {
    /// Creates the handler for a process that has just started. Called outside of any tokio runtime.
    ///
    /// A handler that is its own provider is the same value in every process, so its memory survives kills, unlike in production.
    fn handler(self: Arc<Self>) -> Arc<dyn SyncHandler>;

    /// Returns the data the handler has written, by name: files, rows, messages. The kit compares the maps of two runs, so leave
    /// out values that may differ, such as times.
    ///
    /// If the map is empty, the kit compares the checkpoints instead.
    fn data(&self) -> BTreeMap<String, String> {
        BTreeMap::new()
    }

    /// Returns the accesses of the fake peer, so that the kit can make each of them fail, not only the next one. The kit then does
    /// not call [`inject_failure`](Self::inject_failure).
    fn accesses(&self) -> Option<&Accesses> {
        None
    }

    /// Makes the peer fail the next access to this item in the following session, once, with an error that the handler should
    /// assign to this class: a lost connection for [`Transient`](FailureClass::Transient), a *too many requests* for
    /// [`NotBefore`](FailureClass::NotBefore), and so on. Returns `false` if the provider cannot inject this failure.
    fn inject_failure(&self, item: &SyncItem, class: FailureClass) -> bool {
        let _ = (item, class);
        false
    }

    /// Changes an item, as its peer or its user does between two runs or during one. Returns the state that is right once a
    /// complete run has followed; `None` if the provider cannot make this change.
    ///
    /// The provider decides what is right: a one-way copy reverts what the user changed, and a two-way synchronization sends it
    /// to the peer. If the handler writes to both sides, let [`data`](Self::data) show both.
    ///
    /// ```
    /// # use std::collections::BTreeMap;
    /// # use std::sync::{Arc, Mutex};
    /// # use syncmgr::prelude::*;
    /// # struct Copies(Arc<Documents>);
    /// # #[sync_handler(id = "5d0f0f6e-6b6c-4a43-9d6e-3c1f0a2b7c14", name = "Copies")]
    /// # impl SyncHandler for Copies {
    /// #     async fn items(&self) -> SyncResult<Items> {
    /// #         Ok(self.0.peer.lock().expect("lock poisoned").keys().cloned().map(SyncItem::named).collect())
    /// #     }
    /// #     async fn synchronize_item(&self, _: &ItemContext) -> SyncResult { Ok(()) }
    /// # }
    /// use syncmgr_test::{Change, Expected, Provider};
    ///
    /// /// A fake peer with documents, and the local copies.
    /// struct Documents {
    ///     peer: Mutex<BTreeMap<String, String>>,
    ///     local: Mutex<BTreeMap<String, String>>,
    /// }
    ///
    /// impl Provider for Documents {
    ///     fn handler(self: Arc<Self>) -> Arc<dyn SyncHandler> {
    ///         Arc::new(Copies(self))
    ///     }
    ///
    ///     fn data(&self) -> BTreeMap<String, String> {
    ///         self.local.lock().expect("lock poisoned").clone()
    ///     }
    ///
    ///     fn change(&self, item: &SyncItem, change: Change) -> Option<Expected> {
    ///         let mut peer = self.peer.lock().expect("lock poisoned");
    ///         match change {
    ///             Change::Update => peer.insert(item.name().to_owned(), "second edition".to_owned()),
    ///             Change::Delete => peer.remove(item.name()),
    ///             _ => return None,
    ///         };
    ///         Some(Expected::data(peer.clone())) // the copies must equal what the peer has now
    ///     }
    /// }
    /// # let documents = Documents { peer: Mutex::default(), local: Mutex::default() };
    /// # assert!(documents.change(&SyncItem::named("atlas"), Change::Conflict).is_none());
    /// ```
    fn change(&self, item: &SyncItem, change: Change) -> Option<Expected> {
        let _ = (item, change);
        None
    }

    /// Returns the number of resources, such as connections, that the handler currently has in use from its own pool. After a
    /// session the number must be the same as before, whatever the outcome.
    fn resources_in_use(&self) -> usize {
        0
    }
}

impl<H: SyncHandler> Provider for H {
    fn handler(self: Arc<Self>) -> Arc<dyn SyncHandler> {
        self
    }
}
