//! What the contexts ask of whoever hosts a run, and what a host asks of the world around it.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use futures::future::BoxFuture;

use crate::cancel::{Cancel, Cancelled};
use crate::context::ItemContext;
use crate::error::{NeedsUser, SyncResult, drop_panic};
use crate::id::{ErrorScope, HandlerId, ItemId, SessionId};
use crate::item::SyncItem;
use crate::log::{LogEntry, Question};
use crate::plan::{Clearance, Plan};
use crate::progress::Progress;
use crate::record::Fence;
use crate::sync::Mutex;
use crate::trigger::{RunFlags, Trigger};

/// The host's side of one attempt of one run. The contexts are thin handles over it.
///
/// Implemented by the runtime and by [`Detached`](crate::context::Detached). After the host has detached, every method is
/// harmless: logging is dropped, asking is refused.
pub trait RunPort: Send + Sync {
    /// What holds for the attempt. Its selection, number and fence are those of before the choice until the items are selected.
    fn facts(&self) -> &RunFacts;

    /// The cancellation of the handler in this attempt.
    fn cancel(&self) -> &Cancel;

    /// Whether an item was skipped before it began.
    fn is_skipped(&self, item: ItemId) -> bool;

    /// What the run keeps.
    fn kept(&self) -> &Kept;

    /// Adds an entry to the error log.
    fn log(&self, entry: LogEntry);

    /// Removes entries of this run from the error log.
    fn delete_log(&self, scope: ErrorScope);

    /// Takes a report about any prepared item from a handler that does all items in one piece of work.
    ///
    /// # Errors
    /// See [`ReportError`].
    fn report(&self, item: ItemId, report: &Progress) -> Result<(), ReportError>;

    /// Ends an item before `synchronize` begins, as an item ends that fails with this error.
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

    /// Runs a future as a task of its own.
    fn spawn(&self, task: BoxFuture<'static, ()>);

    /// Waits for the user's attention.
    ///
    /// # Errors
    /// [`NeedsUser`] when nobody may be bothered or nobody is there, [`Cancelled`] while waiting.
    fn interaction(&self) -> BoxFuture<'_, SyncResult<InteractionPermit>>;

    /// Brings a connection up, or uses the one that is.
    fn connect<'a>(&'a self, name: Option<&'a str>) -> BoxFuture<'a, SyncResult>;

    /// The answer to a question, as an index into its choices, or `None` while nobody has given one; the question is
    /// then open in the log.
    fn decide(&self, item: ItemId, question: &Question) -> Option<usize>;

    /// What was last committed of an item, as JSON in the version of the handler's state.
    ///
    /// # Errors
    /// Marked as unreadable state where it is of a later version, or the handler cannot migrate it.
    fn saved(&self, item: ItemId) -> SyncResult<Option<Arc<str>>>;

    /// Saves the state of an item, as JSON.
    fn commit(&self, item: ItemId, state: Arc<str>) -> BoxFuture<'_, SyncResult>;

    /// Judges what an item is about to do.
    fn clear(&self, item: ItemId, plan: &Plan) -> Clearance;

    /// Makes files and directories survive what a commit survives.
    fn sync_paths(&self, paths: Vec<PathBuf>) -> BoxFuture<'_, SyncResult>;
}

/// What [`RunPort::each`] runs for an item.
pub type ItemWork<'a> = dyn Fn(ItemContext) -> BoxFuture<'a, SyncResult> + Send + Sync + 'a;

/// What holds for a whole attempt of a run.
///
/// ```
/// # use std::sync::Arc;
/// # use syncmgr_core::{id::{HandlerId, SessionId}, port::RunFacts, trigger::{RunFlags, Trigger}};
/// let facts = RunFacts::new(HandlerId::from_u128(7), SessionId(1), Trigger::Manual, RunFlags::empty());
/// let facts = facts.with_cookie(Some(Arc::from(&b"folder=17"[..])));
/// assert_eq!(facts.cookie, None); // only an invocation has one (R16)
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RunFacts {
    /// The handler.
    pub handler: HandlerId,
    /// The session the run is part of.
    pub session: SessionId,
    /// What started the session.
    pub trigger: Trigger,
    /// Under which conditions it runs (R28).
    pub flags: RunFlags,
    /// The bytes of the invocation, after [`Trigger::Invoke`] only (R35).
    pub cookie: Option<Arc<[u8]>>,
    /// The chosen items, in the handler's order; empty before the choice.
    pub selection: Arc<[SyncItem]>,
    /// Which attempt of the run this is; 0 before the choice.
    pub attempt: u32,
    /// What orders this attempt's writes among those to the same record.
    pub fence: Fence,
}

impl RunFacts {
    /// A run of `handler` in `session`, with nothing chosen.
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

    /// With the bytes of the invocation; without effect for any other trigger (R16).
    pub fn with_cookie(self, cookie: Option<Arc<[u8]>>) -> Self {
        Self { cookie: cookie.filter(|_| self.trigger == Trigger::Invoke), ..self }
    }

    /// As this attempt of the run.
    pub fn with_attempt(self, attempt: u32) -> Self {
        Self { attempt, ..self }
    }

