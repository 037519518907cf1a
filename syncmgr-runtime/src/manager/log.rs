//! The stored log: reading it, opening its entries, answering its questions.

use std::sync::Arc;

use syncmgr_core::decision::ledger::HANDLER_ITSELF;
use syncmgr_core::error::one_line;
use syncmgr_core::id::{ErrorId, ErrorScope, HandlerId};
use syncmgr_core::log::{Action, LogEntry, Remedy};
use syncmgr_core::store::LogRecord;
use syncmgr_core::trigger::Trigger;

use super::{StoreAccessError, SyncManager};
use crate::report::Report;
use crate::run::IdleRequest;
use crate::session::{Session, SessionError, StartError, question_of, request_and_wait};

impl SyncManager {
    /// Returns the stored log of a handler from this and earlier sessions, oldest entry first.
    ///
    /// Reads a store on disk on a thread of the runtime that may block. Cancel safe.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let manager = SyncManager::builder().store(MemoryStore::new()).build();
    /// let calendar = manager.register(Calendar)?;
    /// manager.update_all()?.finish().await;
    /// let texts: Vec<_> = manager.log(calendar).await?.iter().map(|record| record.entry.text.to_string()).collect();
    /// assert!(texts.contains(&"the server is busy".to_string()), "{texts:?}");
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    /// Returns an error if the store cannot be read.
    pub async fn log(&self, handler: HandlerId) -> Result<Vec<LogRecord>, StoreAccessError> {
        self.host().read_many(move |store| store.log(handler)).await.map_err(StoreAccessError::Unreadable)
    }

    /// Opens an entry of the stored log in a new session: the handler explains the entry and may run items again. Waits
    /// until that session has ended. Cancel safe; if the future is dropped, the session continues.
    ///
    /// While the session of the entry is open, use [`Session::show_error`] instead.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let manager = SyncManager::builder().store(MemoryStore::new()).build();
    /// let calendar = manager.register(Calendar)?;
    /// manager.update_all()?.finish().await; // logs an entry with a link
    /// manager.show_error(calendar, ErrorId::from_key("terms")).await?; // calls the handler's `show_error`
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// See also: R144 to R150.
    ///
    /// # Errors
    /// Returns an error if there is no such entry, the entry is not a link or asks a question (use
    /// [`answer`](Self::answer)), the store cannot be read, or no session can be started.
    pub async fn show_error(&self, handler: HandlerId, error: ErrorId) -> Result<Report, LogAccessError> {
        match self.stored_entry(handler, error)?.action {
            Some(Action::ShowError | Action::Remedy(_)) => {}
            Some(Action::Decide(_)) => return Err(SessionError::Question { error }.into()),
            _ => return Err(SessionError::NotALink { error }.into()),
        }
        let request = self.session(Trigger::Manual).handlers([handler]).may_bother_user().explain_only();
        let session = request.start()?;
        session.report().await;
        request_and_wait(&*session.run(handler)?, IdleRequest::ShowError(error)).await?;
        Ok(session.finish().await)
    }

    /// Answers a question of the stored log with the choice at index `choice`, and starts a session that runs the item
    /// again with the answer. If the choice is [`Remedy::Refuse`], no item runs, and the question stays open.
    ///
    /// While the session of the entry is open, use [`Session::answer`] instead.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let manager = SyncManager::builder().store(MemoryStore::new()).build();
    /// let (calendar, home) = (manager.register(Calendar)?, ItemId::from_name("Home"));
    /// manager.update_all()?.finish().await; // ends *needs user*
    /// let again = manager.answer(calendar, ErrorId::of_question(home, "conflict"), 1)?; // "there"
    /// assert!(again.finish().await.is_success());
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    /// Returns an error if there is no such question or choice, the store cannot be read, or no session can be started.
    /// The answer is stored even if no session can be started.
    pub fn answer(&self, handler: HandlerId, error: ErrorId, choice: usize) -> Result<Session, LogAccessError> {
        let entry = self.stored_entry(handler, error)?;
        self.answer_entry(handler, error, &entry, choice)
    }

    /// Answers a question like [`answer`](Self::answer), but only if it still has this
    /// [revision](syncmgr_core::log::Question::revision): the one that the user has read. The question of a guard, for example, keeps its id while the plan behind it grows.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # use syncmgr_core::log::Action;
    /// # use syncmgr_runtime::{manager::LogAccessError, session::SessionError};
    /// # run(async {
    /// let manager = SyncManager::builder().store(MemoryStore::new()).build();
    /// let calendar = manager.register(Calendar)?;
    /// manager.update_all()?.finish().await; // ends *needs user*
    /// let log = manager.log(calendar).await?;
    /// let read = log.iter().find_map(|record| match (&record.entry.action, record.entry.id) {
    ///     (Some(Action::Decide(question)), Some(error)) => Some((error, question.revision())),
    ///     _ => None,
    /// });
    /// let (error, revision) = read.expect("there is a question");
    /// let other = manager.answer_revision(calendar, error, revision ^ 1, 1);
    /// assert_eq!(other.unwrap_err(), LogAccessError::Session(SessionError::OtherRevision { error }));
    /// assert!(manager.answer_revision(calendar, error, revision, 1)?.finish().await.is_success());
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    /// Like [`answer`](Self::answer), and if the question has another revision.
    pub fn answer_revision(
        &self,
        handler: HandlerId,
        error: ErrorId,
        revision: u32,
        choice: usize,
    ) -> Result<Session, LogAccessError> {
        let entry = self.stored_entry(handler, error)?;
        let (_, question) = question_of(&entry, error, choice)?;
        match question.revision() == revision {
            true => self.answer_entry(handler, error, &entry, choice),
            false => Err(SessionError::OtherRevision { error }.into()),
        }
    }

    fn answer_entry(
        &self,
        handler: HandlerId,
        error: ErrorId,
        entry: &LogEntry,
        choice: usize,
    ) -> Result<Session, LogAccessError> {
        let (item, question) = question_of(entry, error, choice)?;
        let changes = self.host().answer(handler, item, question.clone(), choice);
        if question.remedies.get(choice) != Some(&Remedy::Refuse) {
            self.runs_of(handler).for_each(|run| run.events().delete(ErrorScope::One(error)));
        }
        let request = self.session(Trigger::Manual).may_bother_user().storing(changes);
        let request = match question.remedies.get(choice) {
            // The item does not run: the user has declined the change.
            Some(Remedy::Refuse) => request.items(handler, []),
            _ if item == HANDLER_ITSELF => request.handlers([handler]),
            _ => request.items(handler, [item]),
        };
        Ok(request.start()?)
    }

    /// Returns the latest entry with this id from the stored log.
    fn stored_entry(&self, handler: HandlerId, error: ErrorId) -> Result<Arc<LogEntry>, LogAccessError> {
        let unreadable = |error| LogAccessError::Store { reason: one_line(&error) };
        let record = self.host().ports.store.log_entry(handler, error).map_err(unreadable)?;
        Ok(record.ok_or(SessionError::UnknownError { error })?.entry)
    }
}

/// The error of [`SyncManager::show_error`] and [`SyncManager::answer`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogAccessError {
    /// The session could not be started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The entry does not exist, or its kind does not allow the call.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The store cannot be read.
    #[error("the store cannot be read: {reason}")]
    Store {
        /// The error that the store returned.
        reason: String,
    },
}
