//! The trait a provider author implements: `ISyncMgrSynchronize`.

use std::any::Any;
use std::sync::Arc;

use anyhow::anyhow;
use async_trait::async_trait;
use serde_json::Value;
use uuid::Uuid;

use crate::context::{ItemContext, PrepareContext, RunContext, SynchronizeContext};
use crate::error::{Classify, SyncResult};
use crate::id::{ErrorId, ItemId, Subject};
use crate::info::HandlerInfo;
use crate::item::{Items, SyncItem};
use crate::status::Status;

/// A provider of things to synchronize. The host calls it; you write it.
///
/// Put `#[sync_handler(id = "..", name = "..")]` on the `impl` and write
/// [`synchronize_item`](Self::synchronize_item); everything else has a default. Write
/// [`synchronize`](Self::synchronize) instead when the items of a run share one straight piece of work, such as one
/// query for all folders of a mailbox. For a handler that is already written against the Windows contract, implement
/// [`ClassicHandler`](crate::classic::ClassicHandler).
///
/// ```
/// # use syncmgr_core::{context::{Detached, ItemContext}, error::SyncResult, handler::SyncHandler};
/// # use syncmgr_core::{id::HandlerId, info::HandlerInfo, item::{Items, SyncItem}};
/// struct Notes(Vec<&'static str>);
///
/// #[async_trait::async_trait] // with the facade, `#[sync_handler(id = "..", name = "Notes")]` writes this and `info`
/// impl SyncHandler for Notes {
///     fn info(&self) -> HandlerInfo {
///         HandlerInfo::new(HandlerId::from_u128(0x5d0f_0f6e), "Notes")
///     }
///
///     async fn items(&self) -> SyncResult<Items> {
///         Ok(self.0.iter().copied().map(SyncItem::named).collect())
///     }
///
///     async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
///         Ok(item.progress(1, 1)?)
///     }
/// }
/// # futures::executor::block_on(async {
/// let notes = Notes(vec!["groceries", "ideas"]);
/// assert_eq!(notes.items().await?.len(), 2);
/// notes.synchronize_item(&Detached::new().item("ideas")).await?;
/// # Ok::<(), anyhow::Error>(())
/// # })?;
/// # Ok::<(), anyhow::Error>(())
/// ```
///
/// # Expected flow
///
/// One *run* is one handler in one session; where the contract speaks of an instance, read run.
///
/// 1. [`initialize`](Self::initialize), first and once (R25): take part or decline.
/// 2. [`items`](Self::items): what there is. Stored choices, default states or a person choose among them.
/// 3. [`prepare`](Self::prepare) with the chosen items, at least one (R82): log on, ask questions, keep what the run
///    needs with [`RunContext::keep`].
/// 4. [`synchronize`](Self::synchronize), once (R96): by default the host runs
///    [`synchronize_item`](Self::synchronize_item) for each chosen item, several at once.
/// 5. Until the results are closed, [`show_error`](Self::show_error) for log entries a person opens; an answer of
///    [`Resolution::Retry`] goes back to step 3 with those items, in the same run.
///
/// [`show_properties`](Self::show_properties), [`set_item_status`](Self::set_item_status) and
/// [`item_object`](Self::item_object) come in between when somebody asks.
///
/// # Guarantees
///
/// - One run of a handler at a time; other sessions wait for their turn.
/// - No item runs twice at once.
/// - A panic, an error or a hang in one item touches neither its neighbours nor the host.
/// - The final status of an item is what its method returned: `Ok` is succeeded (with an open decision *needs user*,
///   with tolerated failures *failed*), `Err` is failed, and `Err` after a cancel is the cancel.
///
/// # Assumptions
///
/// - An item may run again after a run that was cut short: write so that a second run completes the first.
/// - Methods do not block their thread. Put blocking work into [`ItemContext::blocking`]; on a current-thread runtime a
///   handler that blocks stops everything.
/// - Nothing is retried or delayed inside: return the error, marked with its [class](crate::error::Classify), and the
///   host decides when to come back.
///
/// # Cancel safety
///
/// A cancelled item may go on for the soft grace (100 ms unless its [limits](crate::info::Limits) say otherwise), then
/// its future is dropped at its next await; hold [`ItemContext::uninterrupted`] across what must not be cut. Work
/// started through `blocking`, `spawn` and `concurrently` of the item is awaited before the item counts as stopped.
/// Libraries that hand work to other threads themselves, `tokio::fs` among them, go on after the drop: the promise does
/// not cover them.
///
/// # Errors and panics
///
/// An unmarked error is transient. A panic is caught, logged with the item's name and counts as transient.
///
/// # Signatures
///
/// `#[sync_handler]` applies `async_trait`, so an `async fn` here is a method that returns a boxed future:
/// `fn items<'a>(&'a self) -> Pin<Box<dyn Future<Output = SyncResult<Items>> + Send + 'a>>`.
#[async_trait]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a sync handler",
    label = "does not implement `SyncHandler`",
    note = "write `impl SyncHandler for {Self}` under `#[sync_handler(id = \"..\", name = \"..\")]`"
)]
pub trait SyncHandler: Send + Sync + 'static {
    /// What the handler says of itself: `GetHandlerInfo`. Generated by `#[sync_handler]`.
    fn info(&self) -> HandlerInfo;

    /// Takes part in this session or declines: `Initialize`.
    ///
    /// Called first and once in a run (R25). [`Participation::Decline`] ends the run without a word in the log (R31,
    /// R32); an error ends it too and is reported (R33). Look at the trigger, the flags and, after
    /// [`Trigger::Invoke`](crate::trigger::Trigger::Invoke), the cookie (R35); they hold for the whole run (R28). Be
    /// quick and show nothing (R34): a run may be made only to list items.
    ///
    /// ```
    /// # use syncmgr_core::{context::{Detached, RunContext}, error::SyncResult, handler::Participation};
    /// # struct Mail { accounts: Vec<String> }
    /// # impl Mail {
    /// async fn initialize(&self, _run: &RunContext) -> SyncResult<Participation> {
    ///     Ok(if self.accounts.is_empty() { Participation::Decline } else { Participation::TakePart })
    /// }
    /// # }
    /// # let mail = Mail { accounts: Vec::new() };
    /// # let answer = futures::executor::block_on(mail.initialize(&Detached::new().run()))?;
    /// # assert_eq!(answer, Participation::Decline);
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    async fn initialize(&self, run: &RunContext) -> SyncResult<Participation> {
        let _ = run;
        Ok(Participation::TakePart)
    }

    /// Lists what can be synchronized: `EnumSyncMgrItems`.
    ///
    /// Ids are stable (R48), none is nil and none occurs twice; offenders are dropped and reported (R49). Collect an
    /// iterator for a complete listing; return [`Items::incomplete`] when some may be missing (R47).
    ///
    /// The default is one item that stands for the handler as a whole and has its name.
    ///
    /// ```
    /// # use syncmgr_core::{error::SyncResult, item::{Completeness, Items, SyncItem}};
    /// # struct Mail;
    /// # impl Mail {
    /// #     async fn folders(&self) -> SyncResult<Vec<String>> { Err(anyhow::anyhow!("offline")) }
    /// async fn items(&self) -> SyncResult<Items> {
    ///     Ok(match self.folders().await {
    ///         Ok(folders) => folders.into_iter().map(SyncItem::named).collect(),
    ///         Err(_) => Items::incomplete([SyncItem::named("Inbox")]), // nothing that is absent is forgotten
    ///     })
    /// }
    /// # }
    /// # let items = futures::executor::block_on(Mail.items())?;
    /// # assert_eq!(items.completeness(), Completeness::MissingItems);
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    async fn items(&self) -> SyncResult<Items> {
        let info = self.info();
        Ok([SyncItem::new(ItemId::new(info.id().guid()), info.name())].into_iter().collect())
    }

    /// Gets ready for the chosen items: `PrepareForSync`.
    ///
    /// The selection is in [`RunContext::selection`]. The place for log-on and questions: ask through
    /// [`RunContext::interaction`] and pass its refusal on with `?`, which ends the run as *needs user* (R93). `Err`
    /// ends the run without [`synchronize`](Self::synchronize) (R90), for this handler alone (R83).
    ///
    /// ```
    /// # use syncmgr_core::{context::PrepareContext, error::SyncResult};
    /// # struct Connection;
    /// # impl Connection { async fn open(_: &str) -> SyncResult<Self> { Ok(Self) } }
    /// # struct Mail { server: String }
    /// # impl Mail {
    /// async fn prepare(&self, run: &PrepareContext) -> SyncResult {
    ///     run.keep(Connection::open(&self.server).await?); // one log-on for all items; dropped with the run
    ///     Ok(())
    /// }
    /// # }
    /// # use syncmgr_core::context::Detached;
    /// # let run = Detached::new().prepare([]);
    /// # futures::executor::block_on(Mail { server: "imap.example.org".into() }.prepare(&run))?;
    /// # run.prepared::<Connection>()?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    async fn prepare(&self, run: &PrepareContext) -> SyncResult {
        let _ = run;
        Ok(())
    }

    /// Synchronizes the prepared items, less those skipped since: `Synchronize` (R97).
    ///
    /// The default asks the host to run [`synchronize_item`](Self::synchronize_item) for each, within the limits, each
    /// isolated from the others. Override it to use plain locals across items with [`SynchronizeContext::each`], or to do
    /// all items in one piece of work and report each with [`SynchronizeContext::report`]; items without a terminal
    /// status at the end are closed by the host (R105).
    ///
    /// ```
    /// # use syncmgr_core::{context::SynchronizeContext, error::SyncResult};
    /// # struct Mail;
    /// # impl Mail {
    /// async fn synchronize(&self, run: &SynchronizeContext) -> SyncResult {
    ///     let greeting = String::from("hello"); // a local that every item may borrow
    ///     run.each(|item| {
    ///         let greeting = &greeting;
    ///         async move { Ok(item.info(format!("{greeting}, {}", item.name()))) }
    ///     })
    ///     .await
    /// }
    /// # }
    /// ```
    async fn synchronize(&self, run: &SynchronizeContext) -> SyncResult {
        run.each_item().await
    }

    /// Synchronizes one item.
    ///
    /// Report progress often (R107): [`ItemContext::progress`] costs nanoseconds and is where a cancelled item leaves.
    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let name = item.name();
        Err(anyhow!("the handler has neither `synchronize` nor `synchronize_item`, so `{name}` cannot be synchronized"))
            .permanent()
    }

    /// Is told that an item was skipped, or everything stopped, while `prepare` or `synchronize` is pending:
    /// `SetItemStatus`.
    ///
    /// Called between two polls, only in those windows (R121), with [`Status::Skipped`] and an item or
    /// [`Status::Stopped`] and [`Subject::Handler`] (R126). The tokens of the contexts already say the same (R129);
    /// most handlers need not look. Do not block.
    ///
    /// ```
    /// # use std::sync::atomic::{AtomicBool, Ordering};
    /// # use syncmgr_core::{context::{Detached, RunContext}, id::Subject, status::Status};
    /// # struct Mail { stopping: AtomicBool }
    /// # impl Mail {
    /// fn set_item_status(&self, _run: &RunContext, subject: Subject, status: Status) {
    ///     if (subject, status) == (Subject::Handler, Status::Stopped) {
    ///         self.stopping.store(true, Ordering::Relaxed); // for a library that takes no token
    ///     }
    /// }
    /// # }
    /// # let mail = Mail { stopping: AtomicBool::default() };
    /// # mail.set_item_status(&Detached::new().run(), Subject::Handler, Status::Stopped);
    /// # assert!(mail.stopping.into_inner());
    /// ```
    fn set_item_status(&self, run: &RunContext, subject: Subject, status: Status) {
        let _ = (run, subject, status);
    }

    /// Shows the properties of the handler or an item: `ShowProperties`.
    ///
    /// Called only where `HAS_PROPERTIES` is declared (R65, R66). No permit is needed to show something here (R135).
    async fn show_properties(&self, run: &RunContext, subject: Subject) -> SyncResult<PropertiesOutcome> {
        let _ = (run, subject);
        Err(anyhow!("the handler has no properties to show")).permanent()
    }

    /// Explains a log entry somebody opened, perhaps settles it: `ShowError`.
    ///
    /// Called with the id given to the entry, only for links (R144). Showing something needs a permit from
    /// [`RunContext::interaction`], also here (R145).
    ///
    /// ```
    /// # use syncmgr_core::{context::RunContext, error::SyncResult, handler::Resolution, id::{ErrorId, ItemId}};
    /// # struct Mail;
    /// # impl Mail {
    /// async fn show_error(&self, run: &RunContext, error: ErrorId) -> SyncResult<Resolution> {
    ///     if error != ErrorId::from_key("sign-in") {
    ///         return Ok(Resolution::Done);
    ///     }
    ///     let user = run.interaction().await?;
    ///     user.confirm("Have you signed in?").await?;
    ///     Ok(Resolution::Retry(vec![ItemId::from_name("Inbox")])) // runs again in the same session
    /// }
    /// # }
    /// # use syncmgr_core::context::Detached;
    /// # let other = futures::executor::block_on(Mail.show_error(&Detached::new().run(), ErrorId::from_key("quota")))?;
    /// # assert_eq!(other, Resolution::Done);
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    async fn show_error(&self, run: &RunContext, error: ErrorId) -> SyncResult<Resolution> {
        let _ = (run, error);
        Ok(Resolution::Done)
    }

    /// Brings what was saved of an item from an earlier version of the handler's state to this one.
    ///
    /// Called when [`ItemContext::saved`] finds a checkpoint of a version below
    /// [`HandlerInfo::state_version`]. The next commit stores it in this version.
    ///
    /// ```
    /// # use serde_json::{Value, json};
    /// # use syncmgr_core::{error::{Classify, SyncResult}, id::ItemId};
    /// # struct Mail;
    /// # impl Mail {
    /// fn migrate(&self, _item: ItemId, from: u32, state: Value) -> SyncResult<Value> {
    ///     match from {
    ///         1 => Ok(json!({ "newest": state })), // version 1 was the bare number
    ///         _ => Err(anyhow::anyhow!("no version {from} was ever released")).unreadable_state(),
    ///     }
    /// }
    /// # }
    /// # assert_eq!(Mail.migrate(ItemId::from_name("Inbox"), 1, json!(17))?, json!({ "newest": 17 }));
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    /// The default migrates nothing: the item ends with its state unreadable, and nothing of it is lost.
    fn migrate(&self, item: ItemId, from: u32, state: Value) -> SyncResult<Value> {
        let _ = (item, state);
        Err(anyhow!("the handler has no way from version {from} of its state to the one it has now")).unreadable_state()
    }

    /// An object of the handler or an item for programs that know both sides: `GetItemObject`. `None` is `E_NOTIMPL`.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use syncmgr_core::{handler::ItemObject, id::Subject};
    /// # use uuid::Uuid;
    /// const UNREAD: Uuid = Uuid::from_u128(0x9c1e_55d0);
    ///
    /// # struct Mail;
    /// # impl Mail {
    /// fn item_object(&self, subject: Subject, interface: Uuid) -> Option<ItemObject> {
    ///     match (subject, interface) {
    ///         (Subject::Item(_), UNREAD) => Some(Arc::new(3_u32)),
    ///         _ => None,
    ///     }
    /// }
    /// # }
    /// # let unread = Mail.item_object(Subject::Item(syncmgr_core::id::ItemId::from_name("Inbox")), UNREAD);
    /// # assert_eq!(unread.and_then(|object| object.downcast::<u32>().ok()).as_deref(), Some(&3));
    /// ```
    fn item_object(&self, subject: Subject, interface: Uuid) -> Option<ItemObject> {
        let _ = (subject, interface);
        None
    }
}

/// Whether a handler takes part in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Participation {
    /// Go on and list the items: `S_OK` (R30).
    TakePart,
    /// Not this time: `S_FALSE`. Neither an error nor a word in the log (R31, R32).
    Decline,
}

/// How showing properties ended: the argument of `ShowPropertiesCompleted`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PropertiesOutcome {
    /// Nothing about the set of items changed: `S_OK` (R72).
    Done,
    /// The item shown was deleted: `S_SYNCMGR_ITEMDELETED` (R71).
    ItemDeleted,
    /// The set of items changed; list them again: `S_SYNCMGR_ENUMITEMS` (R70).
    ListAgain,
}

/// How explaining an error ended: the arguments of `ShowErrorCompleted`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Resolution {
    /// Nothing to run: `S_OK`.
    Done,
    /// Prepare and synchronize these items again in the same run: `S_SYNCMGR_RETRYSYNC` (R148). With no items, nothing
    /// starts (R149).
    Retry(Vec<ItemId>),
}

/// What [`SyncHandler::item_object`] hands out.
pub type ItemObject = Arc<dyn Any + Send + Sync>;

/// The trait is used as a trait object everywhere; this does not compile when it no longer can be.
const _: fn(Arc<dyn SyncHandler>) = |_| {};
