//! What may run now, and what was to run and did not.

use std::time::SystemTime;

use super::{Effect, HANDLER_ITSELF, HeldRun, RetryLedger, StartReason};
use crate::capabilities::Capabilities;
use crate::claim::Claim;
use crate::decision::conditions::holds;
use crate::decision::hold::Hold;
use crate::decision::resource;
use crate::decision::retry::{Ask, may_run};
use crate::explain::Known;
use crate::facts::Facts;
use crate::id::{HandlerId, ItemId};
use crate::request::RunRequest;
use crate::retry::{RetryPolicy, RetryState, Setback};
use crate::time::later;
use crate::trigger::Trigger;

impl RetryLedger {
    /// A run is about to begin. Returns why it may not; where the environment holds it, it waits until that is over.
    #[must_use = "perform the effects"]
    pub fn begin(
        &mut self,
        request: RunRequest,
        (ask, reason): (Ask, StartReason),
        capabilities: Capabilities,
        facts: Facts,
        now: SystemTime,
    ) -> (Option<Hold>, Vec<Effect>) {
        let handler = request.handler;
        if let Some(hold) = holds(facts, capabilities, request.trigger, ask) {
            self.held.add(HeldRun { request, hold: hold.clone(), ask, reason });
            // It may have been lifted since the facts were read.
            return (Some(hold), vec![Effect::Wake]);
        }
        self.held.begins(&request);
        (self.hold(handler, HANDLER_ITSELF, &[], ask, now), Vec::new())
    }

    /// A run is about to run an item with these claims. Returns why it may not run now; one that may is not due meanwhile,
    /// and how it ends says when it is again.
    #[must_use = "perform the effects"]
    pub fn select(
        &mut self,
        handler: HandlerId,
        item: ItemId,
        claims: &[&Claim],
        ask: Ask,
        now: SystemTime,
    ) -> (Option<Hold>, Vec<Effect>) {
        if self.is_clean(handler) {
            return (None, Vec::new());
        }
        if let Some(hold) = self.hold(handler, item, &[], ask, now) {
            return (Some(hold), Vec::new());
        }
        let hold = self.hold(handler, HANDLER_ITSELF, claims, ask, now);
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

    /// These items run now, and wait for the environment no more.
    pub fn runs(&mut self, handler: HandlerId, items: impl IntoIterator<Item = ItemId>) {
        self.held.runs(handler, items);
    }

    /// What was due when a run began and did not run in it, because the handler declined for example, is due again later,
    /// and runs in any session before. What `lists` does not know is not.
    #[must_use = "perform the effects"]
    pub fn put_off_missed(
        &mut self,
        handler: HandlerId,
        reason: StartReason,
        policy: &RetryPolicy,
        lists: impl Fn(ItemId) -> bool,
        now: SystemTime,
    ) -> Vec<Effect> {
        // What waited for the environment may have been due among other things, and those alone were preferred.
        if !matches!(reason, StartReason::Retry | StartReason::Lifted) {
            return Vec::new();
        }
        let now = self.time(now);
        let missed: Vec<_> = self.missed(handler, now).filter(|item| lists(*item)).collect();
        missed.into_iter().map(|item| self.postpone(handler, item, now, later(now, policy.cap))).collect()
    }

    /// Items were selected and are in no attempt, because the run was stopped before: they are due as they were, or after a
    /// wait where that has passed.
    #[must_use = "perform the effects"]
    pub fn put_back(
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
            let Some(mut state) = state.filter(|_| self.dues.due_of(handler, item).is_none()) else { continue };
            if state.until.is_some_and(|until| until <= now) {
                state.until = Some(later(now, policy.cap));
            }
            self.set_due(handler, item, Some(&state));
            effects.push(Effect::Wake);
        }
        effects
    }

    /// An item was due and is in quarantine: it stays due.
    #[must_use = "perform the effects"]
    pub fn put_off_quarantined(
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

    /// Adds what is known here to what is known of a handler, or an item of it, that claims this.
    pub fn describe(&self, known: &mut Known, claims: &[&Claim], facts: Facts, now: SystemTime) {
        let (handler, about) = (known.handler, known.item.unwrap_or(HANDLER_ITSELF));
        if let Some(retry) = self.state_of(handler, about) {
            known.record.get_or_insert_default().retry = Some(*retry);
        }
        let Some(capabilities) = self.capabilities(handler) else { return };
        known.due = match known.item {
            Some(item) => self.dues.due_of(handler, item).or_else(|| self.dues.due_of(handler, HANDLER_ITSELF)),
            None => self.dues.next_of(handler),
        };
        // What holds only what is to run: where nothing waits and nothing is due, it is not why nothing runs.
        let is_due = known.due.is_some();
        let world = holds(facts, capabilities, Trigger::Scheduled, Ask::Automatic).filter(|_| is_due);
        known.conditions.extend(self.held.hold_of(handler).cloned().or(world));
        let backing_off = self.hold(handler, HANDLER_ITSELF, claims, Ask::Automatic, now);
        known.conditions.extend(backing_off.filter(|_| is_due));
    }

    /// Why an item with these claims may not run now, if it may not.
    fn hold(&self, handler: HandlerId, item: ItemId, claims: &[&Claim], ask: Ask, now: SystemTime) -> Option<Hold> {
        let now = self.time(now);
        let own = self.state_of(handler, item).and_then(|state| may_run(state, ask, now).err());
        let mut of_claims = claims.iter().filter_map(|claim| {
            let state = self.resources.get(*claim)?;
            resource::may_run(state, ask, now).err()
        });
        own.or_else(|| of_claims.next())
    }

    /// An item is due at this time.
    fn postpone(&mut self, handler: HandlerId, item: ItemId, now: SystemTime, until: SystemTime) -> Effect {
        let waiting = RetryState::new(Setback::Backoff, now, Some(until));
        self.set_due(handler, item, Some(&waiting));
        Effect::Wake
    }

    /// What was due and was not run after all.
    fn missed(&self, handler: HandlerId, now: SystemTime) -> impl Iterator<Item = ItemId> {
        let items = self.handlers.get(&handler).into_iter().flat_map(|handler| &handler.items);
        let missed = items.filter(move |(item, state)| {
            state.until.is_some_and(|until| until <= now) && self.dues.due_of(handler, **item).is_none()
        });
        missed.map(|(item, _)| *item)
    }
}
