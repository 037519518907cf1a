//! The sessions that the scheduler starts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::SystemTime;

use super::{
    Effect, FailedSince, HANDLER_ITSELF, HeldRun, InterruptedRun, RetryLedger, Start, StartReason, Targets, writes,
};
use crate::claim::Claim;
use crate::decision::environment_holds::{holds, is_connected, reconnected};
use crate::decision::hold::Hold;
use crate::decision::retry::{ClearedBy, RequestedBy, clear};
use crate::environment::Environment;
use crate::id::{HandlerId, ItemId, SessionId};
use crate::register::{Generation, RegisterFlags};
use crate::request::RunRequest;
use crate::retry::RetryState;
use crate::store::StateChange;
use crate::trigger::Trigger;

impl RetryLedger {
    /// Starts due items, schedules that fire, changed items, interrupted runs, held runs that the environment now allows, and the runs
    /// for an idle user and for what is about to end. Nothing else starts while the machine is about to go down.
    ///
    /// `waited_for` is the deadline for which the scheduler has waited, if any. It counts as reached, whatever the clock says.
    #[must_use = "perform the effects"]
    pub fn tick(&mut self, waited_for: Option<SystemTime>, environment: &Environment, now: SystemTime) -> Vec<Effect> {
        self.reached = waited_for.map_or(self.reached, |deadline| deadline.max(self.reached));
        let effects = self.start_due(environment, now);
        self.for_registrations_so_far(effects)
    }

    /// `clock` is the time of day. Schedules and windows go by it alone, also if it was set back.
    fn start_due(&mut self, environment: &Environment, clock: SystemTime) -> Vec<Effect> {
        let now = self.time(clock);
        let mut effects = self.follow_ending(environment, now);
        if self.windows.follow(clock) {
            self.version += 1;
            effects.push(Effect::CheckRuns);
        }
        let next_idle = self.idle.next();
        let is_idle = self.idle.begins(environment, now);
        self.version += u64::from(is_idle || self.idle.next() != next_idle);
        if is_idle {
            self.request_runs(RegisterFlags::IDLE, Trigger::Idle, &Hold::UserActive);
            effects.push(Effect::CheckRuns);
        }
        if self.endings.suspends_starts() {
            return effects;
        }
        // Held runs start first, because an automatic run takes along the due items of its handler.
        if self.environment_starts.is_ready(now) {
            effects.extend(self.start_after_environment(environment, clock));
        }
        // Schedules before retries: a run that a schedule starts takes along the due items of its handler.
        effects.extend(self.start_fired(environment, clock));
        effects.extend(start_items(self.retry_queue.take_due(now)));
        effects.extend(self.start_changed(environment, clock));
        effects.extend(self.resume());
        effects
    }

    /// Returns the deadline for the next call of [`tick`](Self::tick).
    pub fn next_deadline(&self) -> Option<SystemTime> {
        if self.endings.suspends_starts() {
            return self.endings.next();
        }
        let environment = self.environment_starts.next().filter(|_| self.waits_for_environment());
        // A network that is back waits for the end of the interval too.
        let connect = self.connect_delay.next().filter(|_| self.reconnected.is_some());
        let connect = connect.map(|connect| self.environment_starts.next().map_or(connect, |next| next.max(connect)));
        let events = connect.into_iter().chain(self.idle.next()).chain(self.endings.next());
        let changes = self.changes.next_of_free(|handler| !self.retry_queue.is_running(handler));
        self.retry_queue.next().into_iter().chain(environment).chain(events).chain(changes).min()
    }

    /// Returns the next time, by the clock, at which a schedule fires or a window opens or closes. Call [`tick`](Self::tick) at
    /// this time too.
    pub fn next_by_clock(&self) -> Option<SystemTime> {
        let next = self.schedules.timetable.next().into_iter().chain(self.windows.next()).min();
        next.filter(|_| !self.endings.suspends_starts())
    }

    /// Returns `true` if the scheduler may have to start a session.
    pub fn has_pending(&self) -> bool {
        let has_more = !self.held.is_empty() || self.changes.any_is_fresh() || self.has_schedules();
        self.interrupted.is_to_resume() || self.next_deadline().is_some() || has_more
    }

