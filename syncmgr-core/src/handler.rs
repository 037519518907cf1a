//! The trait a provider author implements: `ISyncMgrSynchronize`.

use std::any::Any;
use std::sync::Arc;

use anyhow::anyhow;
use async_trait::async_trait;
use futures::stream::BoxStream;
use serde_json::Value;
use uuid::Uuid;

use crate::context::{ItemContext, PrepareContext, RunContext, SynchronizeContext};
use crate::error::{Classify, SyncResult};
use crate::id::{ErrorId, ItemId, Subject};
use crate::info::HandlerInfo;
use crate::item::{Items, SyncItem};
use crate::local_change::LocalChange;
use crate::status::Status;

/// A provider of items to synchronize. You implement it; the host calls it.
///
/// Put `#[sync_handler(id = "..", name = "..")]` on the `impl` and write [`synchronize_item`](Self::synchronize_item).
/// Every other method has a default. Override [`synchronize`](Self::synchronize) instead if one operation serves all
/// items of a run, such as one query for all folders of a mailbox. To port a handler written against the Windows
/// contract, implement [`ClassicHandler`](crate::classic::ClassicHandler).
///
/// ```
/// # use syncmgr_core::{context::{TestContext, ItemContext}, error::SyncResult, handler::SyncHandler};
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
/// notes.synchronize_item(&TestContext::new().item("ideas")).await?;
/// # Ok::<(), anyhow::Error>(())
/// # })?;
/// # Ok::<(), anyhow::Error>(())
/// ```
///
/// # Expected flow
///
/// A *run* is one handler in one session. The Windows contract calls it an instance.
///
/// 1. [`initialize`](Self::initialize) is called first, once per run. The handler takes part or declines.
/// 2. [`items`](Self::items) lists the items. Stored choices, default states or the user select among them.
/// 3. [`prepare`](Self::prepare) is called with the selected items, at least one. Log on here, ask questions, and store
///    the values that the run needs with [`RunContext::keep`].
/// 4. [`synchronize`](Self::synchronize) is called once. By default the host runs
///    [`synchronize_item`](Self::synchronize_item) for each selected item, several at the same time.
/// 5. [`show_error`](Self::show_error) is called for log entries that the user opens, until the results of the session
///    are closed. [`Resolution::Retry`] repeats steps 3 and 4 with the given items, in the same run.
///
/// [`show_properties`](Self::show_properties), [`set_item_status`](Self::set_item_status) and
/// [`item_object`](Self::item_object) are called between these steps, on request.
///
/// # Guarantees
///
/// - A handler has one run at a time. Other sessions wait for their turn.
/// - An item never runs twice at the same time.
/// - A panic, an error or a hang in one item affects neither other items nor the host.
/// - The result of `synchronize_item` decides the final status of an item. `Ok` means *succeeded*, *needs user* with an
///   unanswered question, or *failed* with tolerated failures. `Err` means *failed*, or cancelled if the item was cancelled
///   before.
///
/// # Assumptions
///
/// - An item may run again after an interrupted run. A second run must be able to complete the first.
/// - Methods do not block their thread. Use [`ItemContext::blocking`] for blocking work. On a current-thread runtime, a
///   handler that blocks stops all other work.
/// - A handler does not retry or delay by itself. It returns the error, marked with its
///   [class](crate::error::Classify), and the host decides when to try again.
///
/// # Cancel safety
///
/// A cancelled item may run on for the soft grace (100 ms unless its [limits](crate::info::Limits) change it). Then its
/// future is dropped at its next await. Hold the guard of [`ItemContext::uninterrupted`] across a section that must not be
/// interrupted. Work started with `blocking`, `spawn` and `concurrently` of the item ends before the item counts as
/// stopped. This guarantee does not cover libraries that move work to other threads themselves, such as `tokio::fs`: that
/// work continues after the drop.
///
/// # Errors
///
/// An unmarked error is transient.
///
/// # Panics
///
/// A panic is caught, logged with the item's name, and counts as a transient error.
///
/// # Signatures
///
/// `#[sync_handler]` applies `async_trait`. An `async fn` of this trait is a method that returns a boxed future:
/// `fn items<'a>(&'a self) -> Pin<Box<dyn Future<Output = SyncResult<Items>> + Send + 'a>>`.
#[async_trait]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a sync handler",
    label = "does not implement `SyncHandler`",
    note = "write `impl SyncHandler for {Self}` under `#[sync_handler(id = \"..\", name = \"..\")]`"
)]
pub trait SyncHandler: Send + Sync + 'static {
    /// Returns the description of the handler: `GetHandlerInfo`. Generated by `#[sync_handler]`.
    fn info(&self) -> HandlerInfo;

    /// Takes part in this session or declines: `Initialize`.
    ///
    /// Called first, once per run. [`Participation::Decline`] ends the run without a log entry. An error ends the run and
    /// is reported. Decide by the trigger, the flags and, with [`Trigger::Invoke`](crate::trigger::Trigger::Invoke), the
    /// cookie. These values do not change during the run. Return quickly and show nothing: the host may start a run only to
    /// list items.
    ///
    /// See also: R25, R28, R30 to R35.
    ///
    /// ```
    /// # use syncmgr_core::{context::{TestContext, RunContext}, error::SyncResult, handler::Participation};
    /// # struct Mail { accounts: Vec<String> }
    /// # impl Mail {
    /// async fn initialize(&self, _run: &RunContext) -> SyncResult<Participation> {
    ///     Ok(if self.accounts.is_empty() { Participation::Decline } else { Participation::TakePart })
    /// }
    /// # }
    /// # let mail = Mail { accounts: Vec::new() };
    /// # let answer = futures::executor::block_on(mail.initialize(&TestContext::new().run()))?;
    /// # assert_eq!(answer, Participation::Decline);
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    async fn initialize(&self, run: &RunContext) -> SyncResult<Participation> {
        let _ = run;
        Ok(Participation::TakePart)
    }

    /// Lists the items that can be synchronized: `EnumSyncMgrItems`.
    ///
    /// An id is stable, not nil, and occurs once in a listing. The host drops items that violate this and reports them.
    /// Collect an iterator for a complete listing. Return [`Items::incomplete`] if items may be missing.
    ///
    /// The default lists one item that represents the whole handler and has its name.
    ///
    /// See also: R47 to R49.
    ///
    /// ```
    /// # use syncmgr_core::{error::SyncResult, item::{Completeness, Items, SyncItem}};
    /// # struct Mail;
    /// # impl Mail {
    /// #     async fn folders(&self) -> SyncResult<Vec<String>> { Err(anyhow::anyhow!("offline")) }
    /// async fn items(&self) -> SyncResult<Items> {
    ///     Ok(match self.folders().await {
    ///         Ok(folders) => folders.into_iter().map(SyncItem::named).collect(),
    ///         Err(_) => Items::incomplete([SyncItem::named("Inbox")]), // the host keeps its data on absent items
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

    /// Prepares the selected items: `PrepareForSync`.
    ///
    /// The selected items are in [`RunContext::selection`]. Log on and ask questions here. If
    /// [`RunContext::interaction`] refuses, return its error with `?`: the run ends *needs user*. Any other error also ends
    /// the run without calling [`synchronize`](Self::synchronize). Other handlers of the session continue.
    ///
    /// See also: R82, R83, R90, R93.
    ///
    /// ```
    /// # use syncmgr_core::{context::PrepareContext, error::SyncResult};
    /// # struct Connection;
    /// # impl Connection { async fn open(_: &str) -> SyncResult<Self> { Ok(Self) } }
    /// # struct Mail { server: String }
    /// # impl Mail {
    /// async fn prepare(&self, run: &PrepareContext) -> SyncResult {
    ///     run.keep(Connection::open(&self.server).await?); // one log-on for all items, dropped at the end of the run
    ///     Ok(())
    /// }
    /// # }
    /// # use syncmgr_core::context::TestContext;
    /// # let run = TestContext::new().prepare([]);
    /// # futures::executor::block_on(Mail { server: "imap.example.org".into() }.prepare(&run))?;
    /// # run.kept::<Connection>()?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    async fn prepare(&self, run: &PrepareContext) -> SyncResult {
        let _ = run;
        Ok(())
    }

    /// Synchronizes the prepared items, except those skipped in the meantime: `Synchronize`.
    ///
    /// By default the host runs [`synchronize_item`](Self::synchronize_item) for each item, within the limits and isolated
    /// from the other items. Override this method to share local variables between items with
    /// [`SynchronizeContext::each`], or to synchronize all items in one operation and report each with
    /// [`SynchronizeContext::report`]. At the end, the host ends items that have no terminal status.
    ///
    /// See also: R96, R97, R105.
    ///
    /// ```
    /// # use syncmgr_core::{context::SynchronizeContext, error::SyncResult};
    /// # struct Mail;
    /// # impl Mail {
    /// async fn synchronize(&self, run: &SynchronizeContext) -> SyncResult {
    ///     let greeting = String::from("hello"); // every item may borrow this local
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
    /// Call [`ItemContext::progress`] often. A call takes nanoseconds and returns an error once the item is cancelled.
    ///
    /// See also: R107.
    async fn synchronize_item(&self, item: &ItemContext) -> SyncResult {
        let name = item.name();
        Err(anyhow!("the handler has neither `synchronize` nor `synchronize_item`, so `{name}` cannot be synchronized"))
            .permanent()
    }

    /// Receives a skip of an item or a stop of the handler while `prepare` or `synchronize` is pending: `SetItemStatus`.
    ///
    /// Called between two polls of the pending method, with [`Status::Skipped`] and an item, or with [`Status::Stopped`]
    /// and [`Subject::Handler`]. The tokens of the contexts are cancelled as well, so most handlers do not implement this
    /// method. Do not block.
    ///
    /// See also: R121, R126, R129.
    ///
    /// ```
    /// # use std::sync::atomic::{AtomicBool, Ordering};
    /// # use syncmgr_core::{context::{TestContext, RunContext}, id::Subject, status::Status};
    /// # struct Mail { stopping: AtomicBool }
    /// # impl Mail {
    /// fn set_item_status(&self, _run: &RunContext, subject: Subject, status: Status) {
    ///     if (subject, status) == (Subject::Handler, Status::Stopped) {
    ///         self.stopping.store(true, Ordering::Relaxed); // for a library that takes no token
    ///     }
    /// }
    /// # }
    /// # let mail = Mail { stopping: AtomicBool::default() };
    /// # mail.set_item_status(&TestContext::new().run(), Subject::Handler, Status::Stopped);
    /// # assert!(mail.stopping.into_inner());
    /// ```
    fn set_item_status(&self, run: &RunContext, subject: Subject, status: Status) {
        let _ = (run, subject, status);
    }

    /// Shows the properties of the handler or an item: `ShowProperties`.
    ///
    /// Called only if the handler or the item declares `HAS_PROPERTIES`. This method needs no permit to show something.
    ///
    /// See also: R65, R66, R135.
    async fn show_properties(&self, run: &RunContext, subject: Subject) -> SyncResult<PropertiesOutcome> {
        let _ = (run, subject);
        Err(anyhow!("the handler has no properties to show")).permanent()
    }

    /// Explains a log entry that the user opened, and may resolve it: `ShowError`.
    ///
    /// Called only for entries that are links, with the id of the entry. Acquire a permit with
    /// [`RunContext::interaction`] before showing something.
    ///
    /// See also: R144, R145.
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
    /// # use syncmgr_core::context::TestContext;
    /// # let other = futures::executor::block_on(Mail.show_error(&TestContext::new().run(), ErrorId::from_key("quota")))?;
    /// # assert_eq!(other, Resolution::Done);
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    async fn show_error(&self, run: &RunContext, error: ErrorId) -> SyncResult<Resolution> {
        let _ = (run, error);
        Ok(Resolution::Done)
    }

    /// Returns a stream of changes on this machine that only the handler can notice, such as those of a database. `None`, the
    /// default, if there is none. For files, [`SyncItem::with_watch`] is enough.
    ///
    /// Called once per registration, after the first listing: a run that follows a listing looks at everything that changed before.
    /// The host drops the stream when the handler is unregistered or the manager shuts down. A changed item runs once the
    /// [quiet time](crate::local_change::Settle) is over.
    ///
    /// The run's own writes should not return as changes, or the items run a second time for nothing.
    ///
    /// ```
    /// # use futures::stream::{self, BoxStream, StreamExt};
    /// # use syncmgr_core::{id::ItemId, local_change::LocalChange};
    /// # struct Mail;
    /// # impl Mail {
    /// #     fn drafts(&self) -> impl futures::Stream<Item = ()> + Send + 'static + use<> { stream::iter([()]) }
    /// fn changes(&self) -> Option<BoxStream<'static, LocalChange>> {
    ///     let drafts = ItemId::from_name("Drafts");
    ///     Some(self.drafts().map(move |_saved| LocalChange::Item(drafts)).boxed())
    /// }
    /// # }
    /// # let mut changes = Mail.changes().expect("mail has changes");
    /// # let first = futures::executor::block_on(changes.next());
    /// # assert_eq!(first, Some(LocalChange::Item(ItemId::from_name("Drafts"))));
    /// ```
    fn changes(&self) -> Option<BoxStream<'static, LocalChange>> {
        None
    }

    /// Migrates the saved state of an item from an earlier version to the current one.
    ///
    /// Called when [`ItemContext::saved`] finds a checkpoint with a version below [`HandlerInfo::state_version`]. The next
    /// commit stores the state in the current version.
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
    /// The default returns an unreadable-state error: the item fails and its stored state remains.
    fn migrate(&self, item: ItemId, from: u32, state: Value) -> SyncResult<Value> {
        let _ = (item, state);
        Err(anyhow!("the handler cannot migrate its state from version {from}")).unreadable_state()
    }

    /// Returns an object of the handler or an item for programs that know its type: `GetItemObject`.
    ///
    /// `None` if the handler does not know `interface`: `E_NOTIMPL`.
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

