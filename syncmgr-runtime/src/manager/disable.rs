//! Disables handlers and items until they are enabled.

use std::sync::Arc;

use syncmgr_core::decision::hold::Hold;
use syncmgr_core::decision::ledger::HANDLER_ITSELF;
use syncmgr_core::id::{HandlerId, Subject};
use syncmgr_core::text::{MAX_TEXT, bounded};

use super::{StoreAccessError, SyncManager};

impl SyncManager {
    /// Disables a handler or one of its items until it is [enabled](Self::enable): it runs in no session, not even in a
    /// forced one, and no retry starts for it. Items that are running continue; items that have not begun are skipped.
    /// The reason is shown by [`explain_item`](Self::explain_item) and [`held`](Self::held).
    ///
    /// The setting is stored, and survives [`unregister`](Self::unregister). Takes effect when the future is first polled
    /// and resolves once it is stored. Cancel safe: a setting that has taken effect is stored.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let manager = SyncManager::new();
    /// let (mail, sent) = (manager.register(Mail)?, ItemId::from_name("Sent"));
    /// manager.disable(mail, Subject::Item(sent), "too large for this connection").await?;
    /// let report = manager.update_all()?.finish().await;
    /// assert_eq!(report.run(mail).and_then(|run| run.item(sent)).map(|item| item.outcome), Some(Outcome::Skipped));
    /// let why = manager.explain_item(mail, sent)?;
    /// assert_eq!(why.holds[0].to_string(), "disabled: too large for this connection");
    /// manager.enable(mail, Subject::Item(sent)).await?;
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    /// Returns an error if the store refuses the change. The setting then applies until the manager is dropped.
    pub async fn disable(
        &self,
        handler: HandlerId,
        subject: Subject,
        reason: impl AsRef<str>,
    ) -> Result<(), StoreAccessError> {
        if subject == Subject::Item(HANDLER_ITSELF) {
            return Ok(()); // no item has this id
        }
        let reason: Arc<str> = bounded(reason.as_ref(), MAX_TEXT).into();
        let written = self.host().decide_in_order(|ledger, _| ledger.disable(handler, subject, reason.clone()));
        let hold = Hold::Disabled { reason };
        self.runs_of(handler).for_each(|run| run.skip_waiting(subject, &hold));
        written.await.map_err(StoreAccessError::Refused)
    }

    /// Enables a handler or one of its items again. Retries that became due meanwhile start now. An item of a disabled
    /// handler stays disabled if it was disabled by itself.
    ///
    /// Takes effect when the future is first polled and resolves once it is stored. Cancel safe like
    /// [`disable`](Self::disable).
    ///
    /// # Errors
    /// Returns an error if the store refuses the change. The setting then applies until the manager is dropped.
    pub async fn enable(&self, handler: HandlerId, subject: Subject) -> Result<(), StoreAccessError> {
        let written = self.host().decide_in_order(|ledger, now| ledger.enable(handler, subject, now));
        written.await.map_err(StoreAccessError::Refused)
    }
}
