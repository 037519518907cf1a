//! The contexts of a run.

use std::ops::Deref;
use std::sync::Arc;

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

/// What every call of a run can see and do.
///
/// Handed to `initialize`, `show_properties` and `show_error` as it is, and inside [`PrepareContext`],
/// [`SynchronizeContext`] and [`ItemContext`].
///
/// ```
/// # use syncmgr_core::{context::{Detached, RunContext}, handler::Participation};
/// # use syncmgr_core::{error::SyncResult, trigger::Trigger};
/// async fn initialize(run: &RunContext) -> SyncResult<Participation> {
///     Ok(match run.trigger() {
///         Trigger::Idle => Participation::Decline, // not worth waking the disk for
///         _ => Participation::TakePart,
///     })
/// }
///
/// let run = Detached::new().run();
/// let participation = futures::executor::block_on(initialize(&run))?;
/// assert_eq!(participation, Participation::TakePart);
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Clone)]
pub struct RunContext {
    port: Arc<dyn RunPort>,
}

impl RunContext {
    /// A context over a host's port. Hosts call this; handlers are given one.
    #[doc(hidden)]
    pub fn new(port: Arc<dyn RunPort>) -> Self {
        Self { port }
    }

    pub(crate) fn port(&self) -> &dyn RunPort {
        &*self.port
    }

    /// The host behind this context, for whoever stands between a handler and its host: a recorder, a judge, a proxy. What
    /// handlers may ask of it the methods of the contexts ask.
    #[doc(hidden)]
    pub fn host(&self) -> Arc<dyn RunPort> {
        self.port.clone()
    }

    /// The handler this run is of.
    pub fn handler(&self) -> HandlerId {
        self.port.facts().handler
    }

    /// The session this run is part of.
    pub fn session(&self) -> SessionId {
        self.port.facts().session
    }

    /// What started the session.
    pub fn trigger(&self) -> Trigger {
        self.port.facts().trigger
    }

    /// The conditions of the run; they do not change while it lasts (R28).
    pub fn flags(&self) -> RunFlags {
        self.port.facts().flags
    }

    /// The bytes of the invocation: set only with [`Trigger::Invoke`] (R35).
    pub fn cookie(&self) -> Option<&[u8]> {
        self.port.facts().cookie.as_deref()
    }

    /// The chosen items, in the order they were listed; empty before the choice.
    ///
    /// ```
    /// # use syncmgr_core::{context::Detached, item::SyncItem};
    /// let run = Detached::new().prepare([SyncItem::named("Inbox"), SyncItem::named("Sent")]);
    /// let names: Vec<_> = run.selection().iter().map(SyncItem::name).collect();
    /// assert_eq!(names, ["Inbox", "Sent"]);
    /// ```
    pub fn selection(&self) -> &[SyncItem] {
        &self.port.facts().selection
    }

    /// Leaves with `?` once the handler was stopped.
    ///
    /// # Errors
    /// [`Cancelled`], with the reason.
    pub fn check(&self) -> Result<(), Cancelled> {
        self.port.cancel().check()
    }

    /// Whether an item of the selection was skipped before it began.
    pub fn is_skipped(&self, item: ItemId) -> bool {
        self.port.is_skipped(item)
    }

    /// Waits until the handler is stopped. Cancel safe.
    pub async fn cancelled(&self) {
        self.token().cancelled_owned().await;
    }

    /// A token that is cancelled when the handler is stopped, for libraries that take one.
    pub fn token(&self) -> CancellationToken {
        self.port.cancel().token()
    }

    /// Adds an entry to the error log: `LogError`.
    pub fn log(&self, entry: LogEntry) {
        self.port.log(entry.bounded());
    }

    /// Notes something worth knowing.
    pub fn info(&self, text: impl AsRef<str>) {
        self.log(LogEntry::new(LogLevel::Information, text));
    }

    /// Notes something that went on, but not as it should.
    pub fn warn(&self, text: impl AsRef<str>) {
        self.log(LogEntry::new(LogLevel::Warning, text));
    }

