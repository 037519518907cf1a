//! The selection of items that may run now, and the new due times of items that did not run.

use std::time::SystemTime;

use super::{Effect, HANDLER_ITSELF, HeldRun, RetryLedger, StartReason};
use crate::capabilities::Capabilities;
use crate::claim::Claim;
use crate::decision::environment_holds::holds;
use crate::decision::hold::Hold;
use crate::decision::resource;
use crate::decision::retry::{RequestedBy, may_run};
use crate::environment::Environment;
use crate::explain::Known;
use crate::id::{HandlerId, ItemId};
use crate::request::RunRequest;
use crate::retry::{RetryPolicy, RetryState, RetryStatus};
use crate::time::later;
use crate::trigger::Trigger;

impl RetryLedger {
    /// Begins a run. Returns the reason if it may not begin; a run that the environment holds is started later.
    #[must_use = "perform the effects"]
    pub fn begin(
        &mut self,
        request: RunRequest,
        (requested_by, reason): (RequestedBy, StartReason),
        capabilities: Capabilities,
        environment: Environment,
        now: SystemTime,
    ) -> (Option<Hold>, Vec<Effect>) {
        let handler = request.handler;
        if let Some(hold) = holds(environment, capabilities, request.trigger, requested_by) {
            self.held.add(HeldRun { request, hold: hold.clone(), requested_by, reason });
            // The environment may have changed since it was read.
            return (Some(hold), vec![Effect::Wake]);
        }
        self.held.begins(&request);
        (self.hold(handler, HANDLER_ITSELF, &[], requested_by, now), Vec::new())
    }

    /// Selects an item with these claims for a run. Returns the reason if it may not run now. A selected item is no longer due;
    /// the end of its attempt sets the next due time.
    #[must_use = "perform the effects"]
    pub fn select(
        &mut self,
        handler: HandlerId,
        item: ItemId,
        claims: &[&Claim],
        requested_by: RequestedBy,
        now: SystemTime,
    ) -> (Option<Hold>, Vec<Effect>) {
        if self.is_clean(handler) {
            return (None, Vec::new());
        }
        if let Some(hold) = self.hold(handler, item, &[], requested_by, now) {
            return (Some(hold), Vec::new());
        }
        let hold = self.hold(handler, HANDLER_ITSELF, claims, requested_by, now);
        match hold {
            Some(Hold::BackingOff { until, .. } | Hold::NotBefore { until }) => {
                let wake = self.postpone(handler, item, self.time(now), until);
                (hold, vec![wake])
            }
            _ => {
                self.set_due(handler, item, None);
                (hold, Vec::new())
            }
        }
    }

    /// Removes these items from the held run, because they run now.
    pub fn runs(&mut self, handler: HandlerId, items: impl IntoIterator<Item = ItemId>) {
        self.held.runs(handler, items);
    }

    /// Postpones items that were due when a run began and did not run in it, for example because the handler declined. A
    /// session that starts earlier still runs them. Items for which `lists` returns `false` are not postponed.
    #[must_use = "perform the effects"]
    pub fn postpone_missed(
        &mut self,
        handler: HandlerId,
        reason: StartReason,
        policy: &RetryPolicy,
        lists: impl Fn(ItemId) -> bool,
        now: SystemTime,
    ) -> Vec<Effect> {
        // Only sessions with these reasons were started for due items. A `HoldLifted` run may have been a retry before it was held.
        if !matches!(reason, StartReason::Retry | StartReason::HoldLifted) {
            return Vec::new();
        }
        let now = self.time(now);
        let missed: Vec<_> = self.missed(handler, now).filter(|item| lists(*item)).collect();
        missed.into_iter().map(|item| self.postpone(handler, item, now, later(now, policy.cap))).collect()
    }

