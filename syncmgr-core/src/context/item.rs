//! The context of one item.

use std::fmt;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::cancel::Cancelled;
use crate::cell::{ItemCell, Uninterrupted};
use crate::context::{Detached, RunContext};
use crate::error::{FailureClass, SyncResult, one_line};
use crate::id::{ErrorId, ItemId};
use crate::item::SyncItem;
use crate::log::{LogEntry, LogLevel, Question};
use crate::port::RunPort;
use crate::progress::Progress;

/// What [`synchronize_item`](crate::handler::SyncHandler::synchronize_item) is handed: one item of one run.
///
/// ```
/// # use syncmgr_core::{context::ItemContext, error::SyncResult};
/// async fn synchronize_item(item: &ItemContext) -> SyncResult {
///     let messages = ["hello", "how are you"];
///     for (done, message) in (1..).zip(messages) {
///         // .. copy the message
///         item.progress(done, messages.len() as u64)?; // leaves here once the item is skipped or stopped
///     }
///     Ok(())
/// }
///
/// let item = ItemContext::detached("Inbox");
/// futures::executor::block_on(synchronize_item(&item))?;
/// assert_eq!(item.cell().state().fraction(), Some(1.0));
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Clone)]
pub struct ItemContext {
    run: RunContext,
    selection: Arc<[SyncItem]>,
    index: usize,
    cell: Arc<ItemCell>,
}

impl ItemContext {
    /// A context for the item at `index` of the port's selection, reporting into `cell`. Hosts call this.
    ///
    /// # Panics
    /// When the selection has no such item: the host's mistake.
    #[doc(hidden)]
    pub fn new(port: Arc<dyn RunPort>, index: usize, cell: Arc<ItemCell>) -> Self {
        let selection = port.facts().selection.clone();
        assert!(index < selection.len(), "a host makes contexts only for items it has selected");
        Self { run: RunContext::new(port), selection, index, cell }
    }

    /// A context with no host behind it, for unit tests: see [`Detached`].
    ///
    /// ```
    /// # use syncmgr_core::context::ItemContext;
    /// let item = ItemContext::detached("Inbox");
    /// assert_eq!((item.name(), item.place()), ("Inbox", 0));
    /// ```
    pub fn detached(name: &str) -> Self {
        Detached::new().item(name)
    }

    /// The same context for another item of the selection, and its cell unless it reports into the same one. Hosts call
    /// this to use a context again.
    ///
    /// # Panics
    /// When the selection has no such item: the host's mistake.
    #[doc(hidden)]
    pub fn turn_to(&mut self, index: usize, cell: Option<Arc<ItemCell>>) {
        assert!(index < self.selection.len(), "a host makes contexts only for items it has selected");
        self.index = index;
        if let Some(cell) = cell {
            self.cell = cell;
        }
    }

    /// The cell this context reports into.
    #[doc(hidden)]
    pub fn cell(&self) -> &Arc<ItemCell> {
        &self.cell
    }

    /// The item's place in the selection.
    pub fn place(&self) -> usize {
        self.index
    }

    /// The run this item is part of.
    ///
    /// ```
    /// # use syncmgr_core::context::ItemContext;
    /// let item = ItemContext::detached("Inbox");
    /// assert_eq!(item.run().selection().len(), 1);
    /// ```
    pub fn run(&self) -> &RunContext {
        &self.run
    }

    /// The item's id.
    pub fn id(&self) -> ItemId {
        self.item().id()
    }

    /// The item's name.
    pub fn name(&self) -> &str {
        self.item().name()
    }

    /// The item as it was listed.
    pub fn item(&self) -> &SyncItem {
        &self.selection[self.index]
    }

