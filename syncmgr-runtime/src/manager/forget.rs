//! Forgetting a handler or an item: nothing of it stays.

use syncmgr_core::cancel::CancelReason;
use syncmgr_core::error::SyncResult;
use syncmgr_core::id::{HandlerId, ItemId};
use syncmgr_core::store::StateChange;

use super::SyncManager;

impl SyncManager {
    /// Unregisters a handler, stops its runs, waits until they are over, and deletes everything stored of it: records,
    /// checkpoints, choices, settings, answers, log. Cancel safe; without the wait nothing is deleted.
    ///
    /// # Errors
    /// When the store refuses; ask again.
    pub async fn forget(&self, handler: HandlerId) -> SyncResult {
        let claims = self.host().known().handlers.get(&handler).map(|(_, info)| info.claims().to_vec());
        self.unregister(handler);
        let runs: Vec<_> = self.host().sessions().iter().filter_map(|session| session.run(handler)).collect();
        for run in &runs {
            run.forget();
            run.stop(CancelReason::HandlerStopped);
        }
        for session in self.host().sessions() {
            session.until(|session| session.run(handler).is_none_or(|run| run.is_at_rest())).await;
        }
        self.host().forget_answers(handler, None);
        self.host().setbacks.unload(handler);
        let mut changes = self.host().pending.forget(handler, self.host().now().wall);
        changes.push(StateChange::Forget { handler });
        let mut claims = claims.unwrap_or_default();
        let others: Vec<_> = self.host().known().handlers.values().map(|(_, info)| info.clone()).collect();
        claims.retain(|claim| !others.iter().any(|info| info.claims().contains(claim)));
        self.host().setbacks.unload_resources(&claims);
        let claims = claims.into_iter();
        changes.extend(claims.map(|claim| StateChange::Resource { claim, retry: None }));
        self.host().write(changes).await
    }

    /// Stops an item where it runs, waits until it has ended, and deletes everything stored of it: its record with the
    /// checkpoint, its choice, answers and log. Where its handler lists it again it is as new. Cancel safe; without the wait
    /// nothing is deleted.
    ///
    /// # Errors
    /// When the store refuses; ask again.
    pub async fn forget_item(&self, handler: HandlerId, item: ItemId) -> SyncResult {
        for session in self.host().sessions() {
            let Some(run) = session.run(handler) else { continue };
            run.forget_item(item);
            run.until_ended(item).await;
        }
        self.host().forget_answers(handler, Some(item));
        self.host().setbacks.set(handler, item, None);
        self.host().pending.forget_item(handler, item);
        self.host().write(vec![StateChange::ForgetItem { handler, item }]).await
    }
}
