//! Items and handlers are forgotten: nothing of them stays.

use syncmgr_core::id::{HandlerId, SessionId};
use syncmgr_core::store::StateStore;
use syncmgr_runtime::session::Session;

use crate::books::Item;
use crate::peer::Key;
use crate::process::Process;

impl Process<'_> {
    pub(crate) fn forget_item(&mut self, key: Key) {
        let (manager, world, disk) = (self.manager.clone(), self.world.clone(), self.disk.clone());
        let last = self.last_session();
        let after = world.left(|state| {
            forgets(state.books.item(key), last);
            state.books.attempts.len()
        });
        self.asked_to_end(|running, _| *running == key);
        self.chores.spawn(async move {
            let forgotten = manager.forget_item(key.0, key.1).await;
            let last = manager.sessions().last().map(|session| session.id());
            world.reach(|state| {
                // What begins meanwhile begins anew, and may save something.
                let begun = state.books.attempts.iter().skip(after).any(|attempt| attempt.key == key);
                let item = state.books.item(key);
                (item.forgetting, item.forgotten_in) = (item.forgetting.saturating_sub(1), item.forgotten_in.max(last));
                let left = disk.store.record(key.0, key.1).ok().flatten().filter(|record| record.checkpoint.is_some());
                if forgotten.is_ok() && !begun && item.running.is_none() && left.is_some() && item.forgetting == 0 {
                    state.breaks("what is forgotten leaves nothing", format!("{key:?} has a record: {left:?}"));
                }
            });
        });
    }

    pub(crate) fn forget(&mut self, handler: HandlerId) {
        let (manager, world, disk) = (self.manager.clone(), self.world.clone(), self.disk.clone());
        let last = self.last_session();
        let of_handler = move |key: &Key| key.0 == handler;
        world.reach(|state| {
            let items = state.books.items.iter_mut().filter(|(key, _)| of_handler(key));
            items.for_each(|(_, item)| forgets(item, last));
        });
        self.asked_to_end(|running, _| running.0 == handler);
        self.chores.spawn(async move {
            let forgotten = manager.forget(handler).await;
            let last = manager.sessions().last().map(|session| session.id());
            world.reach(|state| {
                for (_, item) in state.books.items.iter_mut().filter(|(key, _)| of_handler(key)) {
                    let left = item.forgetting.saturating_sub(1);
                    (item.forgetting, item.forgotten_in) = (left, item.forgotten_in.max(last));
                }
                let left = disk.store.known(handler).unwrap_or_default();
                if forgotten.is_ok() && manager.registration(handler).is_none() && !left.is_empty() {
                    state.breaks("what is forgotten leaves nothing", format!("{left:?} of {handler}"));
                }
            });
        });
    }

    fn last_session(&self) -> Option<SessionId> {
        self.manager.sessions().last().map(Session::id)
    }
}

fn forgets(item: &mut Item, last: Option<SessionId>) {
    item.forget();
    item.forgetting += 1;
    item.forgotten_in = item.forgotten_in.max(last);
}
