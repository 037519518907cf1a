//! The selection of items that may run now, and the new due times of items that did not run.

use std::collections::BTreeSet;
use std::time::SystemTime;

use super::{Effect, HANDLER_ITSELF, Handler, HeldRun, RetryLedger, StartReason, writes};
use crate::claim::Claim;
use crate::decision::environment_holds::holds;
use crate::decision::hold::Hold;
use crate::decision::needs::Needs;
use crate::decision::resource;
use crate::decision::retry::{RequestedBy, clear, may_run};
use crate::environment::Environment;
use crate::explain::{Known, Listed};
use crate::id::{HandlerId, ItemId};
use crate::register::Generation;
use crate::request::RunRequest;
use crate::requirements::Requirements;
use crate::retry::{RetryPolicy, RetryState, RetryStatus};
use crate::store::StateChange;
use crate::time::later;
use crate::trigger::Trigger;

impl RetryLedger {
    /// Begins a run. Returns the reason if it may not begin; a run that the environment holds is started later.
    #[must_use = "perform the effects"]
    pub fn begin(
        &mut self,
        request: RunRequest,
        (requested_by, reason): (RequestedBy, StartReason),
        needs: impl Into<Needs>,
        environment: &Environment,
        now: SystemTime,
    ) -> (Option<Hold>, Vec<Effect>) {
        let handler = request.handler;
        if let Some(hold) = self.disabled.hold_of(handler, HANDLER_ITSELF) {
            // Its firing is used up, or it has waited already. What other automatic runs were started for stays due.
            if matches!(reason, StartReason::Scheduled | StartReason::HoldLifted) {
                self.held.add(HeldRun::new(request, (requested_by, reason)).with_hold(hold.clone()));
            }
            return (Some(hold), Vec::new());
        }
        let surroundings = self.surroundings(environment, now);
        if let Some(hold) = holds(surroundings, needs, request.trigger, requested_by) {
            match reason {
                StartReason::LocalChange => self.put_back_changes(handler),
                // A run for what is about to end is not made up for afterwards.
                StartReason::Ending => {}
                _ => self.held.add(HeldRun::new(request, (requested_by, reason)).with_hold(hold.clone())),
            }
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
        if let Some(hold) = self.disabled.hold_of(handler, item) {
            return (Some(hold), Vec::new());
        }
        if let Some(hold) = self.hold(handler, item, &[], requested_by, now) {
            return (Some(hold), Vec::new());
        }
        let mut effects = self.clear_claims(claims, requested_by, now);
        let hold = self.hold(handler, HANDLER_ITSELF, claims, requested_by, now);
        let next = self.retry_queue.next_of(handler);
        self.retry_queue.forget_item(handler, item);
        effects.extend(self.wake_if_earlier(handler, next));
        self.due_without_state.remove(&(handler, item));
        match &hold {
            Some(hold) => effects.extend(self.postpone_held(handler, item, claims, hold, now)),
            None => self.changes.select(handler, item),
        }
        (hold, effects)
    }

    /// Checks the claims of a selected item that is about to begin. Returns the reason if it may not begin, because one of its
    /// claims has been held back since the selection. A claim holds requested items too: the request has cleared its earlier waits.
    #[must_use = "perform the effects"]
    pub fn hold_of_claims(
        &mut self,
        handler: HandlerId,
        item: ItemId,
        claims: &[&Claim],
        now: SystemTime,
    ) -> (Option<Hold>, Vec<Effect>) {
        let hold = self.claims_hold(claims, RequestedBy::Automatic, self.time(now));
        let effects = hold.as_ref().and_then(|hold| self.postpone_held(handler, item, claims, hold, now));
        (hold, effects.into_iter().collect())
    }

    /// Ends the waits of these claims that a request for an item clears.
    fn clear_claims(&mut self, claims: &[&Claim], requested_by: RequestedBy, now: SystemTime) -> Vec<Effect> {
        let Some(by) = requested_by.clears() else { return Vec::new() };
        let now = self.time(now);
        let is_cleared = |state: &RetryState| {
            resource::may_run(state, RequestedBy::Automatic, now).is_err() && clear(Some(*state), by).is_none()
        };
        let cleared = claims.iter().filter(|claim| self.resources.get(**claim).is_some_and(is_cleared));
        let cleared: Vec<Claim> = cleared.map(|claim| (*claim).clone()).collect();
        self.resources.retain(|claim, _| !cleared.contains(claim));
        let mut effects = self.start_held_back(&cleared, now);
        effects.extend(writes(cleared.into_iter().map(|claim| StateChange::Resource { claim, retry: None })));
        effects
    }

    /// Makes the items that these claims held back due now, or once their own wait is over.
    pub(super) fn start_held_back(&mut self, claims: &[Claim], now: SystemTime) -> Vec<Effect> {
        let held = self.due_without_state.iter().filter(|(_, of)| of.iter().any(|claim| claims.contains(claim)));
        let held =
            held.map(|(key, _)| *key).filter(|(handler, item)| self.retry_queue.due_of(*handler, *item).is_some());
        let mut effects = Vec::new();
        for (handler, item) in held.collect::<Vec<_>>() {
            let own = self.state_of(handler, item).and_then(|state| state.until);
            effects.push(self.postpone(handler, item, now, own.map_or(now, |own| own.max(now))));
        }
        effects
    }

    /// Makes an item due once its hold has ended, and not before its own wait is over.
    fn postpone_held(
        &mut self,
        handler: HandlerId,
        item: ItemId,
        claims: &[&Claim],
        hold: &Hold,
        now: SystemTime,
    ) -> Option<Effect> {
        let (Hold::BackingOff { until, .. } | Hold::NotBefore { until }) = hold else { return None };
        self.due_without_state.insert((handler, item), claims.iter().map(|claim| (*claim).clone()).collect());
        let own = self.state_of(handler, item).and_then(|state| state.until);
        Some(self.postpone(handler, item, self.time(now), own.map_or(*until, |own| own.max(*until))))
    }

    /// Removes these items from the held run, because they run now.
    pub fn runs(&mut self, handler: HandlerId, items: impl IntoIterator<Item = ItemId>) {
        self.held.runs(handler, items);
    }

    /// [Requeues](Self::requeue) items that were due when a run began and did not run in it, for example because the handler
    /// declined. Items for which `lists` returns `false` are not requeued.
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
        let takes_along = matches!(reason, StartReason::Scheduled | StartReason::LocalChange);
        if !takes_along && !matches!(reason, StartReason::Retry | StartReason::HoldLifted) {
            return Vec::new();
        }
        let items = self.handlers.get(&handler).into_iter().flat_map(|handler| handler.items.keys());
        let waits = |item: ItemId| {
            self.retry_queue.due_of(handler, item).is_some() || self.held.with_item(handler, item).is_some()
        };
        let is_missed = |item: &ItemId| !waits(*item) && lists(*item);
        let missed: BTreeSet<_> = items.chain(self.due_without_state_of(handler)).filter(is_missed).collect();
        self.requeue(handler, missed, policy, now)
    }

