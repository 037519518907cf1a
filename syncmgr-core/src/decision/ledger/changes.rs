//! Local changes, and the sessions that they start.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use super::tick::start_targets;
use super::{Effect, RetryLedger, StartReason};
use crate::decision::local_changes::Changed;
use crate::decision::retry::{RequestedBy, may_run};
use crate::environment::Environment;
use crate::id::{HandlerId, ItemId};
use crate::local_change::{LocalChange, Settle};
use crate::retry::RetryPolicy;
use crate::time::later;

impl RetryLedger {
    /// Sets the times after which local changes of a registered handler start a run.
    pub fn set_settle(&mut self, handler: HandlerId, settle: Settle) {
        self.changes.set_settle(handler, settle);
    }

    /// Handles a local change of a registered handler. The item runs once its handler was quiet, the environment allows it and the
    /// handler has no other automatic run.
    #[must_use = "perform the effect"]
    pub fn local_change(&mut self, handler: HandlerId, change: LocalChange, now: SystemTime) -> Option<Effect> {
        self.needs(handler)?;
        let (now, was_fresh) = (self.time(now), self.changes.is_fresh(handler));
        let before = self.changes.next_of(handler, None);
        self.changes.changed(handler, change, now);
        // A later deadline needs no wake: the scheduler finds it when the earlier one has passed.
        let is_earlier =
            before.is_some_and(|before| self.changes.next_of(handler, None).is_some_and(|due| due < before));
        (!was_fresh || is_earlier).then_some(Effect::Wake)
    }

    /// Starts the handlers with due changes, except for those that may not run now.
    pub(super) fn start_changed(&mut self, environment: &Environment, clock: SystemTime) -> Vec<Effect> {
        let now = self.time(clock);
        self.changes.resume();
        let (mut items, mut whole) = (BTreeMap::new(), BTreeSet::new());
        for handler in self.changes.due_handlers(now) {
            if self.retry_queue.is_running(handler) {
                continue;
            }
            if self.needs(handler).is_none() || self.hold_of_start(handler, environment, clock).is_some() {
                self.changes.hold(handler);
                continue;
            }
            match self.take_changes(handler, now) {
                Changed::Items(changed) if changed.is_empty() => continue,
                Changed::Items(changed) => _ = items.insert(handler, changed),
                Changed::Everything => _ = whole.insert(handler),
            }
            self.retry_queue.start(handler);
        }
        start_targets(StartReason::LocalChange, items, whole)
    }

    /// Takes the changes of a handler for a run. An item that backs off, waits for the user or is disabled keeps its change until
    /// it runs or may run.
    fn take_changes(&mut self, handler: HandlerId, now: SystemTime) -> Changed {
        let (handlers, disabled) = (&self.handlers, &self.disabled);
        let state_of = |item| handlers.get(&handler).and_then(|handler| handler.items.get(item));
        self.changes.take(handler, |item| {
            disabled.hold_of(handler, item).is_none()
                && state_of(item).is_none_or(|state| may_run(state, RequestedBy::Automatic, now).is_ok())
        })
    }

    /// Makes the changes of a run that the environment holds fresh again. They start once the environment allows it.
    pub(super) fn put_back_changes(&mut self, handler: HandlerId) {
        self.changes.put_back(handler, self.reached);
        self.changes.hold(handler);
    }

    /// Handles the choice of all chosen items by a run, which is a full look at the handler.
    pub fn looks_at(&mut self, handler: HandlerId, items: impl IntoIterator<Item = ItemId>) {
        self.changes.looks_at(handler, items);
    }

    /// Returns `true` if any item of this handler may have changed, so that a full look is needed.
    pub fn wants_full_look(&self, handler: HandlerId) -> bool {
        self.changes.wants_full_look(handler)
    }

    /// Forgets the changes of items that do not run, because they are not chosen or not listed.
    pub fn ignore_changes(&mut self, handler: HandlerId, items: impl IntoIterator<Item = ItemId>) {
        self.changes.forget_items(handler, items);
    }

    /// Ends the change for which a run was started, because an earlier run has covered the item since.
    pub fn change_covered(&mut self, handler: HandlerId, item: ItemId) {
        self.changes.cover(handler, item);
    }

    /// Returns `true` if an item runs because of a change, so that the end of its attempt has to be recorded.
    pub fn runs_for_change(&self, handler: HandlerId, item: ItemId) -> bool {
        self.changes.is_running(handler, item)
    }

    /// Handles the end of a run: the changes for which a run was started and that no run has selected start another after a wait,
    /// for example if the handler declined.
    #[must_use = "perform the effects"]
    pub fn postpone_changes(&mut self, handler: HandlerId, policy: &RetryPolicy, now: SystemTime) -> Vec<Effect> {
        if self.changes.is_empty(handler) {
            return Vec::new();
        }
        self.changes.put_back(handler, later(self.time(now), policy.cap));
        vec![Effect::Wake]
    }
}
