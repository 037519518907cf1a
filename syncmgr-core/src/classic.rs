//! The callback style of the Windows contract: methods return a code immediately and complete through a callback.
//!
//! [`SyncCallback`] is the host's interface to a handler. Implement it to drive a
//! [`SyncHandler`](crate::handler::SyncHandler) from a test or another process. [`ClassicHandler`] is a handler in the
//! callback style. The runtime has the adapters between both styles.

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

/// The callback of a host: `ISyncMgrSynchronizeCallback`.
///
/// Any method may be called on any thread and concurrently with others. A call at the wrong time has no effect and
/// returns `E_UNEXPECTED`. Implementations must not panic. Only
/// [`establish_connection`](Self::establish_connection) may block.
///
/// See also: R79, R80.
pub trait SyncCallback: Send + Sync {
    /// Completes a successful `ShowProperties`, once, before or after it returns: `ShowPropertiesCompleted`.
    fn show_properties_completed(&self, code: HResult) -> HResult;

    /// Completes a successful `PrepareForSync`, once: `PrepareForSyncCompleted`. `Synchronize` follows only after `S_OK`.
    ///
    /// See also: R87, R89 to R91.
    fn prepare_for_sync_completed(&self, code: HResult) -> HResult;

    /// Completes a successful `Synchronize`, once, after the last item: `SynchronizeCompleted`.
    fn synchronize_completed(&self, code: HResult) -> HResult;

    /// Completes a successful `ShowError`, once: `ShowErrorCompleted`. `items` is used only with `S_SYNCMGR_RETRYSYNC`.
    ///
    /// See also: R147.
    fn show_error_completed(&self, code: HResult, items: &[ItemId]) -> HResult;

    /// Requests or releases the user's attention: `EnableModeless`. `S_FALSE` refuses the request.
    ///
    /// See also: R131.
    fn enable_modeless(&self, attention: Attention) -> HResult;

    /// Reports the progress of an item: `Progress`. Fields that are `None` keep their last value.
    ///
    /// Returns `S_OK`, `S_SYNCMGR_CANCELITEM` or `S_SYNCMGR_CANCELALL`. A report of `None` changes nothing and returns the
    /// same codes.
    ///
    /// See also: R118.
    fn progress(&self, item: ItemId, report: Option<&Progress>) -> HResult;

    /// Adds an entry to the error log: `LogError`. `LogLevel::try_from` converts a number to a level.
    ///
    /// See also: R140.
    fn log_error(&self, level: LogLevel, text: &str, info: Option<&LogErrorInfo>) -> HResult;

    /// Removes entries of this run from the error log: `DeleteLogError`.
    fn delete_log_error(&self, scope: ErrorScope) -> HResult;

    /// Establishes the named connection, or the default one for `None`: `EstablishConnection`. May block until it is up.
    fn establish_connection(&self, name: Option<&str>) -> HResult;
}

/// The argument of `EnableModeless`. The OLE method of the same name has the opposite polarity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the argument is a boolean in the contract")]
pub enum Attention {
    /// The handler requests the user's attention: `TRUE`.
    Ask,
    /// The handler releases the user's attention: `FALSE`.
    Release,
}

/// A handler in the style of `ISyncMgrSynchronize`: methods return a code immediately, long ones complete through the
/// callback.
///
/// One value is one instance: [`initialize`](Self::initialize) is called first and once. Methods that take a window handle
/// in Windows have no such parameter. Request the user's attention with the callback's
/// [`enable_modeless`](SyncCallback::enable_modeless) instead.
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
///         *self.0.lock().expect("not poisoned") = callback;
///         HResult::S_OK
///     }
/// #     fn prepare_for_sync(&self, _: &[ItemId]) -> HResult { HResult::S_FALSE }
/// #     fn set_item_status(&self, _: Subject, _: Status) -> HResult { HResult::S_OK }
///
///     fn synchronize(&self) -> HResult {
///         let Some(callback) = self.0.lock().expect("not poisoned").clone() else {
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
    /// Takes part in the session or declines: `Initialize`.
    ///
    /// `S_OK` takes part, `S_FALSE` declines, and any other code is reported as an error. The cookie is `Some` only with
    /// [`Trigger::Invoke`].
    fn initialize(&self, trigger: Trigger, flags: RunFlags, cookie: Option<&[u8]>) -> HResult;

    /// Returns the description of the handler: `GetHandlerInfo`.
    ///
    /// See also: R45.
    ///
    /// # Errors
    /// Any code. The host then uses the registered description.
    fn handler_info(&self) -> Result<HandlerInfo, HResult>;

    /// Lists the items: `EnumSyncMgrItems`. An incomplete listing is `S_SYNCMGR_MISSINGITEMS`.
    ///
    /// # Errors
    /// Any code. The host reports it and no items are offered.
    fn enum_sync_items(&self) -> Result<Items, HResult>;

    /// Returns an object of the handler or an item: `GetItemObject`.
    ///
    /// # Errors
    /// `E_NOTIMPL` if the handler does not know the interface.
    fn item_object(&self, subject: Subject, interface: Uuid) -> Result<ItemObject, HResult> {
        let _ = (subject, interface);
        Err(HResult::E_NOTIMPL)
    }

    /// Shows the properties of the handler or an item: `ShowProperties`.
    ///
    /// A success code is followed by one `ShowPropertiesCompleted`, a failure code by none.
    ///
    /// See also: R68, R69.
    fn show_properties(&self, subject: Subject) -> HResult {
        let _ = subject;
        HResult::E_NOTIMPL
    }

    /// Replaces the callback: `SetProgressCallback`. `None` detaches the handler from its host.
    ///
    /// Store the callback and drop the previous one.
    ///
    /// See also: R75, R76, R78.
    fn set_progress_callback(&self, callback: Option<std::sync::Arc<dyn SyncCallback>>) -> HResult;

    /// Prepares the selected items: `PrepareForSync`.
    ///
    /// `S_OK` is followed by one `PrepareForSyncCompleted`. Any other code completes the call.
    ///
    /// See also: R87, R88.
    fn prepare_for_sync(&self, items: &[ItemId]) -> HResult;

    /// Synchronizes the prepared items: `Synchronize`.
    ///
    /// `S_OK` is followed by one `SynchronizeCompleted`. Any other code completes the call.
    ///
    /// See also: R100, R101.
    fn synchronize(&self) -> HResult;

    /// Receives a skip or stop between the return of a call and its completion: `SetItemStatus`.
    fn set_item_status(&self, subject: Subject, status: Status) -> HResult;

    /// Explains a log entry that the user opened: `ShowError`.
    ///
    /// A success code is followed by one `ShowErrorCompleted`, a failure code by none.
    ///
    /// See also: R146.
    fn show_error(&self, error: ErrorId) -> HResult {
        let _ = error;
        HResult::E_NOTIMPL
    }
}
