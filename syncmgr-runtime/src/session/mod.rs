//! Sessions and their handles.

mod choosing;
mod connections;
mod error;
mod event;
mod events;
pub(crate) mod feed;
mod history;
pub(crate) mod lifecycle;
pub(crate) mod open;
mod reader;
mod request;
mod running;
pub(crate) mod scope;
mod woken;

use std::sync::Arc;

use syncmgr_core::cancel::CancelReason;
use syncmgr_core::decision::attempt::Pause;
use syncmgr_core::decision::ledger::{HANDLER_ITSELF, StartReason};
use syncmgr_core::id::{ErrorId, HandlerId, ItemId, SessionId};
use syncmgr_core::log::{Action, LogEntry, LogLevel, Question, Remedy};
use syncmgr_core::trigger::Trigger;

pub use self::error::SessionError;
pub use self::event::{ManagerEvent, SessionEvent};
pub use self::events::{Events, ManagerEvents};
use self::lifecycle::SessionShared;
pub use self::request::{SessionRequest, StartError};
pub use self::running::RunningItem;
use crate::nesting::Waiting;
use crate::owner::Owner;
use crate::report::Report;
use crate::run::{IdleRequest, Run};

/// A handle to a started session, to observe it, skip items, stop it, and read its report.
///
/// Clones share the session. When the last handle is dropped, the session still runs to its end and then closes its
/// results. If a chooser has not answered yet, nothing is chosen and nothing runs. To stop the session instead, see
/// [`stop_on_drop`](Self::stop_on_drop).
///
/// ```
/// # use syncmgr_doc_examples::*;
/// # run(async {
/// let manager = SyncManager::new();
/// let mail = manager.register(Mail)?;
/// let session = manager.session(Trigger::Manual).start()?;
/// let report = session.report().await; // the results stay open
/// assert!(report.is_success());
/// session.close().await;
/// # Ok(())
/// # })?;
/// # Ok::<(), anyhow::Error>(())
/// ```
#[derive(Clone)]
pub struct Session {
    handle: Arc<Handle>,
}

/// The state shared by all clones of a handle; dropped with the last one.
struct Handle {
    session: Arc<SessionShared>,
    /// Keeps the manager alive.
    manager: Arc<Owner>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        if self.session.remove_handle() == 0 {
            self.session.close();
        }
    }
}

impl Session {
    pub(crate) fn new(session: Arc<SessionShared>, manager: Arc<Owner>) -> Self {
        session.add_handle();
        Self { handle: Arc::new(Handle { session, manager }) }
    }

    fn shared(&self) -> &Arc<SessionShared> {
        &self.handle.session
    }

    /// Returns the session's id.
    pub fn id(&self) -> SessionId {
        self.shared().id
    }

    /// Returns the trigger that started the session.
    pub fn trigger(&self) -> Trigger {
        self.shared().terms.trigger
    }

    /// Returns the reason for the session.
    pub fn reason(&self) -> StartReason {
        self.shared().terms.reason
    }

    /// Returns the stream of the session's events, from its start on.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let manager = SyncManager::new();
    /// manager.register(Mail)?;
    /// let session = manager.update_all()?;
    /// let mut events = session.events();
    /// let mut ended = 0;
    /// while let Some(event) = events.next().await {
    ///     match event {
    ///         SessionEvent::Ended { outcome: Outcome::Succeeded, .. } => ended += 1,
    ///         SessionEvent::Idle => break,
    ///         _ => {}
    ///     }
    /// }
    /// assert_eq!(ended, 2);
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn events(&self) -> Events {
        Events::new(self.shared().clone(), self.handle.manager.clone())
    }

    /// Skips an item. A queued item ends immediately; a running item is cancelled and ends within its grace period.
    ///
    /// Skipping an item that has ended has no effect.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let manager = SyncManager::new();
    /// manager.register(Feed)?;
    /// let session = manager.update_all()?;
    /// let mut events = session.events();
    /// while let Some(event) = events.next().await {
    ///     match event {
    ///         SessionEvent::Began { handler, item, .. } => session.skip(handler, item)?,
    ///         SessionEvent::Ended { outcome, .. } => assert_eq!(outcome, Outcome::Skipped),
    ///         SessionEvent::Idle => break,
    ///         _ => {}
    ///     }
    /// }
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    /// Returns an error if the handler is not part of the session or has not listed the item.
    pub fn skip(&self, handler: HandlerId, item: ItemId) -> Result<(), SessionError> {
        let run = self.run(handler)?;
        if !run.has_item(item) {
            return Err(SessionError::UnknownItem { handler, item });
        }
        run.skip(item);
        Ok(())
    }

