//! A classic handler, in the callback style of the Windows contract, with scripted methods.

use std::sync::Arc;

use syncmgr_core::classic::{ClassicHandler, SyncCallback};
use syncmgr_core::hresult::HResult;
use syncmgr_core::id::{ErrorId, HandlerId, ItemId, Subject};
use syncmgr_core::info::HandlerInfo;
use syncmgr_core::item::Items;
use syncmgr_core::status::Status;
use syncmgr_core::sync::Mutex;
use syncmgr_core::trigger::{RunFlags, Trigger};

use crate::Transcript;

/// A scripted method. Returns the method's result code.
type Method = Box<dyn FnMut(&Side) -> HResult + Send>;

/// A [`ClassicHandler`] whose methods are closures. It records every call with its arguments.
///
/// A method without a closure returns `S_OK` and completes nothing. To complete a call later, from outside of the handler, use
/// [`side`](Self::side).
pub struct ScriptedHandler {
    info: HandlerInfo,
    items: Mutex<Result<Items, HResult>>,
    transcript: Transcript,
    side: Side,
    script: Mutex<Script>,
}

#[derive(Default)]
struct Script {
    initialize: Option<Method>,
    prepare: Option<Method>,
    synchronize: Option<Method>,
    show_properties: Option<Method>,
    show_error: Option<Method>,
}

/// The handler's side of the contract: its callback and the items to prepare.
#[derive(Clone, Default)]
pub struct Side(Arc<Mutex<SideState>>);

#[derive(Default)]
struct SideState {
    callback: Option<Arc<dyn SyncCallback>>,
    items: Vec<ItemId>,
}

impl Side {
    /// Returns the callback.
    ///
    /// # Panics
    /// If no callback is set.
    pub fn callback(&self) -> Arc<dyn SyncCallback> {
        self.0.lock().callback.clone().expect("the host has set a callback")
    }

    /// Returns `true` if a callback is set.
    pub fn is_attached(&self) -> bool {
        self.0.lock().callback.is_some()
    }

    /// Returns the items of the last `PrepareForSync`.
    pub fn items(&self) -> Vec<ItemId> {
        self.0.lock().items.clone()
    }
}

macro_rules! scripted {
    ($($(#[$doc:meta])* $name:ident => $field:ident),+ $(,)?) => {$(
        $(#[$doc])*
        pub fn $name(self, method: impl FnMut(&Side) -> HResult + Send + 'static) -> Self {
            self.script.lock().$field = Some(Box::new(method));
            self
        }
    )+};
}

impl ScriptedHandler {
    /// Creates a handler with these items.
    pub fn new(items: Items) -> Self {
        Self {
            info: HandlerInfo::new(HandlerId::from_u128(0xC1A5), "Scripted"),
            items: Mutex::new(Ok(items)),
            transcript: Transcript::new(),
            side: Side::default(),
            script: Mutex::default(),
        }
    }

    /// Sets the info.
    pub fn with_info(mut self, info: HandlerInfo) -> Self {
        self.info = info;
        self
    }

    /// Sets the transcript.
    pub fn with_transcript(mut self, transcript: &Transcript) -> Self {
        self.transcript = transcript.clone();
        self
    }

    /// Makes the listing of the items fail with this code.
    pub fn with_listing_failure(self, code: HResult) -> Self {
        *self.items.lock() = Err(code);
        self
    }

    scripted! {
        /// Sets the closure for `Initialize`.
        on_initialize => initialize,
        /// Sets the closure for `PrepareForSync`.
        on_prepare => prepare,
        /// Sets the closure for `Synchronize`.
        on_synchronize => synchronize,
        /// Sets the closure for `ShowProperties`.
        on_show_properties => show_properties,
        /// Sets the closure for `ShowError`.
        on_show_error => show_error,
    }

    /// Returns the handler's side, to complete a call from outside.
    pub fn side(&self) -> &Side {
        &self.side
    }

    /// Returns the recorded calls, in order.
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    /// Records a call and runs its closure. The script is unlocked while the closure runs, because the closure may call the host.
    fn call(&self, line: String, slot: impl Fn(&mut Script) -> &mut Option<Method>) -> HResult {
        self.transcript.note(line);
        let method = slot(&mut self.script.lock()).take();
        let Some(mut method) = method else { return HResult::S_OK };
        let code = method(&self.side);
        slot(&mut self.script.lock()).get_or_insert(method);
        code
    }
}

impl ClassicHandler for ScriptedHandler {
    fn initialize(&self, trigger: Trigger, flags: RunFlags, cookie: Option<&[u8]>) -> HResult {
        let word = trigger.word(flags);
        self.call(format!("Initialize {word:#06x} {cookie:?}"), |script| &mut script.initialize)
    }

    fn handler_info(&self) -> Result<HandlerInfo, HResult> {
        Ok(self.info.clone())
    }

    fn enum_sync_items(&self) -> Result<Items, HResult> {
        self.transcript.note("EnumSyncMgrItems");
        self.items.lock().clone()
    }

    fn show_properties(&self, subject: Subject) -> HResult {
        self.call(format!("ShowProperties {subject:?}"), |script| &mut script.show_properties)
    }

    fn set_progress_callback(&self, callback: Option<Arc<dyn SyncCallback>>) -> HResult {
        self.transcript.note(if callback.is_some() { "SetProgressCallback" } else { "SetProgressCallback NULL" });
        let before = std::mem::replace(&mut self.side.0.lock().callback, callback);
        drop(before);
        HResult::S_OK
    }

    fn prepare_for_sync(&self, items: &[ItemId]) -> HResult {
        self.side.0.lock().items = items.to_vec();
        self.call(format!("PrepareForSync {}", items.len()), |script| &mut script.prepare)
    }

    fn synchronize(&self) -> HResult {
        self.call("Synchronize".into(), |script| &mut script.synchronize)
    }

    fn set_item_status(&self, subject: Subject, status: Status) -> HResult {
        self.transcript.note(format!("SetItemStatus {subject:?} {status:?}"));
        HResult::S_OK
    }

    fn show_error(&self, error: ErrorId) -> HResult {
        self.call(format!("ShowError {error}"), |script| &mut script.show_error)
    }
}

impl std::fmt::Debug for ScriptedHandler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ScriptedHandler({})", self.info.name())
    }
}

impl std::fmt::Debug for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Side")
    }
}
