//! Requests to forget items and handlers.

use syncmgr_core::id::{HandlerId, SessionId};
use syncmgr_core::store::StateStore;
use syncmgr_runtime::session::Session;

use crate::model::Item;
use crate::peer::Key;
use crate::process::Process;

impl Process<'_> {
    /// Forgets an item and checks that its checkpoint is deleted.
    pub(crate) fn forget_item(&mut self, key: Key) {
        let (manager, sim, disk) = (self.manager.clone(), self.sim.clone(), self.disk.clone());
        let last = self.last_session();
        let after = sim.with(|state| {
            begin_forget(state.model.item(key), last);
            state.model.enable_forgotten(key.0, Some(key.1));
            state.model.attempts.len()
        });
        self.begin_cancel(|running, _| *running == key);
        self.tasks.spawn(async move {
            let forgotten = manager.forget_item(key.0, key.1).await;
            let last = manager.sessions().last().map(|session| session.id());
            sim.try_with(|state| {
                state.model.enable_forgotten(key.0, Some(key.1));
                // An attempt that has started since may have saved a new checkpoint.
                let is_restarted = state.model.attempts.iter().skip(after).any(|attempt| attempt.key == key);
                let item = state.model.item(key);
                (item.pending_forgets, item.forgotten_in) =
                    (item.pending_forgets.saturating_sub(1), item.forgotten_in.max(last));
                let left = disk.store.record(key.0, key.1).ok().flatten().filter(|record| record.checkpoint.is_some());
                if forgotten.is_ok()
                    && !is_restarted
                    && item.running.is_none()
                    && left.is_some()
                    && item.pending_forgets == 0
                {
                    state.report_violation(
                        "forgotten items and handlers leave no state",
                        format!("{key:?} has a record: {left:?}"),
                    );
                }
            });
        });
    }

    /// Forgets a handler and checks that its records are deleted.
    pub(crate) fn forget(&mut self, handler: HandlerId) {
        let (manager, sim, disk) = (self.manager.clone(), self.sim.clone(), self.disk.clone());
        let last = self.last_session();
        let of_handler = move |key: &Key| key.0 == handler;
        sim.try_with(|state| {
            let items = state.model.items.iter_mut().filter(|(key, _)| of_handler(key));
            items.for_each(|(_, item)| begin_forget(item, last));
            state.model.enable_forgotten(handler, None);
        });
        self.begin_cancel(|running, _| running.0 == handler);
        self.tasks.spawn(async move {
            let forgotten = manager.forget(handler).await;
            let last = manager.sessions().last().map(|session| session.id());
            sim.try_with(|state| {
                state.model.enable_forgotten(handler, None);
                for (_, item) in state.model.items.iter_mut().filter(|(key, _)| of_handler(key)) {
                    let pending = item.pending_forgets.saturating_sub(1);
                    (item.pending_forgets, item.forgotten_in) = (pending, item.forgotten_in.max(last));
                }
                let left = disk.store.recorded_items(handler).unwrap_or_default();
                if forgotten.is_ok() && manager.registration(handler).is_none() && !left.is_empty() {
                    state.report_violation(
                        "forgotten items and handlers leave no state",
                        format!("{handler} has records: {left:?}"),
                    );
                }
            });
        });
    }

    fn last_session(&self) -> Option<SessionId> {
        self.manager.sessions().last().map(Session::id)
    }
}

fn begin_forget(item: &mut Item, last: Option<SessionId>) {
    item.forget();
    item.pending_forgets += 1;
    item.forgotten_in = item.forgotten_in.max(last);
}