    /// Handles a change of the environment. When the network is back, all backoffs end and the handlers that are registered for
    /// the event run: after the [connect delay](Self::with_connect_delay), and not before the end of the
    /// [reconnect interval](Self::with_reconnect_interval) if one is in progress.
    ///
    /// See also: R9.
    #[must_use = "perform the effects"]
    pub fn environment_changed(
        &mut self,
        before: &Environment,
        environment: &Environment,
        now: SystemTime,
    ) -> Vec<Effect> {
        let (clock, now) = (now, self.time(now));
        if !reconnected(before, environment) {
            self.check_connection(before, environment, now);
            return Vec::new();
        }
        self.reconnected = Some(FailedSince::default());
        self.connect_delay.start_interval(now);
        // The next tick reconnects, or waits for the end of the delay or the interval.
        if self.endings.suspends_starts() || !self.connect_delay.is_ready(now) || !self.environment_starts.is_ready(now)
        {
            return vec![Effect::Wake];
        }
        let effects = self.start_after_environment(environment, clock);
        self.for_registrations_so_far(effects)
    }

    /// Limits these starts to the handlers that are registered now: another handler may be registered before they are performed.
    fn for_registrations_so_far(&self, mut effects: Vec<Effect>) -> Vec<Effect> {
        for effect in &mut effects {
            if let Effect::Start(start) = effect {
                start.latest = self.latest;
            }
        }
        effects
    }

    /// Starts what the environment now allows. Nothing more starts for this reason until the interval has passed.
    fn start_after_environment(&mut self, environment: &Environment, clock: SystemTime) -> Vec<Effect> {
        let now = self.time(clock);
        let is_stable = self.connect_delay.is_ready(now);
        let reconnected = if is_stable { self.reconnected.take() } else { None };
        let reconnected = reconnected.filter(|_| is_connected(environment));
        if reconnected.is_some() {
            self.request_runs(RegisterFlags::CONNECT, Trigger::Connect, &Hold::Offline);
        }
        // Decided first, so that these runs take along the items whose backoffs end, and performed last, after the changes
        // of those items.
        let lifted = self.start_lifted(environment, clock);
        let mut effects = reconnected.map(|failed| self.reconnect(&failed, now)).unwrap_or_default();
        effects.extend(lifted);
        if !effects.is_empty() {
            self.environment_starts.start_interval(now);
        }
        effects
    }

    /// Begins the connect delay again if another link carries the traffic, and drops it if the connection is lost.
    fn check_connection(&mut self, before: &Environment, environment: &Environment, now: SystemTime) {
        if self.reconnected.is_none() || self.connect_delay.is_ready(now) {
            return;
        }
        if !is_connected(environment) {
            self.reconnected = None;
        } else if before.link != environment.link {
            self.connect_delay.start_interval(now);
        }
    }

    /// Adds a run of each handler that runs at this event. It starts once the environment allows it and the handler has no other
    /// automatic run.
    fn request_runs(&mut self, event: RegisterFlags, trigger: Trigger, hold: &Hold) {
        let registered = self.handlers.iter().filter(|(_, handler)| handler.registered.is_some());
        let wanted = registered.filter(|(_, handler)| handler.events.contains(event));
        for (handler, _) in wanted {
            let request = RunRequest::new(*handler).with_trigger(trigger);
            let run = HeldRun::new(request, (RequestedBy::Automatic, StartReason::HoldLifted));
            self.held.add(run.with_hold(hold.clone()));
        }
    }

    /// Returns `true` if the end of the reconnect interval may start a session.
    fn waits_for_environment(&self) -> bool {
        self.reconnected.is_some() || !self.held.is_empty()
    }

