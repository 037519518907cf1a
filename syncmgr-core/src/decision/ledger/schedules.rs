//! Schedules: the runs that they start.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::SystemTime;

use super::{Effect, HANDLER_ITSELF, RetryLedger, Start, StartReason, Targets, writes};
use crate::decision::environment_holds::holds;
use crate::decision::hold::Hold;
use crate::decision::retry::RequestedBy;
use crate::decision::timetable::{FiringKind, FiringRecord, LastFiring, Timetable};
use crate::environment::Environment;
use crate::explain::Known;
use crate::id::HandlerId;
use crate::register::Generation;
use crate::schedule::Schedule;
use crate::store::StateChange;
use crate::time::later;
use crate::trigger::Trigger;

/// The schedules of all handlers, and the firings whose runs have not started.
#[derive(Clone, Debug)]
pub(super) struct Schedules {
    pub(super) timetable: Timetable,
    /// A firing waits while its handler has an automatic run, and while the environment or the user holds it. It is stored
    /// together with the start of its run, so that it is repeated if the process ends before.
    fired: BTreeMap<HandlerId, BTreeMap<Schedule, Option<LastFiring>>>,
    /// The number of changes.
    version: u64,
}

impl Schedules {
    /// `seed` determines the jitter.
    pub(super) const fn new(seed: u64) -> Self {
        Self { timetable: Timetable::new(seed), fired: BTreeMap::new(), version: 0 }
    }

    /// Returns the schedules of a handler that have fired and whose run has not started.
    pub(super) fn fired(&self) -> impl Iterator<Item = (HandlerId, &Schedule)> {
        self.fired.iter().flat_map(|(handler, schedules)| schedules.keys().map(|schedule| (*handler, schedule)))
    }

    /// Returns a number that is larger after each change.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    pub(super) fn is_fired(&self, handler: HandlerId, schedule: &Schedule) -> bool {
        self.fired.get(&handler).is_some_and(|schedules| schedules.contains_key(schedule))
    }

    pub(super) fn remove(&mut self, handler: HandlerId) {
        self.timetable.remove(handler);
        self.fired.remove(&handler);
        self.version += 1;
    }

    /// Takes the firings of a handler for a run. Also returns the change to store with its start.
    fn take_fired(&mut self, handler: HandlerId) -> (BTreeSet<Schedule>, Option<StateChange>) {
        let fired = self.fired.remove(&handler).unwrap_or_default();
        self.version += 1;
        let schedules = fired.keys().cloned().collect();
        let firings: BTreeMap<_, _> =
            fired.into_iter().filter_map(|(schedule, last)| Some((schedule, Some(last?)))).collect();
        (schedules, (!firings.is_empty()).then_some(StateChange::Fired { handler, firings }))
    }

    /// Collects the firings that are due. Returns the changes to store at once.
    fn fire(&mut self, now: SystemTime) -> Vec<StateChange> {
        for firing in self.timetable.fire(now) {
            self.version += 1;
            if firing.kind != FiringKind::Skipped {
                self.fired.entry(firing.handler).or_default().insert(firing.schedule, None);
            }
        }
        self.unstored()
    }

    /// Returns the changes to store at once: those of schedules that have not fired.
    fn unstored(&mut self) -> Vec<StateChange> {
        let mut changes = BTreeMap::<_, BTreeMap<_, _>>::new();
        for FiringRecord { handler, schedule, last } in self.timetable.take_unstored() {
            match self.fired.get_mut(&handler).and_then(|fired| fired.get_mut(&schedule)) {
                Some(fired) if last.is_some() => *fired = last,
                _ => _ = changes.entry(handler).or_default().insert(schedule, last),
            }
        }
        changes.into_iter().map(|(handler, firings)| StateChange::Fired { handler, firings }).collect()
    }
}

