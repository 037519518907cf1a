//! The contexts of a run.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use futures::FutureExt;
use tokio_util::sync::CancellationToken;

use crate::cancel::Cancelled;
use crate::context::ItemContext;
use crate::error::{Classify, SyncResult};
use crate::id::{ErrorScope, HandlerId, ItemId, SessionId};
use crate::item::SyncItem;
use crate::log::{LogEntry, LogLevel};
use crate::port::{InteractionPermit, ReportError, RunPort};
use crate::progress::Progress;
use crate::trigger::{RunFlags, Trigger};

/// The context of a run.
///
/// Passed to `initialize`, `show_properties` and `show_error`. [`PrepareContext`], [`SynchronizeContext`] and
/// [`ItemContext`] contain it.
///
/// ```
/// # use syncmgr_core::{context::{TestContext, RunContext}, handler::Participation};
/// # use syncmgr_core::{error::SyncResult, trigger::Trigger};
/// async fn initialize(run: &RunContext) -> SyncResult<Participation> {
///     Ok(match run.trigger() {
///         Trigger::Idle => Participation::Decline, // not worth waking the disk for
///         _ => Participation::TakePart,
///     })
/// }
///
/// let run = TestContext::new().run();
/// let participation = futures::executor::block_on(initialize(&run))?;
/// assert_eq!(participation, Participation::TakePart);
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Clone)]
pub struct RunContext {
    port: Arc<dyn RunPort>,
}

impl RunContext {
    /// Creates a context over a host's port. Called by hosts.
    #[doc(hidden)]
    pub fn new(port: Arc<dyn RunPort>) -> Self {
        Self { port }
    }

    pub(crate) fn port(&self) -> &dyn RunPort {
        &*self.port
    }

    /// Returns the host behind this context, for a layer between a handler and its host such as a recorder, a
    /// conformance check or a proxy. Handlers use the methods of the contexts.
    #[doc(hidden)]
    pub fn host(&self) -> Arc<dyn RunPort> {
        self.port.clone()
    }

    /// Returns the id of the run's handler.
    pub fn handler(&self) -> HandlerId {
        self.port.run_info().handler
    }

    /// Returns the id of the run's session.
    pub fn session(&self) -> SessionId {
        self.port.run_info().session
    }

    /// Returns the trigger that started the session.
    pub fn trigger(&self) -> Trigger {
        self.port.run_info().trigger
    }

    /// Returns the flags of the run. They do not change during the run.
    pub fn flags(&self) -> RunFlags {
        self.port.run_info().flags
    }

    /// Returns the bytes of the invocation. `None` unless the trigger is [`Trigger::Invoke`].
    pub fn cookie(&self) -> Option<&[u8]> {
        self.port.run_info().cookie.as_deref()
    }

    /// Returns the selected items, in the order they were listed. Empty before the selection.
    ///
    /// ```
    /// # use syncmgr_core::{context::TestContext, item::SyncItem};
    /// let run = TestContext::new().prepare([SyncItem::named("Inbox"), SyncItem::named("Sent")]);
    /// let names: Vec<_> = run.selection().iter().map(SyncItem::name).collect();
    /// assert_eq!(names, ["Inbox", "Sent"]);
    /// ```
    pub fn selection(&self) -> &[SyncItem] {
        &self.port.run_info().selection
    }

    /// Checks for cancellation of the handler.
    ///
    /// # Errors
    /// [`Cancelled`], with the reason, once the handler is stopped. Return it with `?`.
    pub fn check(&self) -> Result<(), Cancelled> {
        self.port.cancel().check()
    }

    /// Returns `true` if an item of the selection was skipped before it began.
    pub fn is_skipped(&self, item: ItemId) -> bool {
        self.port.is_skipped(item)
    }

    /// Completes once the handler is stopped. Cancel safe.
    pub async fn cancelled(&self) {
        self.token().cancelled_owned().await;
    }

