//! Items and handlers that may have ended their process: they are counted before they begin.

use std::collections::BTreeSet;

use futures::future::BoxFuture;
use syncmgr_core::decision::ledger::{HANDLER_ITSELF, Suspect};
use syncmgr_core::decision::verdict::{Outcome, Verdict};
use syncmgr_core::error::SyncResult;
use syncmgr_core::id::ItemId;
use syncmgr_core::item::SyncItem;
use syncmgr_core::store::StateChange;

use super::Run;
use crate::attempt::{Attempt, Pace, Suspects};

impl Run {
    /// Returns the suspects among the items of the next attempt.
    pub(super) async fn suspects(&self, items: &[SyncItem]) -> Suspects {
        let handler = self.id.handler;
        let interrupted = self.host().ledger().interrupted(handler);
        let unfinished = self.unfinished(items, interrupted).await;
        let ledger = self.host().ledger();
        if unfinished.is_empty() && ledger.is_clean(handler) {
            return Suspects::default();
        }
        let items: BTreeSet<_> = items.iter().map(SyncItem::id).collect();
        let is_counted = items.iter().any(|item| ledger.was_interrupted(handler, *item));
        let pace = if is_counted { Pace::OneAtATime } else { Pace::Concurrent };
        let items = items.into_iter().filter(|item| ledger.is_suspect(handler, *item)).collect();
        Suspects { items, pace }
    }

    /// Counts an interruption of an item that is about to begin, in case its process ends. Returns `None` if the handler was
    /// forgotten.
    pub(super) fn count_suspect(&self, item: ItemId) -> Option<BoxFuture<'static, SyncResult>> {
        self.write(self.counted(item)?)
    }

    /// Returns the change that stores the state of an item if its process ends now.
    fn counted(&self, item: ItemId) -> Option<StateChange> {
        let (policy, cleared_by, chance) = (self.retry_policy(), self.cleared_by(), self.jitter());
        let handler = self.id.handler;
        let effects = self.decide(|ledger, now| {
            ledger.suspect_begins(&Suspect { handler, item, policy: &policy, cleared_by, now, chance })
        });
        self.host().perform(effects, self).pop()
    }

    /// Counts an interruption of the handler that is about to begin, in case its process ends before it has prepared. Returns
    /// `false` if no run of the handler was interrupted, so that it is not counted.
    pub(super) async fn count_handler(&self, attempt: &Attempt) -> bool {
        let handler = self.id.handler;
        let is_suspect = {
            let ledger = self.host().ledger();
            !ledger.interrupted(handler).is_empty() || ledger.was_interrupted(handler, HANDLER_ITSELF)
        };
        let Some(counted) = is_suspect.then(|| self.counted(HANDLER_ITSELF)).flatten() else { return false };
        self.lock().counted = Some(counted.clone());
        self.write_before(attempt, counted).await;
        true
    }

    /// Returns the change that keeps a handler counted that could begin, until it has prepared. The state of a failed one replaces
    /// the count.
    pub(super) fn still_counted(&self, begun: Verdict) -> Option<StateChange> {
        let counted = &mut self.lock().counted;
        if begun.outcome != Outcome::Succeeded {
            *counted = None;
        }
        counted.clone()
    }

    /// Stores the state of a counted handler from before it began: its process did not end.
    pub(super) async fn clear_handler(&self, attempt: &Attempt) {
        if let Some(cleared) = self.cleared_handler() {
            self.write_before(attempt, cleared).await;
        }
    }

    /// Returns the change that restores the state of a counted handler. `None` if it is not counted.
    pub(super) fn cleared_handler(&self) -> Option<StateChange> {
        self.lock().counted.take()?;
        let effects = self.decide(|ledger, _| ledger.suspect_cleared(self.id.handler, HANDLER_ITSELF));
        self.host().perform(effects, self).pop()
    }

    /// Stores a change before the run continues. A stopped run does not wait for it.
    async fn write_before(&self, attempt: &Attempt, change: StateChange) {
        if let Some(written) = self.write(change) {
            attempt.token().run_until_cancelled_owned(written).await;
        }
    }

    /// Returns the changes that restore the states of suspects that the end of the manager has stopped.
    pub(super) fn clear_suspects(&self, attempt: &Attempt, stopped: &[ItemId]) -> Vec<StateChange> {
        let suspects = stopped.iter().filter(|item| attempt.is_suspect(**item));
        let effects = suspects.flat_map(|item| self.host().ledger().suspect_cleared(self.id.handler, *item)).collect();
        self.host().perform(effects, self)
    }
}
