//! Disabled handlers and items.

use std::collections::BTreeSet;
use std::time::Duration;

use syncmgr_core::id::{HandlerId, ItemId, Subject};
use syncmgr_core::store::StateStore;

use crate::model::Model;
use crate::peer::Key;
use crate::process::Process;
use crate::provider::item_id;

/// The time in which an item may still begin that a worker had taken when it was disabled.
const TAKEN: Duration = Duration::from_secs(1);

impl Process<'_> {
    /// Disables a handler or an item. The call takes effect at once; its write continues in the background.
    pub(crate) fn disable(&mut self, handler: HandlerId, subject: Subject) {
        self.sim.try_with(|state| {
            let now = state.elapsed();
            state.model.disabled.entry((handler, subject)).or_insert(now);
            // What is disabled need not run before it is enabled.
            state.model.drop_all_promises(|key| match subject {
                Subject::Item(item) => *key == (handler, item),
                _ => key.0 == handler,
            });
        });
        let manager = self.manager.clone();
        self.tasks.spawn(async move { drop(manager.disable(handler, subject, "disabled by a step").await) });
    }

    pub(crate) fn enable(&mut self, handler: HandlerId, subject: Subject) {
        self.sim.try_with(|state| state.model.disabled.remove(&(handler, subject)));
        let manager = self.manager.clone();
        self.tasks.spawn(async move { drop(manager.enable(handler, subject).await) });
    }

    /// Enables everything.
    pub(crate) fn enable_all(&mut self) {
        let disabled = self.sim.with(|state| std::mem::take(&mut state.model.disabled));
        let stored = self.handler_ids.iter().flat_map(|handler| {
            let subjects = self.disk.store.disabled(*handler).unwrap_or_default();
            subjects.into_keys().map(|subject| (*handler, subject))
        });
        let all: BTreeSet<_> = disabled.into_keys().chain(stored).collect();
        all.into_iter().for_each(|(handler, subject)| self.enable(handler, subject));
    }
}

impl Model {
    /// Removes what is disabled of a forgotten handler or item.
    pub(crate) fn enable_forgotten(&mut self, handler: HandlerId, item: Option<ItemId>) {
        let is_forgotten = |subject: Subject| item.is_none() || subject.item() == item;
        self.disabled.retain(|(of, subject), _| *of != handler || !is_forgotten(*subject));
    }

    /// Returns `true` if the item was disabled when a worker took it.
    pub(crate) fn is_disabled(&self, key: Key, now: Duration) -> bool {
        let subjects = [Subject::Handler, Subject::Item(key.1)];
        let since = subjects.iter().filter_map(|subject| self.disabled.get(&(key.0, *subject)));
        since.min().is_some_and(|since| now > *since + TAKEN)
    }
}

/// Returns a handler, or one of its items, by index.
pub(crate) fn subject(handler: usize, item: Option<usize>) -> Subject {
    item.map_or(Subject::Handler, |item| Subject::Item(item_id(handler, item)))
}
