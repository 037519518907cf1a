//! Items that may have ended their process: they are counted before they begin.

use std::collections::BTreeSet;

use futures::future::BoxFuture;
use syncmgr_core::decision::ledger::Suspect;
use syncmgr_core::error::SyncResult;
use syncmgr_core::id::ItemId;
use syncmgr_core::item::SyncItem;
use syncmgr_core::store::StateChange;

use super::Run;
use crate::attempt::{Attempt, Pace, Suspects};

impl Run {
    /// Returns the suspects among the items of the next attempt: the unfinished items of interrupted runs, and the items whose
    /// last attempt was interrupted.
    pub(super) async fn suspects(&self, items: &[SyncItem]) -> Suspects {
        let handler = self.id.handler;
        let interrupted = self.host().ledger().interrupted(handler);
        let unfinished = self.unfinished(items, interrupted).await;
        let ledger = self.host().ledger();
        if unfinished.is_empty() && ledger.is_clean(handler) {
            return Suspects::default();
        }
        let is_counted = |item: &ItemId| ledger.was_interrupted(handler, *item);
        let items: BTreeSet<_> = items.iter().map(SyncItem::id).collect();
        let pace = if items.iter().any(is_counted) { Pace::OneAtATime } else { Pace::Concurrent };
        let items = items.into_iter().filter(|item| unfinished.contains(item) || is_counted(item)).collect();
        Suspects { items, pace }
    }

    /// Counts an interruption of an item that is about to begin, in case its process ends. Returns `None` if the handler was
    /// forgotten.
    pub(super) fn count_suspect(&self, item: ItemId) -> Option<BoxFuture<'static, SyncResult>> {
        let (policy, cleared_by, chance) = (self.retry_policy(), self.cleared_by(), self.jitter());
        let handler = self.id.handler;
        let effects = self.decide(|ledger, now| {
            ledger.suspect_begins(&Suspect { handler, item, policy: &policy, cleared_by, now, chance })
        });
        let counted = self.host().perform(effects, self).pop()?;
        self.write(counted)
    }

    /// Returns the changes that restore the states of suspects that the end of the manager has stopped.
    pub(super) fn clear_suspects(&self, attempt: &Attempt, stopped: &[ItemId]) -> Vec<StateChange> {
        let suspects = stopped.iter().filter(|item| attempt.is_suspect(**item));
        let effects = suspects.flat_map(|item| self.host().ledger().suspect_cleared(self.id.handler, *item)).collect();
        self.host().perform(effects, self)
    }
}