    /// Reports how much is done and, unless `None`, how much there is, in a unit of your choice: `Progress`.
    ///
    /// Costs nanoseconds; call it as often as you can (R107). A total of 0 means that nobody knows yet (R119).
    ///
    /// ```
    /// # use syncmgr_core::context::ItemContext;
    /// let item = ItemContext::detached("photo.jpg");
    /// item.progress(4096, 1 << 20)?; // bytes, and there are so many
    /// item.progress(8192, None)?; // the total is as before
    /// assert_eq!(item.cell().state().value, 8192);
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Cancelled`] once the item was skipped or stopped, or is over: leave with `?`.
    #[inline]
    pub fn progress(&self, done: u64, total: impl Into<Option<u64>>) -> Result<(), Cancelled> {
        self.cell.progress(done, total.into())
    }

    /// Reports any fields: text, status, numbers (R117).
    ///
    /// ```
    /// # use syncmgr_core::{context::ItemContext, progress::Progress, status::Status};
    /// let item = ItemContext::detached("Inbox");
    /// item.report(Progress::new().with_text("waiting for the server").with_status(Status::Paused))?;
    /// assert_eq!(item.cell().state().text.as_deref(), Some("waiting for the server"));
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Cancelled`] once the item was skipped or stopped, or is over.
    pub fn report(&self, report: Progress) -> Result<(), Cancelled> {
        self.cell.report(&report)
    }

    /// Leaves with `?` once the item was skipped or stopped, without reporting anything (R118).
    ///
    /// ```
    /// # use syncmgr_core::{cancel::CancelReason, context::Detached, error::SyncResult};
    /// # use syncmgr_core::context::ItemContext;
    /// fn parse(item: &ItemContext, lines: &[&str]) -> SyncResult<usize> {
    ///     for _line in lines {
    ///         item.check()?;
    ///     }
    ///     Ok(lines.len())
    /// }
    /// # let host = Detached::new();
    /// # let item = host.item("feed");
    /// assert_eq!(parse(&item, &["a", "b"])?, 2);
    /// host.cancel(&item, CancelReason::Skipped);
    /// assert!(parse(&item, &["a", "b"]).is_err());
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Cancelled`], with the reason.
    pub fn check(&self) -> Result<(), Cancelled> {
        self.cell.cancel().check()
    }

    /// Waits until the item is skipped or stopped. Cancel safe.
    ///
    /// ```
    /// # use syncmgr_core::{cancel::CancelReason, context::Detached};
    /// # use futures::future::{Either, pending, select};
    /// # let host = Detached::new();
    /// # let item = host.item("feed");
    /// # let next_message = pending::<()>();
    /// host.cancel(&item, CancelReason::Skipped);
    /// let cancelled = std::pin::pin!(item.cancelled());
    /// # futures::executor::block_on(async {
    /// match select(cancelled, next_message).await {
    ///     Either::Left(_) => { /* say goodbye to the server, then `item.check()?` */ }
    ///     Either::Right(_) => unreachable!("no message ever comes"),
    /// }
    /// # });
    /// ```
    pub async fn cancelled(&self) {
        self.token().cancelled_owned().await;
    }

    /// A token that is cancelled when the item is skipped or stopped, for libraries that take one.
    ///
    /// ```
    /// # use syncmgr_core::{cancel::CancelReason, context::Detached};
    /// # let host = Detached::new();
    /// # let item = host.item("feed");
    /// let token = item.token(); // for a client that takes one
    /// host.cancel(&item, CancelReason::Skipped);
    /// assert!(token.is_cancelled());
    /// ```
    pub fn token(&self) -> CancellationToken {
        self.cell.cancel().token()
    }

    /// While the guard lives, the item's future is not dropped before the hard grace is over.
    ///
    /// ```
    /// # use syncmgr_core::context::ItemContext;
    /// # let item = ItemContext::detached("Inbox");
    /// let whole = item.uninterrupted();
    /// // .. move the message: copy it there, delete it here
    /// drop(whole);
    /// assert!(!item.cell().is_uninterrupted());
    /// ```
    pub fn uninterrupted(&self) -> Uninterrupted {
        self.cell.begin_uninterrupted()
    }

    /// Adds an entry about this item to the error log: `LogError`.
    ///
    /// ```
    /// # use syncmgr_core::{context::Detached, id::ErrorId, log::{LogEntry, LogLevel}};
    /// # let host = Detached::new();
    /// # let item = host.item("Inbox");
    /// item.log(LogEntry::new(LogLevel::Warning, "the mailbox is nearly full").with_link(ErrorId::from_key("quota")));
    /// assert_eq!(host.log()[0].item, Some(item.id()));
    /// ```
    pub fn log(&self, entry: LogEntry) {
        self.run.log(entry.with_item(self.id()));
    }