    /// Returns selected items that have no attempt because the run was stopped before. Each is due again at its old time, or
    /// after a wait if that time has passed.
    #[must_use = "perform the effects"]
    pub fn requeue(
        &mut self,
        handler: HandlerId,
        items: impl IntoIterator<Item = ItemId>,
        policy: &RetryPolicy,
        now: SystemTime,
    ) -> Vec<Effect> {
        let now = self.time(now);
        let mut effects = Vec::new();
        for item in items {
            let state = self.state_of(handler, item).copied();
            let Some(mut state) = state.filter(|_| self.retry_queue.due_of(handler, item).is_none()) else { continue };
            if state.until.is_some_and(|until| until <= now) {
                state.until = Some(later(now, policy.cap));
            }
            self.set_due(handler, item, Some(&state));
            effects.push(Effect::Wake);
        }
        effects
    }

    /// Postpones a due item that is in quarantine.
    #[must_use = "perform the effects"]
    pub fn postpone_quarantined(
        &mut self,
        handler: HandlerId,
        item: ItemId,
        reason: StartReason,
        policy: &RetryPolicy,
        now: SystemTime,
    ) -> Vec<Effect> {
        let now = self.time(now);
        match reason {
            StartReason::Retry => vec![self.postpone(handler, item, now, later(now, policy.initial))],
            _ => Vec::new(),
        }
    }

    /// Adds the ledger's data about a handler, or about one of its items with these claims, to `known`.
    pub fn describe(&self, known: &mut Known, claims: &[&Claim], environment: Environment, now: SystemTime) {
        let (handler, about) = (known.handler, known.item.unwrap_or(HANDLER_ITSELF));
        if let Some(retry) = self.state_of(handler, about) {
            known.record.get_or_insert_default().retry = Some(*retry);
        }
        let Some(capabilities) = self.capabilities(handler) else { return };
        known.due = match known.item {
            Some(item) => {
                self.retry_queue.due_of(handler, item).or_else(|| self.retry_queue.due_of(handler, HANDLER_ITSELF))
            }
            None => self.retry_queue.next_of(handler),
        };
        // The environment and a backoff explain an idle handler only if it has due items.
        let is_due = known.due.is_some();
        let environment =
            holds(environment, capabilities, Trigger::Scheduled, RequestedBy::Automatic).filter(|_| is_due);
        known.other_holds.extend(self.held.hold_of(handler).cloned().or(environment));
        let backing_off = self.hold(handler, HANDLER_ITSELF, claims, RequestedBy::Automatic, now);
        known.other_holds.extend(backing_off.filter(|_| is_due));
    }

    /// Returns the reason why an item with these claims may not run now, if there is one.
    fn hold(
        &self,
        handler: HandlerId,
        item: ItemId,
        claims: &[&Claim],
        requested_by: RequestedBy,
        now: SystemTime,
    ) -> Option<Hold> {
        let now = self.time(now);
        let own = self.state_of(handler, item).and_then(|state| may_run(state, requested_by, now).err());
        let mut of_claims = claims.iter().filter_map(|claim| {
            let state = self.resources.get(*claim)?;
            resource::may_run(state, requested_by, now).err()
        });
        own.or_else(|| of_claims.next())
    }

    /// Makes an item due at `until`.
    pub(super) fn postpone(&mut self, handler: HandlerId, item: ItemId, now: SystemTime, until: SystemTime) -> Effect {
        let waiting = RetryState::new(RetryStatus::Backoff, now, Some(until));
        self.set_due(handler, item, Some(&waiting));
        Effect::Wake
    }

    /// Returns the items whose wait is over and that are not in the retry queue.
    fn missed(&self, handler: HandlerId, now: SystemTime) -> impl Iterator<Item = ItemId> {
        let items = self.handlers.get(&handler).into_iter().flat_map(|handler| &handler.items);
        let missed = items.filter(move |(item, state)| {
            state.until.is_some_and(|until| until <= now) && self.retry_queue.due_of(handler, **item).is_none()
        });
        missed.map(|(item, _)| *item)
    }
}