    /// Removes entries of this run from the log: `DeleteLogError` (R142, R143).
    ///
    /// ```
    /// # use syncmgr_core::{context::Detached, id::{ErrorId, ErrorScope}, log::{LogEntry, LogLevel}};
    /// # let host = Detached::new();
    /// # let run = host.run();
    /// let quota = ErrorId::from_key("quota");
    /// run.log(LogEntry::new(LogLevel::Warning, "the mailbox is nearly full").with_error(quota));
    /// run.delete_log(ErrorScope::One(quota)); // somebody has made room
    /// assert!(host.log().is_empty());
    /// ```
    pub fn delete_log(&self, scope: ErrorScope) {
        self.port.delete_log(scope);
    }

    /// Keeps a value for the rest of the run, a logged-in connection for example; one per type.
    ///
    /// Later calls find it with [`prepared`](Self::prepared). It is dropped when the results of the session are closed.
    ///
    /// ```
    /// # use syncmgr_core::{context::Detached, item::SyncItem};
    /// struct Connection { user: &'static str }
    ///
    /// # let host = Detached::new();
    /// # let run = host.prepare([SyncItem::named("Inbox")]);
    /// # let item = host.item("Inbox");
    /// run.keep(Connection { user: "ann" }); // in `prepare`
    /// let connection = item.prepared::<Connection>()?; // in `synchronize_item`
    /// assert_eq!(connection.user, "ann");
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn keep<T: Send + Sync + 'static>(&self, value: T) -> Arc<T> {
        self.port.kept().put(value)
    }

    /// What was kept under this type, in `prepare` for example.
    ///
    /// # Errors
    /// Permanent, when nothing of this type was kept in this run: the handler's own mistake.
    pub fn prepared<T: Send + Sync + 'static>(&self) -> SyncResult<Arc<T>> {
        let missing = || anyhow!("nothing of type `{}` was kept in this run", std::any::type_name::<T>());
        self.port.kept().of().ok_or_else(missing).permanent()
    }

    /// Asks for the user's attention and waits for its turn: `EnableModeless(TRUE)`.
    ///
    /// The permit is a lock over the user's attention shared by all handlers; drop it as soon as the answer is in
    /// (R130, R132). Cancel safe.
    ///
    /// ```
    /// # use syncmgr_core::{context::{Detached, PrepareContext}, error::{NeedsUser, SyncResult}};
    /// struct Session(String);
    /// # impl Session {
    /// #     async fn log_on(password: &str) -> SyncResult<Self> { Ok(Self(password.len().to_string())) }
    /// # }
    ///
    /// async fn prepare(run: &PrepareContext) -> SyncResult {
    ///     let user = run.interaction().await?; // waits until no other handler has the user's attention
    ///     let password = user.secret("Password for ann@example.org").await?;
    ///     drop(user);
    ///     let password = password.ok_or_else(|| NeedsUser::new("the password of ann@example.org"))?;
    ///     run.keep(Session::log_on(password.expose()).await?);
    ///     Ok(())
    /// }
    ///
    /// // Nobody may be bothered in a detached context: the run ends *needs user*, which is no failure.
    /// let refused = futures::executor::block_on(prepare(&Detached::new().prepare([])));
    /// assert!(NeedsUser::is_in(&refused.expect_err("nobody to ask")));
    /// ```
    ///
    /// # Errors
    /// [`NeedsUser`](crate::error::NeedsUser) when nobody may be bothered (R37) or nobody is there; pass it on with `?`
    /// and the run or item ends *needs user*. [`Cancelled`] when stopped while waiting.
    pub async fn interaction(&self) -> SyncResult<InteractionPermit> {
        self.port.interaction().await
    }

    /// Brings a connection up, the default one for `None` (R136), and keeps it until the session ends (R138):
    /// `EstablishConnection`. Cancel safe.
    ///
    /// ```
    /// # use syncmgr_core::{context::PrepareContext, error::SyncResult};
    /// async fn prepare(run: &PrepareContext) -> SyncResult {
    ///     run.establish_connection(Some("office")).await // stays up until the session ends
    /// }
    /// ```
    ///
    /// # Errors
    /// When the handler did not declare `MAY_ESTABLISH_CONNECTION` (R139), when the host has no provider for
    /// connections, or with the provider's own error.
    pub async fn establish_connection(&self, name: Option<&str>) -> SyncResult {
        self.port.connect(name).await
    }
}