    /// Stops every item of a handler. Other handlers continue.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let manager = SyncManager::new();
    /// let (_mail, feed) = (manager.register(Mail)?, manager.register(Feed)?);
    /// let session = manager.update_all()?;
    /// session.stop_handler(feed)?; // mail continues
    /// let report = session.finish().await;
    /// assert_eq!(report.items().filter(|item| item.outcome == Outcome::Succeeded).count(), 2);
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// See also: R112.
    ///
    /// # Errors
    /// Returns an error if the handler is not part of the session.
    pub fn stop_handler(&self, handler: HandlerId) -> Result<(), SessionError> {
        self.run(handler)?.stop(CancelReason::HandlerStopped);
        Ok(())
    }

    /// Stops every item of every handler.
    pub fn stop(&self) {
        self.shared().stop(CancelReason::SessionStopped);
    }

    /// Pauses the session: no new item begins, running items continue. Not stored.
    ///
    /// Handlers that process all their items in a single call are not paused.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let manager = SyncManager::new();
    /// manager.register(Mail)?;
    /// let session = manager.update_all()?;
    /// session.pause();
    /// # let mut events = session.events();
    /// # while !matches!(events.next().await, Some(SessionEvent::Run { change: RunChange::Synchronizing, .. })) {}
    /// assert_eq!(manager.held()[0].hold, Hold::Paused);
    /// session.resume();
    /// assert!(session.finish().await.is_success());
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn pause(&self) {
        self.shared().set_pause(Pause::Paused);
    }

    /// Resumes the session: items begin again, unless the manager is paused too.
    pub fn resume(&self) {
        self.shared().set_pause(Pause::Running);
    }

    /// Returns a guard that stops the session when it is dropped.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let manager = SyncManager::new();
    /// manager.register(Feed)?;
    /// let session = manager.update_all()?;
    /// {
    ///     let _guard = session.stop_on_drop(); // kept while a dialog is open, a request is served or a test runs
    /// }
    /// session.finish().await;
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    pub fn stop_on_drop(&self) -> StopOnDrop {
        StopOnDrop(self.shared().clone())
    }

    /// Waits until the session is idle and returns its report. The results stay open for
    /// [`show_error`](Self::show_error) until the session is closed. Cancel safe.
    ///
    /// Inside a call of a handler that the session waits for, returns the report so far, with a warning in the log. The session
    /// may also wait for the call through the calls of other handlers that await sessions with the methods of `Session`. Waits
    /// of another kind, such as for an event of a session, are not noticed.
    ///
    /// A handler that blocks its thread in `initialize`, `items` or `prepare` delays the report until the method returns.
    /// [`SyncManager::shutdown`](crate::manager::SyncManager::shutdown) limits its own wait for such a handler.
    pub async fn report(&self) -> Report {
        let session = self.shared();
        match self.begin_to_wait() {
            Some(_waiting) => session.until(|| session.is_finished()).await,
            None => self.log_own_wait(),
        }
        Report::of(self.shared())
    }

