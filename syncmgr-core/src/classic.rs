//! The contract as it was: methods that return a code at once and complete through a callback.
//!
//! [`SyncCallback`] is what a host offers a handler: implement it to drive a [`SyncHandler`](crate::handler::SyncHandler)
//! from somewhere else, such as a test or another process. [`ClassicHandler`] is a handler in the old style. The mapping
//! between both styles lives in the runtime.

use uuid::Uuid;

use crate::handler::ItemObject;
use crate::hresult::HResult;
use crate::id::{ErrorId, ErrorScope, ItemId, Subject};
use crate::info::HandlerInfo;
use crate::item::Items;
use crate::log::{LogErrorInfo, LogLevel};
use crate::progress::Progress;
use crate::status::Status;
use crate::trigger::{RunFlags, Trigger};

/// What a host offers a handler: `ISyncMgrSynchronizeCallback`.
///
/// Any method may be called on any thread (R79), also several at once (R80). A call at the wrong time has no effect and
/// is answered `E_UNEXPECTED`. Do not panic, and apart from
/// [`establish_connection`](Self::establish_connection) do not block.
pub trait SyncCallback: Send + Sync {
    /// `ShowPropertiesCompleted`: once per successful `ShowProperties`, before or after it returns (R68).
    fn show_properties_completed(&self, code: HResult) -> HResult;

    /// `PrepareForSyncCompleted`: once per successful `PrepareForSync`; only exactly `S_OK` goes on (R87, R89 to R91).
    fn prepare_for_sync_completed(&self, code: HResult) -> HResult;

    /// `SynchronizeCompleted`: once per successful `Synchronize`, after the last item (R101).
    fn synchronize_completed(&self, code: HResult) -> HResult;

    /// `ShowErrorCompleted`: `items` counts only with `S_SYNCMGR_RETRYSYNC` (R147).
    fn show_error_completed(&self, code: HResult, items: &[ItemId]) -> HResult;

    /// `EnableModeless`: asks for the user's attention or gives it back. `S_FALSE` refuses (R131).
    fn enable_modeless(&self, attention: Attention) -> HResult;

    /// `Progress`: takes the fields that are set and answers `S_OK`, `S_SYNCMGR_CANCELITEM` or
    /// `S_SYNCMGR_CANCELALL`. `None` changes nothing and is still answered (R118).
    fn progress(&self, item: ItemId, report: Option<&Progress>) -> HResult;

    /// `LogError` (R140). A level is one of the three by its type; numbers come in through `LogLevel::try_from`.
    fn log_error(&self, level: LogLevel, text: &str, info: Option<&LogErrorInfo>) -> HResult;

    /// `DeleteLogError` (R142, R143).
    fn delete_log_error(&self, scope: ErrorScope) -> HResult;

    /// `EstablishConnection`: `None` is the default connection (R136). May block until the connection is up.
    fn establish_connection(&self, name: Option<&str>) -> HResult;
}

/// The argument of `EnableModeless`. Its polarity is the reverse of the OLE method of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the argument was a truth value")]
pub enum Attention {
    /// `TRUE`: may I show something?
    Ask,
    /// `FALSE`: what I showed is gone.
    Release,
}