    /// Notes something about this item worth knowing.
    pub fn info(&self, text: impl AsRef<str>) {
        self.log(LogEntry::new(LogLevel::Information, text));
    }

    /// Notes something about this item that went on, but not as it should.
    pub fn warn(&self, text: impl AsRef<str>) {
        self.log(LogEntry::new(LogLevel::Warning, text));
    }

    /// Goes on after a failure of a part: logs it, and the item will end *failed* when the rest is done.
    ///
    /// `what` says in words what was tried. `None` where the part failed.
    ///
    /// ```
    /// # use syncmgr_core::{context::Detached, error::SyncResult};
    /// # let host = Detached::new();
    /// # let item = host.item("Photos");
    /// for (name, copied) in [("a.jpg", Ok(3)), ("b.jpg", Err(std::io::Error::other("no space")))] {
    ///     if let Some(_bytes) = item.tolerate(format_args!("copy {name}"), copied)? {
    ///         // .. the part is there
    ///     }
    /// }
    /// assert_eq!(&*host.log()[0].text, "copy b.jpg: no space");
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    /// Once the item is cancelled the error is passed on, so that `?` leaves.
    pub fn tolerate<T, E: Into<anyhow::Error>>(
        &self,
        what: impl fmt::Display,
        result: Result<T, E>,
    ) -> SyncResult<Option<T>> {
        let error = match result {
            Ok(value) => return Ok(Some(value)),
            Err(error) => error.into(),
        };
        if self.check().is_err() {
            return Err(error);
        }
        self.note_failure(&what, &error);
        Ok(None)
    }

    /// Logs a failure the item goes on after.
    pub(crate) fn note_failure(&self, what: &dyn fmt::Display, error: &anyhow::Error) {
        self.cell.tolerate(FailureClass::of(error));
        self.log(LogEntry::new(LogLevel::Error, format!("{what}: {}", one_line(error))));
    }

    /// Asks for a decision that may be taken later. `None` means later: do what is safe without it.
    ///
    /// The question becomes a log entry at level warning with the choices as its action, and the item ends *needs user*
    /// if nothing failed. Once answered, the item runs again and finds the answer here. `key` names the decision within
    /// the item: the same question has the same key every time. Answers are kept in memory by the manager.
    ///
    /// Panics never; with no choices there is nothing to ask and the answer is `None`.
    ///
    /// ```
    /// # use syncmgr_core::context::Detached;
    /// # let host = Detached::new();
    /// # let item = host.item("notes.txt");
    /// let sides = ["this computer", "the server"];
    /// assert_eq!(item.decide("conflict", "Which side is right?", &sides), None); // asked through the log
    /// host.answer(&item, "conflict", 1);
    /// assert_eq!(item.decide("conflict", "Which side is right?", &sides), Some("the server"));
    /// ```
    pub fn decide<C: fmt::Display + Clone>(&self, key: &str, question: &str, choices: &[C]) -> Option<C> {
        let question = Question::new(key, question, choices.iter().map(|choice| Arc::from(choice.to_string())));
        match self.run.port().decide(self.id(), &question) {
            Some(answer) => choices.get(answer).cloned(),
            None => {
                self.cell.leave_undecided();
                None
            }
        }
    }

    /// The id of the log entry that asks the question `key` of this item.
    ///
    /// ```
    /// # use syncmgr_core::context::Detached;
    /// # let host = Detached::new();
    /// # let item = host.item("notes.txt");
    /// let _later = item.decide("conflict", "Which side is right?", &["here", "there"]);
    /// assert_eq!(host.log()[0].error, Some(item.question_id("conflict")));
    /// ```
    pub fn question_id(&self, key: &str) -> ErrorId {
        ErrorId::of_question(self.id(), key)
    }

    /// What was kept under this type in `prepare`: see [`RunContext::prepared`].
    ///
    /// # Errors
    /// Permanent, when nothing of this type was kept in this run: the handler's own mistake.
    pub fn prepared<T: Send + Sync + 'static>(&self) -> SyncResult<Arc<T>> {
        self.run.prepared()
    }
}

impl std::fmt::Debug for ItemContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ItemContext({} of {:?})", self.id(), self.run)
    }
}
