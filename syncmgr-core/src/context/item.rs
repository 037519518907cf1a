//! The context of one item.

use std::fmt;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::cancel::Cancelled;
use crate::cell::{ItemCell, Uninterrupted};
use crate::context::{RunContext, TestContext};
use crate::error::{FailureClass, SyncResult, one_line};
use crate::id::{ErrorId, ItemId};
use crate::item::SyncItem;
use crate::log::{LogEntry, LogLevel, Question};
use crate::port::RunPort;
use crate::progress::Progress;

/// The context of one item of one run, passed to
/// [`synchronize_item`](crate::handler::SyncHandler::synchronize_item).
///
/// ```
/// # use syncmgr_core::{context::ItemContext, error::SyncResult};
/// async fn synchronize_item(item: &ItemContext) -> SyncResult {
///     let messages = ["hello", "how are you"];
///     for (done, message) in (1..).zip(messages) {
///         // .. copy the message
///         item.progress(done, messages.len() as u64)?; // returns here once the item is skipped or stopped
///     }
///     Ok(())
/// }
///
/// let item = ItemContext::for_test("Inbox");
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
    /// Creates a context that reports into `cell`, for the item at `index` of the port's selection. Called by hosts.
    ///
    /// # Panics
    /// If the selection has no item at `index`.
    #[doc(hidden)]
    pub fn new(port: Arc<dyn RunPort>, index: usize, cell: Arc<ItemCell>) -> Self {
        let selection = port.run_info().selection.clone();
        assert!(index < selection.len(), "the selection has no item at this index");
        Self { run: RunContext::new(port), selection, index, cell }
    }

    /// Creates a context without a host, for unit tests: see [`TestContext`].
    ///
    /// ```
    /// # use syncmgr_core::context::ItemContext;
    /// let item = ItemContext::for_test("Inbox");
    /// assert_eq!((item.name(), item.index()), ("Inbox", 0));
    /// ```
    pub fn for_test(name: &str) -> Self {
        TestContext::new().item(name)
    }

    /// Reuses this context for the item at `index` of the selection, with `cell` as its cell if it is `Some`. Called by
    /// hosts.
    ///
    /// # Panics
    /// If the selection has no item at `index`.
    #[doc(hidden)]
    pub fn reuse_for(&mut self, index: usize, cell: Option<Arc<ItemCell>>) {
        assert!(index < self.selection.len(), "the selection has no item at this index");
        self.index = index;
        if let Some(cell) = cell {
            self.cell = cell;
        }
    }

    /// Returns the cell that this context reports into.
    #[doc(hidden)]
    pub fn cell(&self) -> &Arc<ItemCell> {
        &self.cell
    }

    /// Returns the index of the item in the selection.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Returns the context of the item's run.
    ///
    /// ```
    /// # use syncmgr_core::context::ItemContext;
    /// let item = ItemContext::for_test("Inbox");
    /// assert_eq!(item.run().selection().len(), 1);
    /// ```
    pub fn run(&self) -> &RunContext {
        &self.run
    }

    /// Returns the item's id.
    pub fn id(&self) -> ItemId {
        self.item().id()
    }

    /// Returns the item's name.
    pub fn name(&self) -> &str {
        self.item().name()
    }

    /// Returns the item as it was listed.
    pub fn item(&self) -> &SyncItem {
        &self.selection[self.index]
    }

    /// Reports the amount done and the total, in a unit of your choice: `Progress`. A total of `None` keeps the last one.
    ///
    /// A call takes nanoseconds; call it often. A total of 0 means unknown.
    ///
    /// ```
    /// # use syncmgr_core::context::ItemContext;
    /// let item = ItemContext::for_test("photo.jpg");
    /// item.progress(4096, 1 << 20)?; // 4096 of 1048576 bytes
    /// item.progress(8192, None)?; // leaves the total unchanged
    /// assert_eq!(item.cell().state().value, 8192);
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Cancelled`] once the item is skipped or stopped, or has ended. Return it with `?`.
    #[inline]
    pub fn progress(&self, done: u64, total: impl Into<Option<u64>>) -> Result<(), Cancelled> {
        self.cell.progress(done, total.into())
    }

    /// Reports any fields: text, status, amount and total.
    ///
    /// ```
    /// # use syncmgr_core::{context::ItemContext, progress::Progress, status::Status};
    /// let item = ItemContext::for_test("Inbox");
    /// item.report(Progress::new().with_text("waiting for the server").with_status(Status::Paused))?;
    /// assert_eq!(item.cell().state().text.as_deref(), Some("waiting for the server"));
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Cancelled`] once the item is skipped or stopped, or has ended.
    pub fn report(&self, report: Progress) -> Result<(), Cancelled> {
        self.cell.report(&report)
    }

    /// Checks for cancellation without reporting anything.
    ///
    /// ```
    /// # use syncmgr_core::{cancel::CancelReason, context::TestContext, error::SyncResult};
    /// # use syncmgr_core::context::ItemContext;
    /// fn parse(item: &ItemContext, lines: &[&str]) -> SyncResult<usize> {
    ///     for _line in lines {
    ///         item.check()?;
    ///     }
    ///     Ok(lines.len())
    /// }
    /// # let host = TestContext::new();
    /// # let item = host.item("feed");
    /// assert_eq!(parse(&item, &["a", "b"])?, 2);
    /// host.cancel(&item, CancelReason::Skipped);
    /// assert!(parse(&item, &["a", "b"]).is_err());
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Cancelled`], with the reason, once the item is skipped or stopped, or has ended. Return it with `?`.
    pub fn check(&self) -> Result<(), Cancelled> {
        self.cell.cancel().check()
    }

    /// Completes once the item is skipped or stopped. Cancel safe.
    ///
    /// ```
    /// # use syncmgr_core::{cancel::CancelReason, context::TestContext};
    /// # use futures::future::{Either, pending, select};
    /// # let host = TestContext::new();
    /// # let item = host.item("feed");
    /// # let next_message = pending::<()>();
    /// host.cancel(&item, CancelReason::Skipped);
    /// let cancelled = std::pin::pin!(item.cancelled());
    /// # futures::executor::block_on(async {
    /// match select(cancelled, next_message).await {
    ///     Either::Left(_) => { /* log off from the server, then `item.check()?` */ }
    ///     Either::Right(_) => unreachable!("no message ever arrives"),
    /// }
    /// # });
    /// ```
    pub async fn cancelled(&self) {
        self.token().cancelled_owned().await;
    }

    /// Returns a token that is cancelled when the item is skipped or stopped, for libraries that accept a token.
    ///
    /// ```
    /// # use syncmgr_core::{cancel::CancelReason, context::TestContext};
    /// # let host = TestContext::new();
    /// # let item = host.item("feed");
    /// let token = item.token(); // for a client library
    /// host.cancel(&item, CancelReason::Skipped);
    /// assert!(token.is_cancelled());
    /// ```
    pub fn token(&self) -> CancellationToken {
        self.cell.cancel().token()
    }

    /// Returns a guard that keeps the item's future from being dropped until the hard grace is over.
    ///
    /// ```
    /// # use syncmgr_core::context::ItemContext;
    /// # let item = ItemContext::for_test("Inbox");
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
    /// # use syncmgr_core::{context::TestContext, id::ErrorId, log::{LogEntry, LogLevel}};
    /// # let host = TestContext::new();
    /// # let item = host.item("Inbox");
    /// item.log(LogEntry::new(LogLevel::Warning, "the mailbox is nearly full").with_link(ErrorId::from_key("quota")));
    /// assert_eq!(host.log()[0].item, Some(item.id()));
    /// ```
    pub fn log(&self, entry: LogEntry) {
        self.run.log(entry.with_item(self.id()));
    }

    /// Logs an informational entry about this item.
    pub fn info(&self, text: impl AsRef<str>) {
        self.log(LogEntry::new(LogLevel::Information, text));
    }

    /// Logs a warning about this item.
    pub fn warn(&self, text: impl AsRef<str>) {
        self.log(LogEntry::new(LogLevel::Warning, text));
    }

    /// Tolerates the failure of one part of the work: logs it and returns `None`. The item continues, but ends *failed*.
    ///
    /// `what` names the attempted action. Returns `Some` if the part succeeded.
    ///
    /// ```
    /// # use syncmgr_core::{context::TestContext, error::SyncResult};
    /// # let host = TestContext::new();
    /// # let item = host.item("Photos");
    /// for (name, copied) in [("a.jpg", Ok(3)), ("b.jpg", Err(std::io::Error::other("no space")))] {
    ///     if let Some(_bytes) = item.tolerate(format_args!("copy {name}"), copied)? {
    ///         // .. the part is copied
    ///     }
    /// }
    /// assert_eq!(&*host.log()[0].text, "copy b.jpg: no space");
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    /// The error of `result` if the item is cancelled.
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
        self.record_failure(&what, &error);
        Ok(None)
    }

    /// Records a tolerated failure and logs it.
    pub(crate) fn record_failure(&self, what: &dyn fmt::Display, error: &anyhow::Error) {
        self.cell.tolerate(FailureClass::of(error));
        self.log(LogEntry::new(LogLevel::Error, format!("{what}: {}", one_line(error))));
    }

    /// Asks the user a question through the log. Returns `None` until the user answers: do what is safe without an
    /// answer.
    ///
    /// The question becomes a log entry at level warning with the choices as its action. If nothing failed, the item ends
    /// *needs user*. Once the user has answered, the item runs again and this method returns the answer. `key` identifies
    /// the question within the item and must be the same every time. The manager stores the answer until the item has
    /// used it and then commits or succeeds. An answer applies only to a question with the same text and choices.
    ///
    /// Until then the item does not run by itself. [`ask`](Self::ask) is for a question about a part of the item.
    ///
    /// Never panics. Returns `None` if `choices` is empty.
    ///
    /// ```
    /// # use syncmgr_core::context::TestContext;
    /// # let host = TestContext::new();
    /// # let item = host.item("notes.txt");
    /// let sides = ["this computer", "the server"];
    /// assert_eq!(item.decide("conflict", "Which side is right?", &sides), None); // the log now has the question
    /// host.answer(&item, "conflict", 1);
    /// assert_eq!(item.decide("conflict", "Which side is right?", &sides), Some("the server"));
    /// ```
    pub fn decide<C: fmt::Display + Clone>(&self, key: &str, question: &str, choices: &[C]) -> Option<C> {
        let answer = self.answer(key, question, choices);
        if answer.is_none() {
            self.cell.mark_undecided();
        }
        answer
    }

    /// Asks the user a question about a part of the item, such as one file in a folder. The same as [`decide`](Self::decide), but the
    /// item does not wait for the answer: it ends *needs user*, and schedules, local changes and triggers run it as if it had
    /// succeeded. A question that is not asked again in such a run is no longer open.
    ///
    /// ```
    /// # use syncmgr_core::context::TestContext;
    /// # let host = TestContext::new();
    /// # let folder = host.item("Documents");
    /// let sides = ["this computer", "the server"];
    /// for file in ["a.txt", "b.txt"] {
    ///     let Some(side) = folder.ask(file, &format!("{file}: which side is right?"), &sides) else { continue };
    ///     // .. copy the version of this side
    ///     # let _ = side;
    /// }
    /// assert_eq!(host.log().len(), 2);
    /// ```
    pub fn ask<C: fmt::Display + Clone>(&self, key: &str, question: &str, choices: &[C]) -> Option<C> {
        let answer = self.answer(key, question, choices);
        if answer.is_none() {
            self.cell.mark_partly_undecided();
        }
        answer
    }

    fn answer<C: fmt::Display + Clone>(&self, key: &str, question: &str, choices: &[C]) -> Option<C> {
        let question = Question::new(key, question, choices.iter().map(|choice| Arc::from(choice.to_string())));
        choices.get(self.run.port().decide(self.id(), &question)?).cloned()
    }

    /// Returns the id of the log entry for the question `key` of this item.
    ///
    /// ```
    /// # use syncmgr_core::context::TestContext;
    /// # let host = TestContext::new();
    /// # let item = host.item("notes.txt");
    /// let _later = item.decide("conflict", "Which side is right?", &["here", "there"]);
    /// assert_eq!(host.log()[0].id, Some(item.question_id("conflict")));
    /// ```
    pub fn question_id(&self, key: &str) -> ErrorId {
        ErrorId::of_question(self.id(), key)
    }

    /// Returns the value of this type stored in `prepare`: see [`RunContext::kept`].
    ///
    /// # Errors
    /// Permanent if the run stored no value of this type. This is a bug in the handler.
    pub fn kept<T: Send + Sync + 'static>(&self) -> SyncResult<Arc<T>> {
        self.run.kept()
    }
}

impl std::fmt::Debug for ItemContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ItemContext({} of {:?})", self.id(), self.run)
    }
}
