//! Deletes all stored data of a handler or an item.

use syncmgr_core::cancel::CancelReason;
use syncmgr_core::id::{HandlerId, ItemId};

use super::{StoreAccessError, SyncManager};
use crate::scheduler::NoLog;

impl SyncManager {
    /// Unregisters a handler, stops its runs, waits until they have ended, and deletes all of its stored data: records,
    /// checkpoints, choices, settings, answers, log and secrets.
    ///
    /// Cancel safe; nothing is deleted if the future is dropped while it waits.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let manager = SyncManager::builder().store(MemoryStore::new()).build();
    /// let calendar = manager.register(Calendar)?;
    /// manager.update_all()?.finish().await;
    /// manager.forget(calendar).await?; // the account was removed
    /// assert!(manager.log(calendar)?.is_empty() && manager.handlers().is_empty());
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    /// Returns an error if the store or the store of secrets refuses the change; try again.
    pub async fn forget(&self, handler: HandlerId) -> Result<(), StoreAccessError> {
        let claims = self.host().manager_state().handlers.get(&handler).map(|(_, info)| info.claims().to_vec());
        self.unregister(handler);
        let runs: Vec<_> = self.runs_of(handler).collect();
        for run in &runs {
            run.forget();
            run.stop(CancelReason::HandlerStopped);
        }
        for session in self.open_sessions() {
            session.until(|| session.run(handler).is_none_or(|run| run.is_idle())).await;
        }
        let mut claims = claims.unwrap_or_default();
        let others: Vec<_> = self.host().manager_state().handlers.values().map(|(_, info)| info.clone()).collect();
        claims.retain(|claim| !others.iter().any(|info| info.claims().contains(claim)));
        let effects = self.host().decide(|ledger, now| ledger.forget(handler, claims, now));
        let changes = self.host().perform(effects, &NoLog);
        self.host().write(changes).await.map_err(StoreAccessError::Refused)?;
        self.host().ports.secrets.forget(handler).await.map_err(StoreAccessError::Refused)
    }

    /// Stops an item, waits until it has ended, and deletes all of its stored data: record, checkpoint, choice, answers
    /// and log. If the handler lists the item again, it is a new item.
    ///
    /// Cancel safe; nothing is deleted if the future is dropped while it waits.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let manager = SyncManager::builder().store(MemoryStore::new()).build();
    /// let calendar = manager.register(Calendar)?;
    /// manager.update_all()?.finish().await;
    /// manager.forget_item(calendar, ItemId::from_name("Work")).await?; // a new item if it is listed again
    /// assert!(manager.explain_item(calendar, ItemId::from_name("Work"))?.last.is_none());
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    /// Returns an error if the store refuses the change; try again.
    pub async fn forget_item(&self, handler: HandlerId, item: ItemId) -> Result<(), StoreAccessError> {
        for run in self.runs_of(handler) {
            run.forget_item(item);
            run.until_ended(item).await;
        }
        let effects = self.host().ledger().forget_item(handler, item);
        let changes = self.host().perform(effects, &NoLog);
        self.host().write(changes).await.map_err(StoreAccessError::Refused)
    }
}