    /// Ends all backoffs that began before the network came back, and starts the items.
    fn reconnect(&mut self, failed_since: &FailedSince, now: SystemTime) -> Vec<Effect> {
        let mut effects = Vec::new();
        for (handler, items) in self.clear_items(failed_since) {
            let cleared = |item: &ItemId| StateChange::Retry { handler, item: *item, retry: None };
            effects.extend(writes(items.iter().map(cleared)));
            // If the handler has an automatic run, that run takes the items. Otherwise `take_due` below starts them.
            for item in items {
                let _ = self.postpone(handler, item, now, now);
                self.due_without_state.entry((handler, item)).or_default();
            }
        }
        self.resources.retain(|claim, state| {
            let is_cleared = backs_off(state) && !failed_since.claims.contains(claim);
            let cleared = is_cleared.then(|| StateChange::Resource { claim: claim.clone(), retry: None });
            effects.extend(writes(cleared));
            !is_cleared
        });
        let is_free = |claim: &&Claim| !self.resources.contains_key(*claim);
        let free: Vec<_> = self.due_without_state.values().flatten().filter(is_free).cloned().collect();
        effects.extend(self.start_held_back(&free, now));
        effects.extend(start_items(self.retry_queue.take_due(now)));
        effects
    }

    /// Ends the backoffs of all items of registered handlers. Returns the items.
    fn clear_items(&mut self, failed_since: &FailedSince) -> BTreeMap<HandlerId, BTreeSet<ItemId>> {
        let mut cleared = BTreeMap::<_, BTreeSet<_>>::new();
        let disabled = &self.disabled;
        for (id, handler) in self.handlers.iter_mut().filter(|(_, handler)| handler.registered.is_some()) {
            // A disabled item keeps its state, which makes it due once it is enabled.
            let is_enabled = |item: &ItemId| disabled.hold_of(*id, *item).is_none();
            // So does an item that is not listed, until it is listed again.
            let is_listed = |item: &ItemId| !handler.unlisted.contains(item);
            let has_failed_since = |item: &ItemId| failed_since.items.contains(&(*id, *item));
            let is_cleared = |item: &ItemId| !has_failed_since(item) && is_enabled(item) && is_listed(item);
            let items = handler.items.iter().filter(|(item, state)| backs_off(state) && is_cleared(item));
            let items: BTreeSet<_> = items.map(|(item, _)| item).collect();
            for item in &items {
                handler.items.remove(*item);
                self.retry_queue.forget_item(*id, *item);
            }
            cleared.extend((!items.is_empty()).then_some((*id, items)));
        }
        cleared
    }

    /// Returns the interrupted runs of a handler. They stay until the run that resumes them is [`finished`](Self::finished).
    pub fn interrupted(&self, handler: HandlerId) -> Vec<InterruptedRun> {
        self.interrupted.of(handler)
    }

    /// Handles the end of the run that resumed the handler's part of these sessions. Those of the `unfinished` items that are
    /// disabled stay interrupted, so that they continue once they are enabled.
    #[must_use = "perform the effects"]
    pub fn finished(
        &mut self,
        handler: HandlerId,
        sessions: &[SessionId],
        unfinished: &BTreeSet<ItemId>,
        now: SystemTime,
    ) -> Vec<Effect> {
        let disabled = unfinished.iter().filter(|item| self.disabled.hold_of(handler, **item).is_some());
        let left = disabled.copied().collect();
        self.version += 1;
        writes(self.interrupted.done(handler, sessions, &left, now))
    }

    /// Returns the due items of a handler with an automatic run. That run takes them along, unless its registration was replaced.
    pub fn take_along(&mut self, handler: HandlerId, generation: Generation, now: SystemTime) -> BTreeSet<ItemId> {
        if self.handlers.get(&handler).is_none_or(|known| known.generation != generation) {
            return BTreeSet::new();
        }
        let now = self.time(now);
        self.retry_queue.take_due_of(handler, now)
    }

    /// Handles the end of the automatic run of a handler: another one may start.
    #[must_use = "perform the effects"]
    pub fn automatic_run_ended(&mut self, handler: HandlerId) -> Vec<Effect> {
        self.retry_queue.finish(handler);
        if self.has_pending() { vec![Effect::Wake] } else { Vec::new() }
    }

