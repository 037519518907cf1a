//! The stored sessions.

use std::collections::{BTreeMap, BTreeSet};

use syncmgr_core::error::SyncResult;
use syncmgr_core::id::SessionId;
use syncmgr_core::store::{SessionEnd, SessionOutcome, SessionRecord, StateStore};

use super::{StoreAccessError, SyncManager};

impl SyncManager {
    /// Returns the stored sessions, oldest first. A manager that was built without a store records no sessions. An open
    /// session has no end. A session whose process died is *interrupted*; its start time is returned as its end time,
    /// because the real end time is unknown.
    ///
    /// Reads a store on disk on a thread of the runtime that may block. Cancel safe. [`history_page`](Self::history_page) returns
    /// a part of a long history.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let manager = SyncManager::builder().store(MemoryStore::new()).build();
    /// manager.run(Calendar).await?;
    /// let end = manager.history().await?[0].end.clone().expect("the session has ended");
    /// assert_eq!((end.outcome, end.outcomes[&Outcome::Failed]), (SessionOutcome::WithProblems, 1));
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    /// Returns an error if the store cannot be read.
    pub async fn history(&self) -> Result<Vec<SessionRecord>, StoreAccessError> {
        self.read_sessions(|store| store.sessions()).await
    }

    /// Returns the last `limit` sessions of the [`history`](Self::history), oldest first: those before the session `before`, or the
    /// last ones of all with `None`. A page takes the same time however long the history is. Cancel safe.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let manager = SyncManager::builder().store(MemoryStore::new()).build();
    /// for _ in 0..5 {
    ///     manager.run(Calendar).await?;
    /// }
    /// let last = manager.history_page(None, 3).await?;
    /// let earlier = manager.history_page(Some(last[0].session), 3).await?;
    /// assert_eq!((earlier.len(), last.len()), (2, 3));
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    /// Returns an error if the store cannot be read.
    pub async fn history_page(
        &self,
        before: Option<SessionId>,
        limit: usize,
    ) -> Result<Vec<SessionRecord>, StoreAccessError> {
        self.read_sessions(move |store| store.sessions_before(before, limit)).await
    }

    async fn read_sessions(
        &self,
        read: impl FnOnce(&dyn StateStore) -> SyncResult<Vec<SessionRecord>> + Send + 'static,
    ) -> Result<Vec<SessionRecord>, StoreAccessError> {
        let mut sessions = self.host().read_many(read).await.map_err(StoreAccessError::Unreadable)?;
        let open: BTreeSet<_> = self.open_sessions().iter().map(|session| session.id).collect();
        let is_ours = |record: &SessionRecord| record.manager == self.id() && open.contains(&record.session);
        for record in sessions.iter_mut().filter(|record| record.end.is_none() && !is_ours(record)) {
            let (time, outcomes) = (record.began, BTreeMap::new());
            record.end = Some(SessionEnd::new(time, SessionOutcome::Interrupted, outcomes));
        }
        Ok(sessions)
    }
}