    /// Handles a complete listing of this registration of a handler. An item that is not listed does not run; it is due again once
    /// it is listed.
    #[must_use = "perform the effects"]
    pub fn listed(
        &mut self,
        handler: HandlerId,
        generation: Generation,
        now: SystemTime,
        lists: impl Fn(ItemId) -> bool,
    ) -> Vec<Effect> {
        let now = self.time(now);
        let known = self.handlers.get_mut(&handler).filter(|known| known.generation == generation);
        let Some(Handler { items, unlisted, .. }) = known else { return Vec::new() };
        let is_missing = |item: &ItemId| *item != HANDLER_ITSELF && !lists(*item);
        let listed_again: Vec<_> = unlisted.iter().copied().filter(|item| lists(*item)).collect();
        unlisted.retain(|item| !lists(*item));
        unlisted.extend(items.keys().filter(is_missing));
        let listed_again = listed_again.into_iter().filter_map(|item| Some((item, *items.get(item)?)));
        for (item, state) in listed_again.collect::<Vec<_>>() {
            self.set_due(handler, item, &state, now);
        }
        let missing: Vec<_> = self.retry_queue.items_of(handler).filter(is_missing).collect();
        missing.into_iter().for_each(|item| self.retry_queue.forget_item(handler, item));
        self.due_without_state.retain(|(of, item), _| *of != handler || lists(*item));
        self.suspects.retain(|(of, item)| *of != handler || lists(*item));
        vec![Effect::Wake]
    }

    /// Makes items due again that were taken from the queue and have no attempt, for example because their run was stopped
    /// before. Each is due at its old time, or after a wait if that time has passed. A session that starts earlier still runs it.
    /// An item that a later listing lacked is not due.
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
            let state = self.state_of(handler, item).copied().filter(|state| state.until.is_some());
            let is_unstated = self.due_without_state.contains_key(&(handler, item));
            let state = state.or(is_unstated.then(|| RetryState::new(RetryStatus::Backoff, now, Some(now))));
            let is_queued = self.retry_queue.due_of(handler, item).is_some();
            let is_unlisted = self.is_unlisted(handler, item);
            let Some(state) = state.filter(|_| !is_queued && !is_unlisted) else { continue };
            if may_run(&state, RequestedBy::Automatic, now).is_ok() {
                effects.push(self.postpone(handler, item, now, later(now, policy.cap)));
            } else {
                self.set_due(handler, item, &state, now);
                effects.push(Effect::Wake);
            }
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