    /// With writes ordered by this.
    pub fn with_fence(self, fence: Fence) -> Self {
        Self { fence, ..self }
    }

    /// With these items chosen.
    pub fn with_selection(self, selection: Arc<[SyncItem]>) -> Self {
        Self { selection, ..self }
    }
}

/// Why a report about an item was not taken, or what it was answered.
///
/// ```
/// # use syncmgr_core::{context::Detached, item::SyncItem, port::ReportError};
/// let run = Detached::new().prepare([SyncItem::named("Inbox")]);
/// let stranger = SyncItem::named("Sent").id();
/// let refused = run.exclude(stranger, anyhow::anyhow!("not today"));
/// assert_eq!(refused, Err(ReportError::NotPrepared { item: stranger }));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// The report was taken; stop soon.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// The item was not prepared (R120): `E_INVALIDARG`. The handler's mistake.
    #[error("item {item} was not prepared in this run; report only items of the selection")]
    NotPrepared {
        /// The id in the report.
        item: ItemId,
    },
    /// The item has already ended. The handler's mistake; the report had no effect.
    #[error("item {item} has already ended; its end was the last report")]
    Ended {
        /// The id in the report.
        item: ItemId,
    },
    /// The run is over or has not begun: `E_UNEXPECTED`. The handler's mistake; the report had no effect.
    #[error("nothing is being synchronized; report between the start and the end of `synchronize`")]
    NotRunning,
}

/// Values a run keeps from one call to the next, one per type.
///
/// ```
/// # use syncmgr_core::port::Kept;
/// let kept = Kept::default();
/// kept.put(String::from("a log-on"));
/// assert_eq!(kept.of::<String>().as_deref().map(String::as_str), Some("a log-on"));
/// assert!(kept.of::<u32>().is_none()); // one value per type
/// ```
// `http::Extensions` owns what it holds; here handlers share it.
#[derive(Default)]
pub struct Kept(Mutex<BTreeMap<TypeId, Arc<dyn Any + Send + Sync>>>);

impl Kept {
    /// Keeps a value, in place of an earlier one of the same type.
    pub fn put<T: Send + Sync + 'static>(&self, value: T) -> Arc<T> {
        let value = Arc::new(value);
        let before = self.0.lock().insert(TypeId::of::<T>(), value.clone());
        drop(before);
        value
    }

    /// The value of this type.
    pub fn of<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        self.0.lock().get(&TypeId::of::<T>()).cloned()?.downcast().ok()
    }

    /// Every value that is kept, whatever its type.
    pub fn values(&self) -> Vec<Arc<dyn Any + Send + Sync>> {
        self.0.lock().values().cloned().collect()
    }

    /// Lets go of everything. A value that panics when it is dropped keeps nothing else.
    pub fn clear(&self) {
        let kept = std::mem::take(&mut *self.0.lock());
        for value in kept.into_values() {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
                drop_panic(panic);
            }
        }
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kept({} values)", self.0.lock().len())
    }
}

/// The person at the keyboard, as a host offers them: what the contract leaves to the handler's own dialogs.
///
/// Handlers reach it through [`RunContext::interaction`](crate::context::RunContext::interaction), one at a time.
/// A future is dropped where its handler is stopped meanwhile: take away what you show then. An error goes to the handler, as
/// the result of its question.
///
/// A program that asks at its terminal; what asks a window or a keyring has the same shape:
///
/// ```
/// # use std::io::{self, BufRead, Write};
/// # use syncmgr_core::{error::SyncResult, port::{Confirmation, Interaction, Secret}};
/// struct Terminal;
///
/// impl Terminal {
///     fn ask(question: &str) -> io::Result<String> {
///         print!("{question}: ");
///         io::stdout().flush()?;
///         let mut answer = String::new();
///         io::stdin().lock().read_line(&mut answer)?; // in a real program on a thread that may block
///         Ok(answer.trim().to_string())
///     }
/// }
///
/// #[async_trait::async_trait]
/// impl Interaction for Terminal {
///     async fn confirm(&self, question: &str) -> SyncResult<Confirmation> {
///         let yes = Self::ask(&format!("{question} [y/N]"))?.eq_ignore_ascii_case("y");
///         Ok(if yes { Confirmation::Confirm } else { Confirmation::Refuse })
///     }
///
///     async fn choose(&self, question: &str, choices: &[String]) -> SyncResult<Option<usize>> {
///         let answer = Self::ask(&format!("{question} ({})", choices.join(", ")))?;
///         Ok(choices.iter().position(|choice| *choice == answer))
///     }
///
///     async fn secret(&self, prompt: &str) -> SyncResult<Option<Secret>> {
///         let answer = Self::ask(prompt)?; // with the echo off: crates such as `rpassword` do that
///         Ok(Some(answer).filter(|answer| !answer.is_empty()).map(Secret::new))
///     }
/// }
/// ```
///
/// A program that has the answers already, from a keyring or its settings, and asks nobody:
///
/// ```
/// # use syncmgr_core::{error::SyncResult, port::{Confirmation, Interaction, InteractionPermit, Secret}};
/// struct Keyring<F>(F);
///
/// #[async_trait::async_trait]
/// impl<F: Fn(&str) -> Option<String> + Send + Sync + 'static> Interaction for Keyring<F> {
///     async fn confirm(&self, _question: &str) -> SyncResult<Confirmation> {
///         Ok(Confirmation::Refuse)
///     }
///
///     async fn choose(&self, _question: &str, _choices: &[String]) -> SyncResult<Option<usize>> {
///         Ok(None)
///     }
///
///     async fn secret(&self, prompt: &str) -> SyncResult<Option<Secret>> {
///         Ok(self.0(prompt).map(Secret::new))
///     }
/// }
///
/// let keyring = Keyring(|prompt: &str| prompt.contains("ann").then(|| "correct horse".to_string()));
/// # futures::executor::block_on(async {
/// let password = keyring.secret("Password for ann@example.org").await?;
/// assert_eq!(password.as_ref().map(Secret::expose), Some("correct horse"));
/// assert!(keyring.secret("Password for bob@example.org").await?.is_none());
/// # Ok::<(), anyhow::Error>(())
/// # })?;
/// # Ok::<(), anyhow::Error>(())
/// ```
#[async_trait]
pub trait Interaction: Send + Sync + 'static {
    /// Asks a yes-or-no question.
    async fn confirm(&self, question: &str) -> SyncResult<Confirmation>;

    /// Asks to choose one of several; `None` when nothing was chosen.
    async fn choose(&self, question: &str, choices: &[String]) -> SyncResult<Option<usize>>;

    /// Asks for a secret, such as a password; `None` when none was given.
    async fn secret(&self, prompt: &str) -> SyncResult<Option<Secret>>;
}