/// A handler in the style of `ISyncMgrSynchronize`: each method returns a code at once, long ones complete through the
/// callback.
///
/// One value is one instance: [`initialize`](Self::initialize) comes first and once (R25). Where the Windows methods take
/// a window, ask through the callback's [`enable_modeless`](SyncCallback::enable_modeless).
///
/// ```
/// # use std::sync::{Arc, Mutex};
/// # use syncmgr_core::classic::{ClassicHandler, SyncCallback};
/// # use syncmgr_core::{hresult::HResult, id::{HandlerId, ItemId, Subject}, info::HandlerInfo, item::{Items, SyncItem}};
/// # use syncmgr_core::{progress::Progress, status::Status, trigger::{RunFlags, Trigger}};
/// #[derive(Default)]
/// struct Clock(Mutex<Option<Arc<dyn SyncCallback>>>);
///
/// impl ClassicHandler for Clock {
/// #     fn initialize(&self, _: Trigger, _: RunFlags, _: Option<&[u8]>) -> HResult { HResult::S_OK }
/// #     fn handler_info(&self) -> Result<HandlerInfo, HResult> {
/// #         Ok(HandlerInfo::new(HandlerId::from_u128(7), "Clock"))
/// #     }
///     fn enum_sync_items(&self) -> Result<Items, HResult> {
///         Ok([SyncItem::named("time")].into_iter().collect())
///     }
///
///     fn set_progress_callback(&self, callback: Option<Arc<dyn SyncCallback>>) -> HResult {
///         *self.0.lock().expect("nobody panics while holding it") = callback;
///         HResult::S_OK
///     }
/// #     fn prepare_for_sync(&self, _: &[ItemId]) -> HResult { HResult::S_FALSE }
/// #     fn set_item_status(&self, _: Subject, _: Status) -> HResult { HResult::S_OK }
///
///     fn synchronize(&self) -> HResult {
///         let Some(callback) = self.0.lock().expect("nobody panics while holding it").clone() else {
///             return HResult::E_UNEXPECTED;
///         };
///         callback.progress(ItemId::from_name("time"), Some(&Progress::new().with_status(Status::Succeeded)));
///         callback.synchronize_completed(HResult::S_OK); // once for each `synchronize` that returns S_OK
///         HResult::S_OK
///     }
/// }
/// # assert_eq!(Clock::default().synchronize(), HResult::E_UNEXPECTED);
/// ```
pub trait ClassicHandler: Send + Sync + 'static {
    /// `Initialize`: `S_OK` takes part, `S_FALSE` declines, anything else is reported. The cookie is set only with
    /// [`Trigger::Invoke`].
    fn initialize(&self, trigger: Trigger, flags: RunFlags, cookie: Option<&[u8]>) -> HResult;

    /// `GetHandlerInfo`.
    ///
    /// # Errors
    /// Any code; the host then shows what was registered (R45).
    fn handler_info(&self) -> Result<HandlerInfo, HResult>;

    /// `EnumSyncMgrItems`. An incomplete listing is `S_SYNCMGR_MISSINGITEMS`.
    ///
    /// # Errors
    /// Any code; it is reported and there is nothing to choose.
    fn enum_sync_items(&self) -> Result<Items, HResult>;

    /// `GetItemObject`.
    ///
    /// # Errors
    /// `E_NOTIMPL`, unless the handler knows the interface.
    fn item_object(&self, subject: Subject, interface: Uuid) -> Result<ItemObject, HResult> {
        let _ = (subject, interface);
        Err(HResult::E_NOTIMPL)
    }

    /// `ShowProperties`: a success code is followed by one `ShowPropertiesCompleted` (R68), a failure by none (R69).
    fn show_properties(&self, subject: Subject) -> HResult {
        let _ = subject;
        HResult::E_NOTIMPL
    }

    /// `SetProgressCallback`: keep the callback, let go of the one before (R75, R76); `None` detaches (R78).
    fn set_progress_callback(&self, callback: Option<std::sync::Arc<dyn SyncCallback>>) -> HResult;

    /// `PrepareForSync` with the chosen items: `S_OK` is followed by one `PrepareForSyncCompleted`, anything else is the
    /// completion (R87, R88).
    fn prepare_for_sync(&self, items: &[ItemId]) -> HResult;

    /// `Synchronize`: `S_OK` is followed by one `SynchronizeCompleted`, anything else is the completion (R100, R101).
    fn synchronize(&self) -> HResult;

    /// `SetItemStatus`: in the windows between a call's return and its completion (R121).
    fn set_item_status(&self, subject: Subject, status: Status) -> HResult;

    /// `ShowError`: a success code is followed by one `ShowErrorCompleted`, a failure by none (R146).
    fn show_error(&self, error: ErrorId) -> HResult {
        let _ = error;
        HResult::E_NOTIMPL
    }
}