/// What [`prepare`](crate::handler::SyncHandler::prepare) is handed.
#[derive(Clone)]
pub struct PrepareContext(RunContext);

impl PrepareContext {
    /// A context over a host's port. Hosts call this; handlers are given one.
    #[doc(hidden)]
    pub fn new(port: Arc<dyn RunPort>) -> Self {
        Self(RunContext::new(port))
    }
}

impl PrepareContext {
    /// Leaves one item out, for this reason: it ends as if it had failed with it, the others go on.
    ///
    /// An error marked with its [class](Classify) fails the item; [`NeedsUser`](crate::error::NeedsUser) leaves it waiting
    /// for the user. With every item left out, `synchronize` is not called.
    ///
    /// ```
    /// # use syncmgr_core::{context::{Detached, PrepareContext}, error::{Classify, SyncResult}, item::SyncItem};
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
    /// # let host = Detached::new();
    /// # let run = host.prepare(["Inbox", "Shared"].map(SyncItem::named));
    /// futures::executor::block_on(prepare(&run))?;
    /// assert_eq!(host.log()[0].item, Some(run.selection()[1].id()));
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ReportError`], when the item is not part of the selection, has ended, or `prepare` is over: the handler's mistake.
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

/// What [`synchronize`](crate::handler::SyncHandler::synchronize) is handed.
#[derive(Clone)]
pub struct SynchronizeContext(RunContext);

impl SynchronizeContext {
    /// A context over a host's port. Hosts call this; handlers are given one.
    #[doc(hidden)]
    pub fn new(port: Arc<dyn RunPort>) -> Self {
        Self(RunContext::new(port))
    }

    /// Has the host run [`synchronize_item`](crate::handler::SyncHandler::synchronize_item) for each prepared item.
    ///
    /// Ends when every item has ended. Items that fail do not fail this.
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
    /// # Errors
    /// [`Cancelled`] when the run was over before it began.
    pub async fn each_item(&self) -> SyncResult {
        self.port().each_item().await
    }

    /// Runs `work` for each prepared item, within this future: it may borrow locals of the caller.
    ///
    /// Limits, isolation, skip and grace are those of [`each_item`](Self::each_item); what is shared is the thread.
    ///
    /// ```
    /// # use std::sync::atomic::{AtomicU64, Ordering};
    /// # use syncmgr_core::{context::SynchronizeContext, error::SyncResult};
    /// async fn synchronize(run: &SynchronizeContext) -> SyncResult {
    ///     let copied = &AtomicU64::new(0); // borrowed by the work on every item
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
    /// [`Cancelled`] when the run was over before it began.
    pub async fn each<F, Work>(&self, work: F) -> SyncResult
    where
        F: Fn(ItemContext) -> Work + Send + Sync,
        Work: Future<Output = SyncResult> + Send,
    {
        self.port().each(&|item| work(item).boxed()).await
    }

    /// Reports on any prepared item: `Progress`, for handlers that do all items in one piece of work.
    ///
    /// The first report of an item starts it (R106); one with a terminal status ends it.
    ///
    /// ```
    /// # use syncmgr_core::{context::SynchronizeContext, error::SyncResult};
    /// # use syncmgr_core::{progress::Progress, status::Status};
    /// async fn synchronize(run: &SynchronizeContext) -> SyncResult {
    ///     // .. one query answers for all folders
    ///     for item in run.selection() {
    ///         run.report(item.id(), Progress::new().with_status(Status::Succeeded))?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// [`ReportError::Cancelled`] says to stop this item, or everything (R110, R111): pass it on or go on with the
    /// others. The other errors are the handler's mistakes; the report had no effect.
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
