//! A call/completed-style handler that does as it is told.

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

/// What a scripted method does with the callback before it returns a code.
type Act = Box<dyn FnMut(&Side) -> HResult + Send>;

/// A [`ClassicHandler`] whose methods are closures. It writes down every call with what it was given.
///
/// Every method returns `S_OK` and completes nothing unless it is told what to do; a completion may be called from
/// another place later through [`side`](Self::side).
pub struct ScriptedHandler {
    info: HandlerInfo,
    items: Mutex<Result<Items, HResult>>,
    transcript: Transcript,
    side: Side,
    script: Mutex<Script>,
}

#[derive(Default)]
struct Script {
    initialize: Option<Act>,
    prepare: Option<Act>,
    synchronize: Option<Act>,
    show_properties: Option<Act>,
    show_error: Option<Act>,
}

/// The handler's side of the contract: the callback it was given, and the items it was told to prepare.
#[derive(Clone, Default)]
pub struct Side(Arc<Mutex<Given>>);

#[derive(Default)]
struct Given {
    callback: Option<Arc<dyn SyncCallback>>,
    items: Vec<ItemId>,
}

impl Side {
    /// The callback the handler holds.
    ///
    /// # Panics
    /// When none is set: the host's mistake, or the script's.
    pub fn callback(&self) -> Arc<dyn SyncCallback> {
        self.0.lock().callback.clone().expect("the host has set a callback")
    }

    /// Whether a callback is set.
    pub fn is_attached(&self) -> bool {
        self.0.lock().callback.is_some()
    }

    /// The items of the last `PrepareForSync`.
    pub fn items(&self) -> Vec<ItemId> {
        self.0.lock().items.clone()
    }
}

macro_rules! scripted {
    ($($(#[$doc:meta])* $name:ident => $field:ident),+ $(,)?) => {$(
        $(#[$doc])*
        pub fn $name(self, act: impl FnMut(&Side) -> HResult + Send + 'static) -> Self {
            self.script.lock().$field = Some(Box::new(act));
            self
        }
    )+};
}

impl ScriptedHandler {
    /// A handler with these items.
    pub fn new(items: Items) -> Self {
        Self {
            info: HandlerInfo::new(HandlerId::from_u128(0xC1A5), "Scripted"),
            items: Mutex::new(Ok(items)),
            transcript: Transcript::new(),
            side: Side::default(),
            script: Mutex::default(),
        }
    }

    /// With this info.
    pub fn with_info(mut self, info: HandlerInfo) -> Self {
        self.info = info;
        self
    }

    /// Writes into this transcript.
    pub fn with_transcript(mut self, transcript: &Transcript) -> Self {
        self.transcript = transcript.clone();
        self
    }

    /// Fails to list its items with this code.
    pub fn with_listing_failure(self, code: HResult) -> Self {
        *self.items.lock() = Err(code);
        self
    }

    scripted! {
        /// Does this in `Initialize`.
        on_initialize => initialize,
        /// Does this in `PrepareForSync`.
        on_prepare => prepare,
        /// Does this in `Synchronize`.
        on_synchronize => synchronize,
        /// Does this in `ShowProperties`.
        on_show_properties => show_properties,
        /// Does this in `ShowError`.
        on_show_error => show_error,
    }

    /// The handler's side, to complete a call from elsewhere.
    pub fn side(&self) -> &Side {
        &self.side
    }

    /// What was called, in order.
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    /// Runs a step of the script, which may call back into the handler's host.
    fn act(&self, line: String, step: impl Fn(&mut Script) -> &mut Option<Act>) -> HResult {
        self.transcript.note(line);
        let act = step(&mut self.script.lock()).take();
        let Some(mut act) = act else { return HResult::S_OK };
        let code = act(&self.side);
        step(&mut self.script.lock()).get_or_insert(act);
        code
    }
}

impl ClassicHandler for ScriptedHandler {
    fn initialize(&self, trigger: Trigger, flags: RunFlags, cookie: Option<&[u8]>) -> HResult {
        let word = trigger.word(flags);
        self.act(format!("Initialize {word:#06x} {cookie:?}"), |script| &mut script.initialize)
    }

    fn handler_info(&self) -> Result<HandlerInfo, HResult> {
        Ok(self.info.clone())
    }

    fn enum_sync_items(&self) -> Result<Items, HResult> {
        self.transcript.note("EnumSyncMgrItems");
        self.items.lock().clone()
    }

    fn show_properties(&self, subject: Subject) -> HResult {
        self.act(format!("ShowProperties {subject:?}"), |script| &mut script.show_properties)
    }

    fn set_progress_callback(&self, callback: Option<Arc<dyn SyncCallback>>) -> HResult {
        self.transcript.note(if callback.is_some() { "SetProgressCallback" } else { "SetProgressCallback NULL" });
        let before = std::mem::replace(&mut self.side.0.lock().callback, callback);
        drop(before);
        HResult::S_OK
    }

    fn prepare_for_sync(&self, items: &[ItemId]) -> HResult {
        self.side.0.lock().items = items.to_vec();
        self.act(format!("PrepareForSync {}", items.len()), |script| &mut script.prepare)
    }

    fn synchronize(&self) -> HResult {
        self.act("Synchronize".into(), |script| &mut script.synchronize)
    }

    fn set_item_status(&self, subject: Subject, status: Status) -> HResult {
        self.transcript.note(format!("SetItemStatus {subject:?} {status:?}"));
        HResult::S_OK
    }

    fn show_error(&self, error: ErrorId) -> HResult {
        self.act(format!("ShowError {error}"), |script| &mut script.show_error)
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