/// The answer to a yes-or-no question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a yes-or-no question has two answers")]
pub enum Confirmation {
    /// Yes.
    Confirm,
    /// No.
    Refuse,
}

/// A secret. It is never shown, logged or stored by the host, and so has no `Debug`.
///
/// ```
/// # use syncmgr_core::port::Secret;
/// let password = Secret::new("correct horse");
/// assert_eq!(password.expose().len(), 13);
/// ```
#[allow(missing_debug_implementations, reason = "it would show the secret")]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// The secret itself. What is done with it is the caller's responsibility.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// The user's attention, granted to one handler at a time (R133). Dropping it gives it back (R132).
///
/// The counterpart of `EnableModeless`: having the permit is `TRUE` answered with `S_OK`, dropping it is `FALSE`.
///
/// ```
/// # use std::sync::Arc;
/// # use syncmgr_core::{error::SyncResult, port::{Confirmation, Interaction, InteractionPermit, Secret}};
/// # struct Agrees;
/// # #[async_trait::async_trait]
/// # impl Interaction for Agrees {
/// #     async fn confirm(&self, _: &str) -> SyncResult<Confirmation> { Ok(Confirmation::Confirm) }
/// #     async fn choose(&self, _: &str, _: &[String]) -> SyncResult<Option<usize>> { Ok(None) }
/// #     async fn secret(&self, _: &str) -> SyncResult<Option<Secret>> { Ok(None) }
/// # }
/// let turn = Arc::new(()); // a host's lock on the user's attention
/// let permit = InteractionPermit::new(Arc::new(Agrees), turn.clone());
/// # futures::executor::block_on(async {
/// assert_eq!(permit.confirm("Accept the certificate?").await?, Confirmation::Confirm);
/// # Ok::<(), anyhow::Error>(())
/// # })?;
/// drop(permit);
/// assert_eq!(Arc::strong_count(&turn), 1); // the next handler may ask
/// # Ok::<(), anyhow::Error>(())
/// ```
#[must_use = "dropping the permit gives the user's attention back"]
pub struct InteractionPermit {
    interaction: Arc<dyn Interaction>,
    _held: Box<dyn Any + Send + Sync>,
}

impl InteractionPermit {
    /// A permit for `interaction`; `held` is dropped when the permit is.
    pub fn new(interaction: Arc<dyn Interaction>, held: impl Any + Send + Sync) -> Self {
        Self { interaction, _held: Box::new(held) }
    }
}

impl Deref for InteractionPermit {
    type Target = dyn Interaction;

    fn deref(&self) -> &Self::Target {
        &*self.interaction
    }
}

impl fmt::Debug for InteractionPermit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InteractionPermit")
    }
}

/// The refusal of a host that has nobody to ask.
pub fn nobody_to_ask() -> NeedsUser {
    NeedsUser::new("nobody may be bothered in this session")
}

/// Brings connections up: what `EstablishConnection` asks the manager for.
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
    /// Brings the named connection up, or the default one (R136). Earlier connections stay up (R137); all are dropped
    /// when every handler of the session has finished (R138).
    ///
    /// # Errors
    /// When it cannot be brought up; the handler that asked gets this error.
    async fn connect(&self, name: Option<&str>) -> SyncResult<Connection>;
}

/// A connection that is up. Dropping it closes it.
pub type Connection = Box<dyn Any + Send + Sync>;