    /// Starts the interrupted runs.
    fn resume(&mut self) -> Option<Effect> {
        if !self.interrupted.is_to_resume() {
            return None;
        }
        let allowed = self.interrupted.requests().filter(|request| self.disabled.allows(request));
        let allowed: BTreeSet<_> = allowed.map(|request| request.handler).collect();
        let may_start = |of| {
            let handler = self.handlers.get(&of);
            handler.is_some_and(|handler| handler.registered.is_some())
                && !self.retry_queue.is_running(of)
                && allowed.contains(&of)
        };
        let handlers = self.interrupted.take_to_resume(may_start);
        handlers.iter().for_each(|handler| self.retry_queue.start(*handler));
        (!handlers.is_empty()).then(|| Start::scheduled(StartReason::Resumed, Targets::Handlers(handlers)))
    }

    /// Returns the reason why a held run may not start now. A run whose handler no longer exists may.
    pub(super) fn hold_of_held(&self, held: &HeldRun, environment: &Environment, now: SystemTime) -> Option<Hold> {
        let disabled = self.disabled.hold_of_all([&held.request].into_iter());
        disabled.or_else(|| self.environment_hold_of(held, environment, now))
    }

    /// Returns the reason why the environment holds a run.
    pub(super) fn environment_hold_of(
        &self,
        HeldRun { request, requested_by, requirements, .. }: &HeldRun,
        environment: &Environment,
        now: SystemTime,
    ) -> Option<Hold> {
        let needs = self.needs(request.handler)?.with_requirements_of(requirements);
        holds(self.surroundings(environment, now), needs, request.trigger, *requested_by)
    }

    /// Starts the held runs that the environment now allows. A run whose handler no longer exists starts too, and fails.
    fn start_lifted(&mut self, environment: &Environment, clock: SystemTime) -> Vec<Effect> {
        let mut held = std::mem::take(&mut self.held);
        let lifted = held.take_lifted(|held| {
            let hold = self.environment_hold_of(held, environment, clock);
            let waits = held.is_automatic() && self.retry_queue.is_running(held.request.handler);
            let starts = hold.is_none() && !waits && self.disabled.allows(&held.request);
            held.hold = hold.unwrap_or_else(|| held.hold.clone());
            if starts && held.is_automatic() {
                self.retry_queue.start(held.request.handler);
            }
            starts
        });
        self.held = held;
        let starts: Vec<_> = lifted.into_iter().map(|run| self.without_disabled(run)).collect();
        starts.into_iter().map(|run| start_held(self.waiting_change(run.request.handler), run)).collect()
    }
}

fn start_held(change: Option<StateChange>, held: HeldRun) -> Effect {
    let HeldRun { request, requested_by, reason, .. } = held;
    let reason = if reason == StartReason::Resumed { reason } else { StartReason::HoldLifted };
    let (trigger, targets) = (request.trigger, Targets::of(request));
    let changes = change.into_iter().collect();
    Effect::Start(Start { reason, trigger, requested_by, targets, changes, latest: Generation::default() })
}

/// Starts due items. If a handler itself is due, because its run could not begin, its preferred items run.
fn start_items(due: BTreeMap<HandlerId, BTreeSet<ItemId>>) -> Vec<Effect> {
    let (whole, items): (BTreeMap<_, _>, BTreeMap<_, _>) =
        due.into_iter().partition(|(_, items)| items.contains(&HANDLER_ITSELF));
    start_targets(StartReason::Retry, items, whole.into_keys().collect())
}

/// Starts these items, and the preferred items of the handlers in `whole`.
pub(super) fn start_targets(
    reason: StartReason,
    items: BTreeMap<HandlerId, BTreeSet<ItemId>>,
    whole: BTreeSet<HandlerId>,
) -> Vec<Effect> {
    let items = items.into_iter().map(|(handler, items)| (handler, Arc::new(items))).collect::<BTreeMap<_, _>>();
    let items = (!items.is_empty()).then_some(Targets::Items(items));
    let whole = (!whole.is_empty()).then_some(Targets::Handlers(whole));
    items.into_iter().chain(whole).map(|targets| Start::scheduled(reason, targets)).collect()
}

fn backs_off(state: &RetryState) -> bool {
    clear(Some(*state), ClearedBy::Reconnect).is_none()
}
