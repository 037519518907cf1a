//! The sessions that the scheduler starts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use super::{Effect, HANDLER_ITSELF, HeldRun, InterruptedRun, RetryLedger, Start, StartReason, Targets, writes};
use crate::decision::environment_holds::{holds, reconnected};
use crate::decision::retry::{ClearedBy, clear};
use crate::environment::Environment;
use crate::id::{HandlerId, ItemId, SessionId};
use crate::retry::RetryState;
use crate::store::StateChange;

impl RetryLedger {
    /// Starts due items, interrupted runs, and held runs that the environment now allows.
    ///
    /// `waited_for` is the deadline for which the scheduler has waited, if any. It counts as reached, whatever the clock says.
    #[must_use = "perform the effects"]
    pub fn tick(&mut self, waited_for: Option<SystemTime>, environment: Environment, now: SystemTime) -> Vec<Effect> {
        self.reached = waited_for.map_or(self.reached, |deadline| deadline.max(self.reached));
        let due = self.retry_queue.take_due(self.time(now));
        let mut effects = start_items(due);
        effects.extend(self.resume());
        effects.extend(self.start_lifted(environment));
        effects
    }

    /// Returns the deadline for the next call of [`tick`](Self::tick).
    pub fn next_deadline(&self) -> Option<SystemTime> {
        self.retry_queue.next()
    }

    /// Returns `true` if the scheduler may have to start a session.
    pub fn has_pending(&self) -> bool {
        self.interrupted.is_to_resume() || self.next_deadline().is_some() || !self.held.is_empty()
    }

    /// Handles a change of the environment. When the network is back, all backoffs end.
    #[must_use = "perform the effects"]
    pub fn environment_changed(&mut self, before: Environment, environment: Environment) -> Vec<Effect> {
        if !reconnected(before, environment) {
            return Vec::new();
        }
        let mut effects = Vec::new();
        let items = self.clear_items();
        for (handler, items) in &items {
            let cleared = |item: &ItemId| StateChange::Retry { handler: *handler, item: *item, retry: None };
            effects.extend(writes(items.iter().map(cleared)));
        }
        self.resources.retain(|claim, state| {
            let cleared = backs_off(state).then(|| StateChange::Resource { claim: claim.clone(), retry: None });
            effects.extend(writes(cleared));
            !backs_off(state)
        });
        effects.extend(start_items(items));
        effects
    }

    /// Clears the backoff of all items of registered handlers. Returns these items.
    fn clear_items(&mut self) -> BTreeMap<HandlerId, BTreeSet<ItemId>> {
        let mut cleared = BTreeMap::<_, BTreeSet<_>>::new();
        for (id, handler) in self.handlers.iter_mut().filter(|(_, handler)| handler.registered.is_some()) {
            let items = handler.items.iter().filter(|(_, state)| backs_off(state)).map(|(item, _)| *item);
            let items: BTreeSet<_> = items.collect();
            handler.items.retain(|item, _| !items.contains(item));
            items.iter().for_each(|item| self.retry_queue.forget_item(*id, *item));
            cleared.extend((!items.is_empty()).then_some((*id, items)));
        }
        cleared
    }

    /// Returns the interrupted runs of a handler. They stay until the run that resumes them is [`finished`](Self::finished).
    pub fn interrupted(&self, handler: HandlerId) -> Vec<InterruptedRun> {
        self.interrupted.of(handler)
    }

    /// Handles the end of the run that resumed the handler's part of these sessions.
    #[must_use = "perform the effects"]
    pub fn finished(&mut self, handler: HandlerId, sessions: &[SessionId], now: SystemTime) -> Vec<Effect> {
        writes(self.interrupted.done(handler, sessions, now))
    }

    /// Starts the interrupted runs.
    fn resume(&mut self) -> Option<Effect> {
        let is_registered = |of| self.handlers.get(&of).is_some_and(|handler| handler.registered.is_some());
        let handlers = self.interrupted.take_to_resume(is_registered);
        (!handlers.is_empty()).then(|| Start::scheduled(StartReason::Resumed, Targets::Handlers(handlers)))
    }

    /// Starts the held runs that the environment now allows. A run whose handler no longer exists starts too, and fails.
    fn start_lifted(&mut self, environment: Environment) -> Vec<Effect> {
        let is_lifted = |held: &HeldRun| {
            let handler = self.handlers.get(&held.request.handler);
            let capabilities = handler.and_then(|handler| handler.registered);
            capabilities.is_none_or(|capabilities| {
                holds(environment, capabilities, held.request.trigger, held.requested_by).is_none()
            })
        };
        let lifted = self.held.take_lifted(is_lifted);
        lifted.into_iter().map(start_held).collect()
    }
}

fn start_held(held: HeldRun) -> Effect {
    let HeldRun { request, requested_by, reason, .. } = held;
    let reason = if reason == StartReason::Resumed { reason } else { StartReason::HoldLifted };
    Effect::Start(Start { reason, trigger: request.trigger, requested_by, targets: Targets::of(request) })
}

/// Starts due items. A handler that could not begin runs with its preferred items.
fn start_items(due: BTreeMap<HandlerId, BTreeSet<ItemId>>) -> Vec<Effect> {
    let (whole, items): (BTreeMap<_, _>, BTreeMap<_, _>) =
        due.into_iter().partition(|(_, items)| items.contains(&HANDLER_ITSELF));
    let items = (!items.is_empty()).then_some(Targets::Items(items));
    let whole = (!whole.is_empty()).then(|| Targets::Handlers(whole.into_keys().collect()));
    items.into_iter().chain(whole).map(|targets| Start::scheduled(StartReason::Retry, targets)).collect()
}

fn backs_off(state: &RetryState) -> bool {
    clear(Some(*state), ClearedBy::Reconnect).is_none()
}