/// A handler's decision to take part in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Participation {
    /// Takes part; the host lists the items next: `S_OK`.
    TakePart,
    /// Declines: `S_FALSE`. The run ends without an error or a log entry.
    Decline,
}

/// The outcome of showing properties: the argument of `ShowPropertiesCompleted`.
///
/// See also: R70 to R72.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PropertiesOutcome {
    /// The set of items is unchanged: `S_OK`.
    Done,
    /// The user deleted the shown item: `S_SYNCMGR_ITEMDELETED`.
    ItemDeleted,
    /// The set of items changed and must be listed again: `S_SYNCMGR_ENUMITEMS`.
    ListAgain,
}

/// The outcome of explaining an error: the arguments of `ShowErrorCompleted`.
///
/// See also: R148, R149.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Resolution {
    /// Nothing runs again: `S_OK`.
    Done,
    /// Prepares and synchronizes these items again in the same run: `S_SYNCMGR_RETRYSYNC`.
    /// An empty list starts nothing.
    Retry(Vec<ItemId>),
}

/// The object returned by [`SyncHandler::item_object`].
pub type ItemObject = Arc<dyn Any + Send + Sync>;

/// Asserts that the trait is dyn compatible.
const _: fn(Arc<dyn SyncHandler>) = |_| {};
