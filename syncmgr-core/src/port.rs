//! The interface between the contexts and a host, and between a host and its application.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;

use crate::cancel::{Cancel, Cancelled};
use crate::context::ItemContext;
use crate::error::SyncResult;
use crate::foreign::Foreign;
use crate::id::{ErrorScope, HandlerId, ItemId, SessionId};
use crate::item::SyncItem;
use crate::log::{LogEntry, Question};
use crate::plan::{Plan, PlanError};
use crate::progress::Progress;
use crate::record::Fence;
use crate::sync::Mutex;
use crate::trigger::{RunFlags, Trigger};

mod interaction;
mod secret;

pub use self::interaction::{Asker, Confirmation, Interaction, InteractionPermit, user_unavailable};
pub use self::secret::{MemorySecrets, Secret, SecretStore};

/// The host's side of one attempt of one run. The contexts are thin handles over it.
///
/// Implemented by the runtime and by [`TestContext`](crate::context::TestContext). After the host has detached, every method is
/// harmless: log entries are dropped, and requests for the user's attention are refused.
pub trait RunPort: Send + Sync {
    /// Returns the data of the attempt. Before the selection, `selection`, `attempt` and `fence` have initial values.
    fn run_info(&self) -> &RunInfo;

    /// Returns the cancellation of the handler in this attempt.
    fn cancel(&self) -> &Cancel;

    /// Returns the time until the run is stopped because something is about to end. `None` if nothing is announced that stops it.
    fn time_left(&self) -> Option<Duration>;

    /// Returns `true` if an item was skipped before it began.
    fn is_skipped(&self, item: ItemId) -> bool;

    /// Returns the values stored in the run.
    fn kept(&self) -> &Kept;

    /// Adds an entry to the error log.
    fn log(&self, entry: LogEntry);

    /// Removes entries of this run from the error log.
    fn delete_log(&self, scope: ErrorScope);

    /// Reports the progress of any prepared item, for a handler that synchronizes all items in one operation.
    ///
    /// # Errors
    /// See [`ReportError`].
    fn report(&self, item: ItemId, report: &Progress) -> Result<(), ReportError>;

    /// Ends an item before `synchronize` begins, with this error.
    ///
    /// # Errors
    /// See [`ReportError`].
    fn exclude(&self, item: ItemId, error: anyhow::Error) -> Result<(), ReportError>;

    /// Runs `synchronize_item` of the handler for each prepared item that has not ended.
    fn each_item(&self) -> BoxFuture<'_, SyncResult>;

    /// Runs `work` for each prepared item that has not ended, within the calling future.
    fn each<'a>(&'a self, work: &'a ItemWork<'a>) -> BoxFuture<'a, SyncResult>;

    /// Runs a job on a thread that may block.
    fn blocking(&self, job: Box<dyn FnOnce() + Send>);

    /// Runs a future as its own task.
    fn spawn(&self, task: BoxFuture<'static, ()>);

    /// Waits for the user's attention.
    ///
    /// # Errors
    /// [`NeedsUser`](crate::error::NeedsUser) if the session may not ask the user or the user is absent, [`Cancelled`] if cancelled while waiting.
    fn interaction(&self) -> BoxFuture<'_, SyncResult<InteractionPermit>>;

    /// Returns the stored secrets.
    ///
    /// # Errors
    /// [`Cancelled`] if the run has ended.
    fn secrets(&self) -> Result<Arc<dyn SecretStore>, Cancelled>;

    /// Establishes a connection, or reuses an existing one.
    fn connect<'a>(&'a self, name: Option<&'a str>) -> BoxFuture<'a, SyncResult>;

    /// Returns the answer to a question, as an index into its choices. `None` while it is unanswered; the log then has an
    /// entry for the question.
    fn decide(&self, item: ItemId, question: &Question) -> Option<usize>;

    /// Returns the state that an item committed last, as JSON in the current version of the handler's state.
    ///
    /// # Errors
    /// Unreadable state if the stored state has a later version or the handler cannot migrate it.
    fn saved(&self, item: ItemId) -> SyncResult<Option<Arc<str>>>;

    /// Saves the state of an item, as JSON.
    fn commit(&self, item: ItemId, state: Arc<str>) -> BoxFuture<'_, SyncResult>;

    /// Decides on a plan that an item proposes.
    ///
    /// # Errors
    /// [`PlanError`] if the plan must not be carried out as proposed.
    fn propose(&self, item: ItemId, plan: &Plan) -> Result<(), PlanError>;

    /// Makes files and directories as durable as a commit.
    fn sync_paths(&self, paths: Vec<PathBuf>) -> BoxFuture<'_, SyncResult>;
}

/// The work of [`RunPort::each`] on an item.
pub type ItemWork<'a> = dyn Fn(ItemContext) -> BoxFuture<'a, SyncResult> + Send + Sync + 'a;

/// The constant data of an attempt of a run.
///
/// ```
/// # use std::sync::Arc;
/// # use syncmgr_core::{id::{HandlerId, SessionId}, port::RunInfo, trigger::{RunFlags, Trigger}};
/// let run_info = RunInfo::new(HandlerId::from_u128(7), SessionId(1), Trigger::Manual, RunFlags::empty());
/// let run_info = run_info.with_cookie(Some(Arc::from(&b"folder=17"[..])));
/// assert_eq!(run_info.cookie, None); // only an invocation has a cookie
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RunInfo {
    /// The handler.
    pub handler: HandlerId,
    /// The session of the run.
    pub session: SessionId,
    /// The trigger that started the session.
    pub trigger: Trigger,
    /// The flags of the run.
    pub flags: RunFlags,
    /// The bytes of the invocation. `None` unless the trigger is [`Trigger::Invoke`].
    pub cookie: Option<Arc<[u8]>>,
    /// The selected items, in the handler's order; in an automatic run, more important ones are first. Empty before the
    /// selection.
    pub selection: Arc<[SyncItem]>,
    /// The number of the attempt in the run. 0 before the selection.
    pub attempt: u32,
    /// The fence of this attempt: the order of its writes among all writes to the same record.
    pub fence: Fence,
}

