//! Deletes all stored data of a handler or an item.

use std::sync::Arc;
use std::time::SystemTime;

use anyhow::anyhow;
use futures::FutureExt;
use syncmgr_core::cancel::CancelReason;
use syncmgr_core::decision::ledger::Effect;
use syncmgr_core::error::one_line;
use syncmgr_core::id::{HandlerId, ItemId, Subject};
use syncmgr_core::overrides::Overrides;
use tokio::runtime::Handle;

use super::{StoreAccessError, SyncManager};
use crate::host::{Host, Registered};
use crate::outbox::{Written, split};
use crate::secrets::Deletion;
use crate::session::lifecycle::SessionShared;

impl SyncManager {
    /// Unregisters a handler, deletes all of its stored data (records, checkpoints, choices, settings, answers, log and
    /// secrets), stops its runs, and waits until they have ended. These runs store nothing more.
    ///
    /// The handler may be registered again while its old runs end. The new registration starts without data, and no run of
    /// the old one changes the new data.
    ///
    /// Cancel safe; the data is deleted even if the future is dropped while it waits.
    ///
    /// ```
    /// # use syncmgr_doc_examples::*;
    /// # run(async {
    /// let manager = SyncManager::builder().store(MemoryStore::new()).build();
    /// let calendar = manager.register(Calendar)?;
    /// manager.update_all()?.finish().await;
    /// manager.forget(calendar).await?; // the account was removed
    /// assert!(manager.log(calendar).await?.is_empty() && manager.handlers().is_empty());
    /// # Ok(())
    /// # })?;
    /// # Ok::<(), anyhow::Error>(())
    /// ```
    ///
    /// # Errors
    /// Returns an error if the store or the store of secrets refuses the change; try again. Also returns an error inside a
    /// call of the handler, which would have to end first.
    pub async fn forget(&self, handler: HandlerId) -> Result<(), StoreAccessError> {
        if self.owner.is_called_by(handler) {
            return Err(StoreAccessError::Nested { handler });
        }
        self.host().check_writable().map_err(|error| StoreAccessError::Refused(error.into()))?;
        let (written, secrets) = self.delete(handler);
        for run in self.runs_of(handler).filter(|run| run.is_forgotten()) {
            run.stop(CancelReason::HandlerStopped);
        }
        let (written, secrets) = futures::join!(written, secrets);
        let forgotten = |session: &SessionShared| session.run(handler).filter(|run| run.is_forgotten());
        for session in self.open_sessions() {
            session.until(|| forgotten(&session).is_none_or(|run| run.is_idle())).await;
        }
        written.map_err(StoreAccessError::Refused)?;
        secrets.map_err(|error| StoreAccessError::SecretsRefused(anyhow!("{}", one_line(&error))))
    }

    /// Unregisters a handler and begins to delete its data and its secrets. No other registration intervenes, because the
    /// state of the manager stays locked.
    fn delete(&self, handler: HandlerId) -> (Written, Deletion) {
        let (host, now) = (self.host(), self.host().now().wall);
        // Dropped after the lock is released: a drop is foreign code.
        let (written, secrets, _runs, removed) = {
            let mut state = host.manager_state();
            let removed = state.remove(handler);
            state.forget(handler);
            let runs: Vec<_> = self.runs_of(handler).collect();
            runs.iter().for_each(|run| run.forget());
            let mut claims = removed.as_ref().map(|removed| removed.info.claims().to_vec()).unwrap_or_default();
            claims.retain(|claim| !state.handlers.values().any(|other| other.info.claims().contains(claim)));
            let mut ledger = host.ledger();
            let (changes, _) = split(ledger.forget(handler, claims, now));
            (host.queue_write(changes), host.secrets.begin_to_forget(handler), runs, removed)
        };
        if let Some(removed) = &removed {
            host.unwatch(handler, removed.generation);
        }
        host.pass_writes();
        // Driven by a task, so that the secrets are deleted even if the caller stops waiting.
        if let (None, Ok(runtime)) = (secrets.clone().now_or_never(), Handle::try_current()) {
            drop(host.tracker.spawn_on(secrets.clone().map(drop), &runtime));
        }
        if removed.is_some() {
            host.admission.remove_handler();
        }
        (written, secrets)
    }

    /// Deletes all stored data of an item (record, checkpoint, choice, settings, answers and log), stops it, and waits until it has
    /// ended. The attempt that was stopped stores nothing more. If the handler lists the item again, it is a new item.
    ///
    /// Cancel safe; the data is deleted even if the future is dropped while it waits.
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
    /// Returns an error if the store refuses the change; try again. Also returns an error inside the item's own call, which
    /// would have to end first.
    pub async fn forget_item(&self, handler: HandlerId, item: ItemId) -> Result<(), StoreAccessError> {
        if self.owner.callers().iter().any(|caller| caller.is_for(handler, item)) {
            return Err(StoreAccessError::Nested { handler });
        }
        let runs: Vec<_> = self.runs_of(handler).collect();
        runs.iter().for_each(|run| run.forget_item(item));
        let written = self.delete_item(handler, item);
        runs.iter().for_each(|run| run.skip(item));
        for run in runs {
            run.until_ended(item).await;
        }
        written.await.map_err(StoreAccessError::Refused)
    }

    /// Begins to delete the data of an item. Queued under the lock: a value that a person sets next is stored after it.
    fn delete_item(&self, handler: HandlerId, item: ItemId) -> Written {
        let (host, now) = (self.host(), self.host().now().wall);
        let (written, others) = {
            let mut state = host.manager_state();
            let known = state.handlers.get_mut(&handler);
            let mut effects = known.map(|known| host.forget_listed(known, item, now)).unwrap_or_default();
            let mut ledger = host.ledger();
            effects.extend(ledger.forget_item(handler, item));
            let (changes, others) = split(effects);
            (host.queue_write(changes), others)
        };
        host.pass_writes();
        host.apply(others);
        written
    }
}

impl Host {
    /// Forgets an item in the latest listing, and what a person has set for it.
    fn forget_listed(&self, known: &mut Registered, item: ItemId, now: SystemTime) -> Vec<Effect> {
        known.listing.as_mut().map(|known| Arc::make_mut(&mut known.forgotten).insert(item));
        let set = known.overrides_of(Subject::Item(item));
        if set.is_empty() {
            return Vec::new();
        }
        known.set_overrides(Subject::Item(item), Overrides::NONE);
        self.follow_settings(known, set.firing_schedule(), now)
    }
}
