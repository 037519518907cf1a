//! What earlier sessions left in the log, opened and answered later.

use std::sync::Arc;

use syncmgr_core::decision::ledger::HANDLER_ITSELF;
use syncmgr_core::error::one_line;
use syncmgr_core::id::{ErrorId, HandlerId};
use syncmgr_core::log::{Action, LogEntry, Remedy};
use syncmgr_core::store::LogRecord;
use syncmgr_core::trigger::Trigger;

use super::{StoreAccessError, SyncManager};
use crate::report::Report;
use crate::run::Wish;
use crate::session::{Session, SessionError, StartError, look, question_of};

impl SyncManager {
    /// The stored log of a handler, of this and earlier sessions, oldest first.
    ///
    /// ```
    /// # use syncmgr_setting::*;
    /// # run(async {
    /// let manager = SyncManager::builder().store(MemoryStore::new()).build();
    /// let calendar = manager.register(Calendar)?;
    /// manager.update_all()?.finish().await;
    /// let texts: Vec<_> = manager.log(calendar)?.iter().map(|record| record.entry.text.to_string()).collect();
    /// assert!(texts.contains(&"the server is busy".to_string()), "{texts:?}");
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn log(&self, handler: HandlerId) -> Result<Vec<LogRecord>, StoreAccessError> {
        self.host().ports.store.log(handler).map_err(StoreAccessError::Unreadable)
    }

    /// Opens an entry of the stored log, in a run of its own: the handler explains it and may run items again (R144 to
    /// R150). Waits until the session is over. Cancel safe; what was opened goes on.
    ///
    /// While the session of the entry is still open, use [`Session::show_error`] instead.
    ///
    /// ```
    /// # use syncmgr_setting::*;
    /// # run(async {
    /// let manager = SyncManager::builder().store(MemoryStore::new()).build();
    /// let calendar = manager.register(Calendar)?;
    /// manager.update_all()?.finish().await; // left a link in the log
    /// manager.show_error(calendar, ErrorId::from_key("terms")).await?; // the handler's `show_error` is called
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    /// When there is no such entry, it is no link, it asks a question ([`answer`](Self::answer) it), the store cannot be
    /// read, or no session can be started.
    pub async fn show_error(&self, handler: HandlerId, error: ErrorId) -> Result<Report, LogError> {
        match self.stored(handler, error)?.action {
            Some(Action::ShowError | Action::Remedy(_)) => {}
            Some(Action::Decide(_)) => return Err(SessionError::Question { error }.into()),
            _ => return Err(SessionError::NotALink { error }.into()),
        }
        let request = self.session(Trigger::Manual).handlers([handler]).may_bother_user().explaining();
        let session = request.start()?;
        session.report().await;
        look(&*session.run(handler)?, Wish::Open(error)).await?;
        Ok(session.finish().await)
    }

    /// Answers a question of the stored log, by the place of the choice, and starts a session in which the item runs again
    /// with the answer. With [`Remedy::Refuse`] nothing runs, and the question stays open.
    ///
    /// While the session of the entry is still open, use [`Session::answer`] instead.
    ///
    /// ```
    /// # use syncmgr_setting::*;
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
    /// When there is no such question or choice, the store cannot be read, or no session can be started; in the last case
    /// the answer is kept.
    pub fn answer(&self, handler: HandlerId, error: ErrorId, choice: usize) -> Result<Session, LogError> {
        let entry = self.stored(handler, error)?;
        let (item, question) = question_of(&entry, error, choice)?;
        self.host().answer(handler, item, question.clone(), choice);
        let request = self.session(Trigger::Manual).may_bother_user();
        let request = match question.remedies.get(choice) {
            // Things are left as they are.
            Some(Remedy::Refuse) => request.items(handler, []),
            _ if item == HANDLER_ITSELF => request.handlers([handler]),
            _ => request.items(handler, [item]),
        };
        Ok(request.start()?)
    }

    /// The latest entry with this id in the stored log.
    fn stored(&self, handler: HandlerId, error: ErrorId) -> Result<Arc<LogEntry>, LogError> {
        let log = self.host().ports.store.log(handler).map_err(|error| LogError::Store { reason: one_line(&error) })?;
        let entry = log.into_iter().rev().map(|record| record.entry).find(|entry| entry.error == Some(error));
        entry.ok_or(SessionError::UnknownError { error }.into())
    }
}

/// Why an entry of the stored log was not opened or answered. Nothing was done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// No session could be started for it.
    #[error(transparent)]
    Start(#[from] StartError),
    /// There is no such entry, or it is of another kind.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The store cannot be read.
    #[error("the store cannot be read: {reason}")]
    Store {
        /// What the store said.
        reason: String,
    },
}