    /// Returns the time until the run is stopped because the machine or the network is about to go down. `None` if nothing is
    /// announced that stops this run.
    ///
    /// A run of [`Trigger::PendingDisconnect`] has this time from its begin. The announcement may also come during a run, change, or
    /// be withdrawn, so ask again before each part of the work. The host stops the run a little before the deadline of the system, so
    /// that the graces fit in; afterwards the time is zero. A foreign host announces nothing.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use syncmgr_core::context::{ItemContext, TestContext};
    /// /// Returns `true` if there is time to upload a file of this size before the machine sleeps.
    /// fn may_upload(item: &ItemContext, bytes: u64) -> bool {
    ///     let needed = Duration::from_secs(bytes / 1_000_000); // at 1 MB/s
    ///     item.run().time_left().is_none_or(|left| needed < left)
    /// }
    ///
    /// let host = TestContext::new();
    /// let item = host.item("holiday.mp4");
    /// assert!(may_upload(&item, 700_000_000));
    /// host.set_time_left(Duration::from_secs(4));
    /// assert!(!may_upload(&item, 700_000_000));
    /// ```
    pub fn time_left(&self) -> Option<Duration> {
        self.port.time_left()
    }

    /// Returns a token that is cancelled when the handler is stopped, for libraries that accept a token.
    pub fn token(&self) -> CancellationToken {
        self.port.cancel().token()
    }

    /// Adds an entry to the error log: `LogError`.
    pub fn log(&self, entry: LogEntry) {
        self.port.log(entry.bounded());
    }

    /// Logs an informational entry.
    pub fn info(&self, text: impl AsRef<str>) {
        self.log(LogEntry::new(LogLevel::Information, text));
    }

    /// Logs a warning.
    pub fn warn(&self, text: impl AsRef<str>) {
        self.log(LogEntry::new(LogLevel::Warning, text));
    }

    /// Removes entries of this run from the error log: `DeleteLogError`.
    ///
    /// ```
    /// # use syncmgr_core::{context::TestContext, id::{ErrorId, ErrorScope}, log::{LogEntry, LogLevel}};
    /// # let host = TestContext::new();
    /// # let run = host.run();
    /// let quota = ErrorId::from_key("quota");
    /// run.log(LogEntry::new(LogLevel::Warning, "the mailbox is nearly full").with_id(quota));
    /// run.delete_log(ErrorScope::One(quota)); // the mailbox has room again
    /// assert!(host.log().is_empty());
    /// ```
    pub fn delete_log(&self, scope: ErrorScope) {
        self.port.delete_log(scope);
    }