impl RetryLedger {
    /// Sets the seed of the jitter of schedules.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        Self { schedules: Schedules::new(seed), ..self }
    }

    /// Sets the schedules of a handler and its items. `stored` has those that the store knows, and their last firings.
    #[must_use = "perform the effects"]
    pub fn set_schedules(
        &mut self,
        handler: HandlerId,
        generation: Generation,
        schedules: impl IntoIterator<Item = Schedule>,
        stored: &BTreeMap<Schedule, LastFiring>,
        now: SystemTime,
    ) -> Vec<Effect> {
        let known = self.handlers.get(&handler);
        if known.is_none_or(|known| known.generation != generation || known.registered.is_none()) {
            return Vec::new();
        }
        let schedules: BTreeSet<Schedule> = schedules.into_iter().collect();
        if let Some(fired) = self.schedules.fired.get_mut(&handler) {
            fired.retain(|schedule, _| schedules.contains(schedule));
            if fired.is_empty() {
                self.schedules.fired.remove(&handler);
            }
        }
        self.schedules.timetable.set(handler, schedules, stored, now);
        self.schedules.version += 1;
        let mut effects = writes(self.schedules.unstored());
        effects.extend(self.schedules.timetable.next().map(|_| Effect::Wake));
        effects
    }

    /// Returns the schedules of a handler.
    pub fn schedules_of(&self, handler: HandlerId) -> BTreeSet<Schedule> {
        self.schedules.timetable.of(handler).cloned().collect()
    }

    /// Returns `true` if a schedule will fire, or has fired and its run has not started.
    pub(super) fn has_schedules(&self) -> bool {
        self.schedules.timetable.next().is_some() || !self.schedules.fired.is_empty()
    }

    /// Returns the next firings of the item's schedule, or of all schedules of the handler, in the ledger's time. A firing whose
    /// run has not started is due now.
    pub(super) fn firings_of(&self, known: &Known, clock: SystemTime) -> impl Iterator<Item = SystemTime> {
        let (handler, now) = (known.handler, self.time(clock));
        self.schedules_about(known).filter_map(move |schedule| match self.schedules.is_fired(handler, schedule) {
            true => Some(now),
            // Firings go by the clock, which may have been set back.
            false => {
                let next = self.schedules.timetable.next_of(handler, schedule)?;
                Some(later(now, next.duration_since(clock).unwrap_or_default()))
            }
        })
    }

    /// Returns `true` if the item's schedule, or one of the handler's, has fired and its run has not started.
    pub(super) fn has_fired(&self, known: &Known) -> bool {
        self.schedules_about(known).any(|schedule| self.schedules.is_fired(known.handler, schedule))
    }

    fn schedules_about(&self, known: &Known) -> impl Iterator<Item = &Schedule> {
        let all = self.schedules.timetable.of(known.handler);
        let (is_item, of_item) = (known.item.is_some(), known.schedule.clone());
        all.filter(move |schedule| !is_item || of_item.as_ref() == Some(*schedule))
    }

    /// Starts the runs of the schedules that fire.
    pub(super) fn start_fired(&mut self, environment: &Environment, now: SystemTime) -> Vec<Effect> {
        let mut effects = writes(self.schedules.fire(now));
        let handlers = self.schedules.fired.keys().copied();
        let may_start = |handler: &HandlerId| self.hold_of_start(*handler, environment, self.time(now)).is_none();
        let idle = handlers.filter(|handler| !self.retry_queue.is_running(*handler)).filter(may_start);
        let (mut targets, mut whole) = (BTreeMap::new(), BTreeSet::new());
        let (mut changes, mut changes_of_whole) = (Vec::new(), Vec::new());
        for handler in idle.collect::<Vec<_>>() {
            self.retry_queue.start(handler);
            let (fired, change) = self.schedules.take_fired(handler);
            // A handler whose last run could not begin runs all that the run would have run.
            let (now, due) = (self.time(now), self.retry_queue.due_of(handler, HANDLER_ITSELF));
            if due.is_some_and(|due| due <= now) {
                let _ = self.retry_queue.take_due_of(handler, now);
                whole.insert(handler);
                changes_of_whole.extend(change);
            } else {
                targets.insert(handler, Arc::new(fired));
                changes.extend(change);
            }
        }
        let start = |targets, changes| Start::scheduled_with(StartReason::Scheduled, targets, changes);
        effects.extend((!targets.is_empty()).then(|| start(Targets::Schedules(targets), changes)));
        effects.extend((!whole.is_empty()).then(|| start(Targets::Handlers(whole), changes_of_whole)));
        effects
    }

    /// Returns the reason why an automatic run of this handler may not start now: the user or the environment holds it, or its last
    /// run could not begin and it backs off.
    pub(super) fn hold_of_start(&self, handler: HandlerId, environment: &Environment, now: SystemTime) -> Option<Hold> {
        let disabled = self.disabled.hold_of(handler, HANDLER_ITSELF);
        let held = || {
            let (surroundings, needs) = (self.surroundings(environment, now), self.needs(handler)?.clone());
            holds(surroundings, needs, Trigger::Scheduled, RequestedBy::Automatic)
        };
        let backs_off = || self.hold(handler, HANDLER_ITSELF, &[], RequestedBy::Automatic, now);
        disabled.or_else(held).or_else(backs_off)
    }
}
