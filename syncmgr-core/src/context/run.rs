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
#[derive(Clone)]
pub struct RunContext {
    port: Arc<dyn RunPort>,
}

impl RunContext {
    /// A context over a host's port. Hosts call this; handlers are given one.
    pub fn new(port: Arc<dyn RunPort>) -> Self {
        Self { port }
    }

    pub(crate) fn port(&self) -> &dyn RunPort {
        &*self.port
    }

    /// The host behind this context, for whoever stands between a handler and its host: a recorder, a judge, a proxy. What
    /// handlers may ask of it the methods of the contexts ask.
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
    pub fn delete_log(&self, scope: ErrorScope) {
        self.port.delete_log(scope);
    }

    /// Keeps a value for the rest of the run, a logged-in connection for example; one per type.
    ///
    /// Later calls find it with [`prepared`](Self::prepared). It is dropped when the results of the session are closed.
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
    /// # Errors
    /// [`NeedsUser`](crate::error::NeedsUser) when nobody may be bothered (R37) or nobody is there; pass it on with `?`
    /// and the run or item ends *needs user*. [`Cancelled`] when stopped while waiting.
    pub async fn interaction(&self) -> SyncResult<InteractionPermit> {
        self.port.interaction().await
    }

    /// Brings a connection up, the default one for `None` (R136), and keeps it until the session ends (R138):
    /// `EstablishConnection`. Cancel safe.
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
    pub fn new(port: Arc<dyn RunPort>) -> Self {
        Self(RunContext::new(port))
    }

    /// Has the host run [`synchronize_item`](crate::handler::SyncHandler::synchronize_item) for each prepared item.
    ///
    /// Ends when every item has ended. Items that fail do not fail this.
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