    /// Stores a value for the rest of the run, for example a logged-in connection. Replaces an earlier value of its type.
    ///
    /// Later calls get it with [`kept`](Self::kept). The value is dropped when the results of the session are closed.
    ///
    /// ```
    /// # use syncmgr_core::{context::TestContext, item::SyncItem};
    /// struct Connection { user: &'static str }
    ///
    /// # let host = TestContext::new();
    /// # let run = host.prepare([SyncItem::named("Inbox")]);
    /// # let item = host.item("Inbox");
    /// run.keep(Connection { user: "ann" }); // in `prepare`
    /// let connection = item.kept::<Connection>()?; // in `synchronize_item`
    /// assert_eq!(connection.user, "ann");
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn keep<T: Send + Sync + 'static>(&self, value: T) -> Arc<T> {
        self.port.kept().put(value)
    }

    /// Returns the value of this type stored with [`keep`](Self::keep).
    ///
    /// # Errors
    /// Permanent if the run stored no value of this type. This is a bug in the handler.
    pub fn kept<T: Send + Sync + 'static>(&self) -> SyncResult<Arc<T>> {
        let missing = || anyhow!("no value of type `{}` was stored in this run", std::any::type_name::<T>());
        self.port.kept().of().ok_or_else(missing).permanent()
    }

    /// Waits for a permit to use the user's attention: `EnableModeless(TRUE)`.
    ///
    /// All handlers share the user's attention like a lock. Drop the permit as soon as the user has answered. For passwords, use
    /// [`secret`](Self::secret). Cancel safe.
    ///
    /// ```
    /// # use syncmgr_core::{context::{TestContext, PrepareContext}, error::{NeedsUser, SyncResult}, port::Confirmation};
    /// async fn prepare(run: &PrepareContext) -> SyncResult {
    ///     let user = run.interaction().await?; // waits while another handler has the permit
    ///     if user.confirm("Accept the new certificate of example.org?").await? != Confirmation::Confirm {
    ///         return Err(NeedsUser::new("accept the certificate of example.org").into());
    ///     }
    ///     Ok(())
    /// }
    ///
    /// // A test context cannot ask the user: the run ends *needs user*, which is not a failure.
    /// let refused = futures::executor::block_on(prepare(&TestContext::new().prepare([])));
    /// assert!(NeedsUser::is_in(&refused.expect_err("the user cannot be asked")));
    /// ```
    ///
    /// See also: R37, R130, R132.
    ///
    /// # Errors
    /// [`NeedsUser`](crate::error::NeedsUser) if the session may not ask the user, the user is absent, or the host has no
    /// user interface. Return it with `?`: the run or item ends *needs user*. [`Cancelled`] if the handler is stopped while
    /// waiting.
    pub async fn interaction(&self) -> SyncResult<InteractionPermit> {
        self.port.interaction().await
    }

    /// Establishes the named connection, or the default one for `None`: `EstablishConnection`. The connection stays up
    /// until the session ends.
    ///
    /// Cancel safe.
    ///
    /// ```
    /// # use syncmgr_core::{context::PrepareContext, error::SyncResult};
    /// async fn prepare(run: &PrepareContext) -> SyncResult {
    ///     run.establish_connection(Some("office")).await // stays up until the session ends
    /// }
    /// ```
    ///
    /// See also: R136, R138, R139.
    ///
    /// # Errors
    /// Fails if the handler did not declare `MAY_ESTABLISH_CONNECTION` or the host has no connection provider. Otherwise
    /// returns the error of the provider, if any.
    pub async fn establish_connection(&self, name: Option<&str>) -> SyncResult {
        self.port.connect(name).await
    }
}

/// The context passed to [`prepare`](crate::handler::SyncHandler::prepare).
#[derive(Clone)]
pub struct PrepareContext(RunContext);

impl PrepareContext {
    /// Creates a context over a host's port. Called by hosts.
    #[doc(hidden)]
    pub fn new(port: Arc<dyn RunPort>) -> Self {
        Self(RunContext::new(port))
    }
}