impl RunInfo {
    /// Creates the data of a run of `handler` in `session`, without selected items.
    pub fn new(handler: HandlerId, session: SessionId, trigger: Trigger, flags: RunFlags) -> Self {
        Self {
            handler,
            session,
            trigger,
            flags,
            cookie: None,
            selection: Arc::default(),
            attempt: 0,
            fence: Fence { session, attempt: 0 },
        }
    }

    /// Sets the bytes of the invocation. Has no effect unless the trigger is [`Trigger::Invoke`].
    ///
    /// See also: R16.
    pub fn with_cookie(self, cookie: Option<Arc<[u8]>>) -> Self {
        Self { cookie: cookie.filter(|_| self.trigger == Trigger::Invoke), ..self }
    }

    /// Sets the number of the attempt.
    pub fn with_attempt(self, attempt: u32) -> Self {
        Self { attempt, ..self }
    }

    /// Sets the fence of the attempt.
    pub fn with_fence(self, fence: Fence) -> Self {
        Self { fence, ..self }
    }

    /// Sets the selected items.
    pub fn with_selection(self, selection: Arc<[SyncItem]>) -> Self {
        Self { selection, ..self }
    }
}

/// The error of a report on an item.
///
/// ```
/// # use syncmgr_core::{context::TestContext, item::SyncItem, port::ReportError};
/// let run = TestContext::new().prepare([SyncItem::named("Inbox")]);
/// let stranger = SyncItem::named("Sent").id();
/// let refused = run.exclude(stranger, anyhow::anyhow!("not today"));
/// assert_eq!(refused, Err(ReportError::NotPrepared { item: stranger }));
/// ```
///
/// See also: R120.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// The report was applied, and the item should stop soon.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// The item was not prepared: `E_INVALIDARG`. This is a bug in the handler.
    #[error("item {item} was not prepared in this run; report only items of the selection")]
    NotPrepared {
        /// The id in the report.
        item: ItemId,
    },
    /// The item has already ended. This is a bug in the handler. The report had no effect.
    #[error("item {item} has already ended; do not report after a terminal status")]
    Ended {
        /// The id in the report.
        item: ItemId,
    },
    /// The run has not begun or has ended: `E_UNEXPECTED`. This is a bug in the handler. The report had no effect.
    #[error("nothing is being synchronized; report between the start and the end of `synchronize`")]
    NotRunning,
}

/// The values stored in a run, one per type.
///
/// ```
/// # use syncmgr_core::port::Kept;
/// let kept = Kept::default();
/// kept.put(String::from("a log-on"));
/// assert_eq!(kept.of::<String>().as_deref().map(String::as_str), Some("a log-on"));
/// assert!(kept.of::<u32>().is_none()); // one value per type
/// ```
// Unlike in `http::Extensions`, the values are shared.
#[derive(Default)]
pub struct Kept(Mutex<BTreeMap<TypeId, Foreign<KeptValue>>>);

type KeptValue = Arc<dyn Any + Send + Sync>;

impl Kept {
    /// Stores a value. Replaces an earlier value of the same type.
    pub fn put<T: Send + Sync + 'static>(&self, value: T) -> Arc<T> {
        let value = Arc::new(value);
        let before = self.0.lock().insert(TypeId::of::<T>(), Foreign::new(value.clone()));
        drop(before);
        value
    }

    /// Returns the value of this type. `None` if there is none.
    pub fn of<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        let value = KeptValue::clone(self.0.lock().get(&TypeId::of::<T>())?);
        value.downcast().ok()
    }

    /// Returns all values.
    pub fn values(&self) -> Vec<Arc<dyn Any + Send + Sync>> {
        self.0.lock().values().map(|value| KeptValue::clone(value)).collect()
    }

    /// Drops all values. Returns the messages of destructors that panicked.
    pub fn clear(&self) -> Vec<String> {
        let kept = std::mem::take(&mut *self.0.lock());
        kept.into_values().filter_map(|value| value.discard().err()).collect()
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kept({} values)", self.0.lock().len())
    }
}

/// A provider of connections for `EstablishConnection`.
///
/// ```
/// # use syncmgr_core::{error::SyncResult, port::{Connection, ConnectionProvider}};
/// struct Vpn;
/// # struct Tunnel;
/// # impl Tunnel { async fn open(_: &str) -> SyncResult<Self> { Ok(Self) } }
///
/// #[async_trait::async_trait]
/// impl ConnectionProvider for Vpn {
///     async fn connect(&self, name: Option<&str>) -> SyncResult<Connection> {
///         Ok(Box::new(Tunnel::open(name.unwrap_or("default")).await?)) // closed by its drop
///     }
/// }
/// # futures::executor::block_on(Vpn.connect(None))?;
/// # Ok::<(), anyhow::Error>(())
/// ```
#[async_trait]
pub trait ConnectionProvider: Send + Sync + 'static {
    /// Establishes the connection of this name, or the default one for `None`. Earlier connections stay up. All connections are
    /// dropped when every handler of the session has finished.
    ///
    /// See also: R137.
    ///
    /// # Errors
    /// If the connection cannot be established. The requesting handler receives this error.
    async fn connect(&self, name: Option<&str>) -> SyncResult<Connection>;
}

/// An established connection. Dropping it closes it.
pub type Connection = Box<dyn Any + Send + Sync>;