    /// Returns `None` if the caller is a call of a handler that this session waits for.
    fn begin_to_wait(&self) -> Option<Waiting<'_>> {
        self.handle.manager.wait_for(self.shared())
    }

    fn log_own_wait(&self) {
        let text =
            "a handler awaited this session inside a call that the session waits for; it received the report so far";
        self.shared().runs().iter().for_each(|run| run.log(LogEntry::new(LogLevel::Warning, text)));
    }

    /// Begins to wait for the answer to a request. Refuses a request whose answer would have to wait for the caller itself.
    fn begin_request(&self, handler: HandlerId) -> Result<Waiting<'_>, SessionError> {
        self.begin_to_wait().ok_or(SessionError::Nested { handler })
    }

    /// Opens a log entry: the handler explains it and may run items again in the same run. Waits until the session is
    /// idle again. Cancel safe: dropping the future does not stop the handler.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let manager = SyncManager::new();
    /// let calendar = manager.register(Calendar)?;
    /// let session = manager.update_all()?;
    /// session.report().await;
    /// session.show_error(calendar, ErrorId::from_key("terms")).await?;
    /// let nothing = session.show_error(calendar, ErrorId::from_key("no such entry")).await;
    /// assert!(matches!(nothing, Err(SessionError::UnknownError { .. })));
    /// # session.close().await;
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// See also: R144 to R150.
    ///
    /// # Errors
    /// Returns an error if the entry does not exist, is not a link, or asks a question (use [`answer`](Self::answer)), or
    /// if the results are closed.
    pub async fn show_error(&self, handler: HandlerId, error: ErrorId) -> Result<(), SessionError> {
        let run = self.run(handler)?;
        let _waiting = self.begin_request(handler)?;
        match entry(&run, error)?.action {
            Some(Action::ShowError | Action::Remedy(_)) => request_and_wait(&run, IdleRequest::ShowError(error)).await,
            Some(Action::Decide(_)) => Err(SessionError::Question { error }),
            _ => Err(SessionError::NotALink { error }),
        }
    }

    /// Answers an item's open question with the choice at this index. The item runs again with the answer, in the same
    /// run. Waits until the session is idle again. Cancel safe: the answer is kept.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let manager = SyncManager::new();
    /// let (calendar, home) = (manager.register(Calendar)?, ItemId::from_name("Home"));
    /// let session = manager.session(Trigger::Manual).items(calendar, [home]).start()?;
    /// assert_eq!(session.report().await.items().next().map(|item| item.outcome), Some(Outcome::NeedsUser));
    /// session.answer(calendar, ErrorId::of_question(home, "conflict"), 0).await?; // "here": the item runs again
    /// assert!(session.finish().await.is_success());
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    /// Returns an error if the question or the choice does not exist, or if the results are closed. In the last case, the
    /// answer is kept for the next session.
    pub async fn answer(&self, handler: HandlerId, error: ErrorId, choice: usize) -> Result<(), SessionError> {
        let run = self.run(handler)?;
        let _waiting = self.begin_request(handler)?;
        let (item, question) = question_of(&*entry(&run, error)?, error, choice)?;
        let refused = question.remedies.get(choice) == Some(&Remedy::Refuse);
        let changes = self.shared().host.answer(handler, item, question, choice);
        self.shared().host.store_all(changes);
        if !refused {
            run.events().delete(syncmgr_core::id::ErrorScope::One(error));
        }
        match item {
            // A refusal changes nothing. An answer for the handler itself applies from its next listing on.
            _ if refused => Ok(()),
            HANDLER_ITSELF => Ok(()),
            item => request_and_wait(&run, IdleRequest::Retry(vec![item])).await,
        }
    }

    /// Closes the results and waits until every handler is released. If a chooser has not answered yet, nothing is chosen
    /// and nothing runs. Running items finish first; call
    /// [`stop`](Self::stop) before to end them early. Does not wait inside a call of a handler that the session waits for.
    /// Cancel safe: the session closes either way.
    pub async fn close(&self) {
        self.shared().close();
        if let Some(_waiting) = self.begin_to_wait() {
            self.shared().until(|| self.shared().has_ended()).await;
        }
    }

    /// Waits until the session is idle, closes it, and returns its report. Cancel safe like [`close`](Self::close).
    pub async fn finish(self) -> Report {
        let report = self.report().await;
        self.close().await;
        report
    }

    pub(crate) fn run(&self, handler: HandlerId) -> Result<Arc<Run>, SessionError> {
        self.shared().run(handler).ok_or(SessionError::UnknownHandler { handler })
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Session({})", self.id())
    }
}

/// Returns the entry with this id from a run's log.
fn entry(run: &Run, error: ErrorId) -> Result<Arc<LogEntry>, SessionError> {
    run.events().entries().into_iter().find(|entry| entry.id == Some(error)).ok_or(SessionError::UnknownError { error })
}

/// Returns the question of an entry and its item, if the question has this choice.
pub(crate) fn question_of(entry: &LogEntry, error: ErrorId, choice: usize) -> Result<(ItemId, Question), SessionError> {
    let (Some(Action::Decide(question)), Some(item)) = (&entry.action, entry.item) else {
        return Err(SessionError::NotAQuestion { error });
    };
    match choice < question.choices.len() {
        true => Ok((item, (**question).clone())),
        false => Err(SessionError::NoSuchChoice { error, choice }),
    }
}

/// Sends a request to an idle run and waits until the run is idle again.
pub(crate) async fn request_and_wait(run: &Run, request: IdleRequest) -> Result<(), SessionError> {
    run.send_request(request).await.map_err(|_| SessionError::Closed)
}

/// A guard that stops its session when it is dropped.
#[must_use = "the session stops as soon as the guard is dropped"]
pub struct StopOnDrop(Arc<SessionShared>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop(CancelReason::SessionStopped);
    }
}

impl std::fmt::Debug for StopOnDrop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StopOnDrop({})", self.0.id)
    }
}