impl PrepareContext {
    /// Excludes one item from the run. The item ends with `reason` as its error; the other items continue.
    ///
    /// The [class](Classify) of the error applies. With [`NeedsUser`](crate::error::NeedsUser) the item ends *needs user*
    /// instead of *failed*. If every item is excluded, `synchronize` is not called.
    ///
    /// ```
    /// # use syncmgr_core::{context::{TestContext, PrepareContext}, error::{Classify, SyncResult}, item::SyncItem};
    /// # use anyhow::anyhow;
    /// async fn prepare(run: &PrepareContext) -> SyncResult {
    ///     for item in run.selection() {
    ///         if item.name() == "Shared" {
    ///             let reason = Err::<(), _>(anyhow!("you may not read this folder")).permanent();
    ///             run.exclude(item.id(), reason.expect_err("just made"))?;
    ///         }
    ///     }
    ///     Ok(())
    /// }
    /// # let host = TestContext::new();
    /// # let run = host.prepare(["Inbox", "Shared"].map(SyncItem::named));
    /// futures::executor::block_on(prepare(&run))?;
    /// assert_eq!(host.log()[0].item, Some(run.selection()[1].id()));
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ReportError`] if the item is not selected or has ended, or after `prepare`. This is a bug in the handler.
    pub fn exclude(&self, item: ItemId, reason: impl Into<anyhow::Error>) -> Result<(), ReportError> {
        self.port().exclude(item, reason.into())
    }
}

impl Deref for PrepareContext {
    type Target = RunContext;

    fn deref(&self) -> &RunContext {
        &self.0
    }
}

/// The context passed to [`synchronize`](crate::handler::SyncHandler::synchronize).
#[derive(Clone)]
pub struct SynchronizeContext(RunContext);

impl SynchronizeContext {
    /// Creates a context over a host's port. Called by hosts.
    #[doc(hidden)]
    pub fn new(port: Arc<dyn RunPort>) -> Self {
        Self(RunContext::new(port))
    }

    /// Runs [`synchronize_item`](crate::handler::SyncHandler::synchronize_item) for each prepared item.
    ///
    /// Completes when every item has ended. A failed item is not an error of this call.
    ///
    /// ```
    /// # use syncmgr_core::{context::SynchronizeContext, error::SyncResult};
    /// async fn synchronize(run: &SynchronizeContext) -> SyncResult {
    ///     run.each_item().await?; // every item has ended
    ///     run.info("the index was written");
    ///     Ok(())
    /// }
    /// ```
    ///
    /// Not cancel safe: if the future is dropped, the items that are running are cancelled and fail.
    ///
    /// # Errors
    /// [`Cancelled`] if the run had ended before this call.
    pub async fn each_item(&self) -> SyncResult {
        self.port().each_item().await
    }

    /// Runs `work` for each prepared item within this future. `work` may borrow locals of the caller.
    ///
    /// Limits, isolation, skip and grace are those of [`each_item`](Self::each_item), but all items share this task.
    ///
    /// ```
    /// # use std::sync::atomic::{AtomicU64, Ordering};
    /// # use syncmgr_core::{context::SynchronizeContext, error::SyncResult};
    /// async fn synchronize(run: &SynchronizeContext) -> SyncResult {
    ///     let copied = &AtomicU64::new(0); // borrowed by the work of every item
    ///     run.each(|item| async move {
    ///         item.progress(1, 1)?;
    ///         copied.fetch_add(1, Ordering::Relaxed);
    ///         Ok(())
    ///     })
    ///     .await?;
    ///     run.info(format!("{} folders", copied.load(Ordering::Relaxed)));
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// [`Cancelled`] if the run had ended before this call.
    pub async fn each<F, Work>(&self, work: F) -> SyncResult
    where
        F: Fn(ItemContext) -> Work + Send + Sync,
        Work: Future<Output = SyncResult> + Send,
    {
        self.port().each(&|item| work(item).boxed()).await
    }

    /// Reports the progress of any prepared item: `Progress`. For handlers that synchronize all items in one operation.
    ///
    /// The first report starts the item. A report with a terminal status ends it.
    ///
    /// ```
    /// # use syncmgr_core::{context::SynchronizeContext, error::SyncResult};
    /// # use syncmgr_core::{progress::Progress, status::Status};
    /// async fn synchronize(run: &SynchronizeContext) -> SyncResult {
    ///     // .. one query for all folders
    ///     for item in run.selection() {
    ///         run.report(item.id(), Progress::new().with_status(Status::Succeeded))?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// See also: R106, R110, R111.
    ///
    /// # Errors
    /// [`ReportError::Cancelled`] if this item, or every item, should stop: return it or continue with the other items.
    /// Any other error is a bug in the handler, and the report had no effect.
    pub fn report(&self, item: ItemId, report: Progress) -> Result<(), ReportError> {
        self.port().report(item, &report)
    }
}

impl Deref for SynchronizeContext {
    type Target = RunContext;

    fn deref(&self) -> &RunContext {
        &self.0
    }
}

impl std::fmt::Debug for RunContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RunContext({} in session {})", self.handler(), self.session())
    }
}

impl std::fmt::Debug for PrepareContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Prepare{:?}", self.0)
    }
}

impl std::fmt::Debug for SynchronizeContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Synchronize{:?}", self.0)
    }
}
