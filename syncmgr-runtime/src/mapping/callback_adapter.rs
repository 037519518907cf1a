//! The callback adapter: a [`SyncHandler`] with the methods of `ISyncMgrSynchronize`, for a host with its own callback.

mod instance;
mod link;
mod questions;

use std::sync::Arc;

use syncmgr_core::classic::SyncCallback;
use syncmgr_core::handler::{ItemObject, SyncHandler};
use syncmgr_core::hresult::HResult;
use syncmgr_core::id::{ErrorId, ItemId, Subject};
use syncmgr_core::info::HandlerInfo;
use syncmgr_core::item::Items;
use syncmgr_core::port::Interaction;
use syncmgr_core::status::Status;
use syncmgr_core::store::StateStore;
use syncmgr_core::trigger::{RunFlags, Trigger};
use uuid::Uuid;

use self::instance::AdapterInstance;
use crate::memory::MemoryStore;
use crate::session::StartError;

/// Exposes a [`SyncHandler`] to a host that calls the methods of `ISyncMgrSynchronize` and receives results through a
/// callback: a test, a COM bridge or another process.
///
/// Each adapter is one instance. The host calls [`initialize`](Self::initialize) first and once, then
/// [`enum_sync_items`](Self::enum_sync_items), [`set_progress_callback`](Self::set_progress_callback),
/// [`prepare_for_sync`](Self::prepare_for_sync) and [`synchronize`](Self::synchronize). A method called out of order
/// returns `E_UNEXPECTED` and does nothing. The callback is never called with an internal lock held.
///
/// The adapter calls the callback's `progress` before an item begins, ten times a second while the item runs, and at its
/// end. The return code of the callback can cancel items.
///
/// ```
/// # use syncmgr_doc_examples::*;
/// # run(async {
/// let adapter = CallbackAdapter::new(Arc::new(Mail))?;
/// let code = adapter.initialize(Trigger::Manual, RunFlags::empty(), None).await;
/// assert_eq!(code, HResult::S_OK);
/// assert_eq!(adapter.enum_sync_items().await.map_err(CodeError)?.len(), 2);
/// // .. set a callback, prepare, synchronize
/// # Ok(())
/// # })?;
/// # Ok::<(), anyhow::Error>(())
/// ```
///
/// See also: R25.
#[derive(Clone)]
pub struct CallbackAdapter {
    instance: Arc<AdapterInstance>,
}

impl CallbackAdapter {
    /// Creates an instance on the current tokio runtime, which needs its time driver enabled.
    ///
    /// # Errors
    /// [`StartError::NoRuntime`] outside of a runtime, and an error if the handler panics in `info`.
    pub fn new(handler: Arc<dyn SyncHandler>) -> Result<Self, StartError> {
        Self::with_interaction(handler, None)
    }

    /// Like [`new`](Self::new), but the handler can ask the user through `interaction` while the host grants the user's
    /// attention.
    ///
    /// # Errors
    /// [`StartError::NoRuntime`] outside of a runtime, and an error if the handler panics in `info`.
    pub fn with_interaction(
        handler: Arc<dyn SyncHandler>,
        interaction: Option<Arc<dyn Interaction>>,
    ) -> Result<Self, StartError> {
        Self::with_store(handler, interaction, Arc::new(MemoryStore::new()))
    }

    /// Like [`with_interaction`](Self::with_interaction), but saves checkpoints in `store` instead of in memory. The
    /// adapter stores nothing else: retries and history are up to the host.
    ///
    /// # Errors
    /// [`StartError::NoRuntime`] outside of a runtime, and an error if the handler panics in `info`.
    pub fn with_store(
        handler: Arc<dyn SyncHandler>,
        interaction: Option<Arc<dyn Interaction>>,
        store: Arc<dyn StateStore>,
    ) -> Result<Self, StartError> {
        Ok(Self { instance: AdapterInstance::new(handler, interaction, store)? })
    }

    /// `Initialize`. Not cancel safe: if the future is dropped, the instance is unusable.
    pub async fn initialize(&self, trigger: Trigger, flags: RunFlags, cookie: Option<&[u8]>) -> HResult {
        self.instance.initialize(trigger, flags, cookie).await
    }

    /// `GetHandlerInfo`.
    pub fn handler_info(&self) -> HandlerInfo {
        self.instance.info().clone()
    }

    /// `EnumSyncMgrItems`, without the invalid items. Cancel safe.
    ///
    /// See also: R49.
    ///
    /// # Errors
    /// Returns the failure code if the handler cannot list its items.
    pub async fn enum_sync_items(&self) -> Result<Items, HResult> {
        self.instance.enum_sync_items().await
    }

    /// `GetItemObject`.
    ///
    /// # Errors
    /// Returns `E_NOTIMPL` if the handler has no such object.
    pub fn item_object(&self, subject: Subject, interface: Uuid) -> Result<ItemObject, HResult> {
        self.instance.handler().item_object(subject, interface).ok_or(HResult::E_NOTIMPL)
    }

    /// `SetProgressCallback`: sets or replaces the callback. `None` detaches it: running items are stopped, the
    /// callback receives no more calls, and the instance ends.
    ///
    /// See also: R76, R78.
    pub fn set_progress_callback(&self, callback: Option<Arc<dyn SyncCallback>>) -> HResult {
        match callback {
            Some(callback) => self.instance.attach(callback),
            None => self.instance.detach(),
        }
    }

    /// `ShowProperties`. Completes through `ShowPropertiesCompleted`, before or after this method returns.
    ///
    /// See also: R68.
    pub fn show_properties(&self, subject: Subject) -> HResult {
        self.instance.show_properties(subject)
    }

    /// `PrepareForSync` with the chosen items. Completes through `PrepareForSyncCompleted`.
    ///
    /// An item that was not listed is reported as failed through `Progress`. If none of the items was listed, nothing
    /// is prepared and the method returns `E_INVALIDARG`.
    ///
    /// See also: R86, R87.
    pub fn prepare_for_sync(&self, items: &[ItemId]) -> HResult {
        self.instance.prepare(items)
    }

    /// `Synchronize`. Completes through `SynchronizeCompleted` once all items have ended.
    ///
    /// See also: R99, R101.
    pub fn synchronize(&self) -> HResult {
        self.instance.synchronize()
    }

    /// `SetItemStatus`: `SKIPPED` for an item, `STOPPED` for the handler. Returns `E_INVALIDARG` for anything else.
    ///
    /// See also: R126.
    pub fn set_item_status(&self, subject: Subject, status: Status) -> HResult {
        self.instance.set_item_status(subject, status)
    }

    /// `ShowError`. Completes through `ShowErrorCompleted`, before or after this method returns.
    ///
    /// See also: R146.
    pub fn show_error(&self, error: ErrorId) -> HResult {
        self.instance.show_error(error)
    }
}

impl std::fmt::Debug for CallbackAdapter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CallbackAdapter({})", self.instance.info().name())
    }
}
