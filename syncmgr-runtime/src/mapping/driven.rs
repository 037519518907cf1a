//! A [`SyncHandler`] behind the methods of `ISyncMgrSynchronize`, for a host with a callback of its own.

mod link;
mod questions;
mod side;

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

use self::side::HandlerSide;
use crate::memory::MemoryStore;
use crate::session::StartError;

/// Drives a [`SyncHandler`] for a host that calls the methods of `ISyncMgrSynchronize` and is called back: a test, a COM
/// bridge, another process.
///
/// One value is one instance: [`initialize`](Self::initialize) first and once (R25), then
/// [`enum_sync_items`](Self::enum_sync_items), [`set_progress_callback`](Self::set_progress_callback),
/// [`prepare_for_sync`](Self::prepare_for_sync), [`synchronize`](Self::synchronize). A method at the wrong time answers
/// `E_UNEXPECTED` and does nothing. The callback is never called with a lock of ours held.
///
/// While items run, the callback's `progress` is called before each begins, ten times a second, and at its end; the
/// answers of the callback cancel items.
///
/// ```
/// # use syncmgr_setting::*;
/// # run(async {
/// let driven = Driven::new(Arc::new(Mail))?;
/// let taken_part = driven.initialize(Trigger::Manual, RunFlags::empty(), None).await;
/// assert_eq!(taken_part, HResult::S_OK);
/// assert_eq!(driven.enum_sync_items().await.map_err(CodeError)?.len(), 2);
/// // .. set a callback, prepare, synchronize
/// # Ok(())
/// # })?;
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Clone)]
pub struct Driven {
    side: Arc<HandlerSide>,
}

impl Driven {
    /// Drives `handler` on the current tokio runtime, which needs its time enabled.
    ///
    /// # Errors
    /// [`StartError::NoRuntime`] outside of one, or when the handler panics in `info`.
    pub fn new(handler: Arc<dyn SyncHandler>) -> Result<Self, StartError> {
        Self::with_interaction(handler, None)
    }

    /// Like [`new`](Self::new), with what a handler may ask the user through once the host has granted its attention.
    ///
    /// # Errors
    /// [`StartError::NoRuntime`] outside of a runtime, or when the handler panics in `info`.
    pub fn with_interaction(
        handler: Arc<dyn SyncHandler>,
        interaction: Option<Arc<dyn Interaction>>,
    ) -> Result<Self, StartError> {
        Self::with_store(handler, interaction, Arc::new(MemoryStore::new()))
    }

    /// Like [`with_interaction`](Self::with_interaction), with where checkpoints are kept: without a store they are gone with
    /// this value. Nothing else is recorded; retries and history are the host's.
    ///
    /// # Errors
    /// [`StartError::NoRuntime`] outside of a runtime, or when the handler panics in `info`.
    pub fn with_store(
        handler: Arc<dyn SyncHandler>,
        interaction: Option<Arc<dyn Interaction>>,
        store: Arc<dyn StateStore>,
    ) -> Result<Self, StartError> {
        Ok(Self { side: HandlerSide::new(handler, interaction, store)? })
    }

    /// `Initialize`. Not cancel safe: dropped, the instance is of no use.
    pub async fn initialize(&self, trigger: Trigger, flags: RunFlags, cookie: Option<&[u8]>) -> HResult {
        self.side.initialize(trigger, flags, cookie).await
    }

    /// `GetHandlerInfo`.
    pub fn handler_info(&self) -> HandlerInfo {
        self.side.info().clone()
    }

    /// `EnumSyncMgrItems`, without the offenders of R49. Cancel safe.
    ///
    /// # Errors
    /// The code of a listing that failed.
    pub async fn enum_sync_items(&self) -> Result<Items, HResult> {
        self.side.enum_sync_items().await
    }

    /// `GetItemObject`.
    ///
    /// # Errors
    /// `E_NOTIMPL` where the handler has none.
    pub fn item_object(&self, subject: Subject, interface: Uuid) -> Result<ItemObject, HResult> {
        self.side.handler().item_object(subject, interface).ok_or(HResult::E_NOTIMPL)
    }

    /// `SetProgressCallback`: sets the callback, replaces it (R76), or detaches with `None` (R78), after which the
    /// callback is not called any more and the instance is over. What still runs is stopped.
    pub fn set_progress_callback(&self, callback: Option<Arc<dyn SyncCallback>>) -> HResult {
        match callback {
            Some(callback) => self.side.attach(callback),
            None => self.side.detach(),
        }
    }

    /// `ShowProperties`; completed through `ShowPropertiesCompleted`, before or after this returns (R68).
    pub fn show_properties(&self, subject: Subject) -> HResult {
        self.side.show_properties(subject)
    }

    /// `PrepareForSync` with the chosen items; completed through `PrepareForSyncCompleted` (R86, R87).
    ///
    /// An id that was not listed is reported failed through `Progress`; with no listed id at all nothing is prepared and
    /// the answer is `E_INVALIDARG`.
    pub fn prepare_for_sync(&self, items: &[ItemId]) -> HResult {
        self.side.prepare(items)
    }

    /// `Synchronize`; completed through `SynchronizeCompleted` once every item has ended (R99, R101).
    pub fn synchronize(&self) -> HResult {
        self.side.synchronize()
    }

    /// `SetItemStatus`: `SKIPPED` for an item, `STOPPED` for the handler; anything else is `E_INVALIDARG` (R126).
    pub fn set_item_status(&self, subject: Subject, status: Status) -> HResult {
        self.side.set_item_status(subject, status)
    }

    /// `ShowError`; completed through `ShowErrorCompleted`, before or after this returns (R146).
    pub fn show_error(&self, error: ErrorId) -> HResult {
        self.side.show_error(error)
    }
}

impl std::fmt::Debug for Driven {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Driven({})", self.side.info().name())
    }
}