    /// Adds the ledger's data about a handler, or about one of its items with these claims and requirements, to `known`.
    pub fn describe(
        &self,
        known: &mut Known,
        (claims, requirements): (&[&Claim], &Requirements),
        environment: &Environment,
        now: SystemTime,
    ) {
        let (handler, about) = (known.handler, known.item.unwrap_or(HANDLER_ITSELF));
        if let Some(retry) = self.state_of(handler, about) {
            known.record.get_or_insert_default().retry = Some(*retry);
        }
        known.other_holds.extend(self.disabled.hold_of(handler, about));
        let Some(needs) = self.needs(handler) else { return };
        known.due = match known.item {
            Some(item) => {
                self.retry_queue.due_of(handler, item).or_else(|| self.retry_queue.due_of(handler, HANDLER_ITSELF))
            }
            None => self.retry_queue.next_of(handler),
        };
        known.due = known.due.into_iter().chain(self.changes.next_of(handler, known.item)).min();
        // The environment and a backoff explain an idle handler only if it has due items.
        let is_due = known.due.is_some() || self.has_fired(known);
        let (surroundings, needs) = (self.surroundings(environment, now), needs.with_requirements_of(requirements));
        let due = known.due.into_iter().chain(self.firings_of(known, now)).min();
        known.due = due.map(|due| needs.requirements.opens(due));
        let by_item = known.item.and_then(|item| self.held.with_item(handler, item));
        let concerns = |held: &&HeldRun| {
            let has = |item| held.request.items.as_ref().is_none_or(|items| items.contains(&item));
            held.requirements.is_empty() && known.item.is_none_or(has) && self.disabled.allows(&held.request)
        };
        let waiting = self.held.of(handler).find(concerns).or(by_item);
        let held = waiting.and_then(|held| self.environment_hold_of(held, environment, now));
        if waiting.is_some() && held.is_none() {
            let starts = self.environment_starts.next().unwrap_or(self.time(now));
            known.due = known.due.into_iter().chain([starts]).min();
        }
        let never = needs.requirements.contradiction().is_some() || needs.requirements.never_open(now);
        let of_environment = holds(surroundings, needs, Trigger::Scheduled, RequestedBy::Automatic).filter(|_| is_due);
        known.other_holds.extend(held.or(of_environment));
        known.other_holds.extend(never.then_some(Hold::Contradictory));
        let held_back = known.item.and_then(|item| self.due_without_state.get(&(handler, item)));
        if known.listed == Listed::Unknown {
            let unlisted = known.item.is_some_and(|item| self.is_unlisted(handler, item));
            known.listed = match held_back {
                _ if unlisted => Listed::Absent,
                Some(_) => Listed::Present,
                None => Listed::Unknown,
            };
        }
        let claims: Vec<&Claim> = claims.iter().copied().chain(held_back.into_iter().flatten()).collect();
        let backing_off = self.hold(handler, HANDLER_ITSELF, &claims, RequestedBy::Automatic, now);
        known.other_holds.extend(backing_off.filter(|_| is_due));
    }

    /// Returns `true` if the last complete listing lacked this item, which has a retry state.
    fn is_unlisted(&self, handler: HandlerId, item: ItemId) -> bool {
        self.handlers.get(&handler).is_some_and(|handler| handler.unlisted.contains(&item))
    }

    /// Returns the reason why an item with these claims may not run now, if there is one.
    pub(super) fn hold(
        &self,
        handler: HandlerId,
        item: ItemId,
        claims: &[&Claim],
        requested_by: RequestedBy,
        now: SystemTime,
    ) -> Option<Hold> {
        let now = self.time(now);
        let own = self.state_of(handler, item).and_then(|state| may_run(state, requested_by, now).err());
        own.or_else(|| self.claims_hold(claims, requested_by, now))
    }

    /// Returns the reason why an item with these claims may not run now, if one of the claims is held back.
    fn claims_hold(&self, claims: &[&Claim], requested_by: RequestedBy, now: SystemTime) -> Option<Hold> {
        let mut resources = claims.iter().filter_map(|claim| self.resources.get(*claim));
        resources.find_map(|state| resource::may_run(state, requested_by, now).err())
    }

    /// Makes an item due at `until`.
    pub(super) fn postpone(&mut self, handler: HandlerId, item: ItemId, now: SystemTime, until: SystemTime) -> Effect {
        let waiting = RetryState::new(RetryStatus::Backoff, now, Some(until));
        self.set_due(handler, item, &waiting, now);
        Effect::Wake
    }
}
