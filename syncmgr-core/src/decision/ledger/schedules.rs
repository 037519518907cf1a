//! Schedules: the runs that they start.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::SystemTime;

use super::{Effect, HANDLER_ITSELF, RetryLedger, Start, StartReason, Targets, writes};
use crate::decision::environment_holds::holds;
use crate::decision::hold::Hold;
use crate::decision::retry::RequestedBy;
use crate::decision::timetable::{Firing, FiringKind, FiringRecord, LastFiring, Timetable};
use crate::environment::Environment;
use crate::explain::Known;
use crate::id::HandlerId;
use crate::item::Completeness;
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
    fired: BTreeMap<HandlerId, Fired>,
    /// The number of changes.
    version: u64,
}

/// The schedules that have fired, and their last firings as they are stored.
type Fired = BTreeMap<Schedule, Option<LastFiring>>;

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

    /// Returns `true` if a schedule of the handler has fired and its run has not started.
    pub(super) fn has_waiting(&self, handler: HandlerId) -> bool {
        self.fired.contains_key(&handler)
    }

    pub(super) fn remove(&mut self, handler: HandlerId) {
        self.timetable.remove(handler);
        self.fired.remove(&handler);
        self.version += 1;
    }

    /// Takes the firings of a handler for a run. Also returns the change to store with its start.
    fn take_fired(&mut self, handler: HandlerId) -> (BTreeSet<Schedule>, Option<StateChange>) {
        let firings = self.fired.remove(&handler).unwrap_or_default();
        self.version += 1;
        let schedules = firings.keys().cloned().collect();
        (schedules, (!firings.is_empty()).then_some(StateChange::Fired { handler, firings }))
    }

    /// Collects the firings that are due. Returns the changes to store at once: those of schedules that do not run.
    fn fire(&mut self, now: SystemTime) -> Vec<StateChange> {
        let mut firings = self.timetable.fire(now).into_iter().peekable();
        let mut changes = self.unstored();
        while let Some(handler) = firings.peek().map(|firing| firing.handler) {
            let (mut fired, mut skipped) = (Vec::new(), Vec::new());
            while let Some(Firing { schedule, last, kind, .. }) = firings.next_if(|firing| firing.handler == handler) {
                match self.fired.get_mut(&handler).filter(|_| kind == FiringKind::Skipped) {
                    // Stored with the start of the run that waits for an earlier firing.
                    Some(waiting) if waiting.contains_key(&schedule) => _ = waiting.insert(schedule, Some(last)),
                    _ if kind == FiringKind::Skipped => skipped.push((schedule, Some(last))),
                    _ => fired.push((schedule, Some(last))),
                }
            }
            changes.extend((!skipped.is_empty()).then(|| changed(handler, skipped)));
            self.add_fired(handler, fired);
        }
        changes
    }

    fn add_fired(&mut self, handler: HandlerId, fired: Vec<(Schedule, Option<LastFiring>)>) {
        self.version += 1;
        match self.fired.entry(handler) {
            _ if fired.is_empty() => {}
            // Faster than one after another.
            Entry::Vacant(none) => _ = none.insert(fired.into_iter().collect()),
            Entry::Occupied(mut earlier) => earlier.get_mut().extend(fired),
        }
    }

    /// Returns the changes to store at once: those of schedules that have not fired.
    fn unstored(&mut self) -> Vec<StateChange> {
        let mut changes = BTreeMap::<_, Vec<_>>::new();
        for FiringRecord { handler, schedule, last } in self.timetable.take_unstored() {
            match self.fired.get_mut(&handler).and_then(|fired| fired.get_mut(&schedule)) {
                Some(fired) if last.is_some() => *fired = last,
                _ => changes.entry(handler).or_default().push((schedule, last)),
            }
        }
        changes.into_iter().map(|(handler, firings)| changed(handler, firings)).collect()
    }
}

/// Returns the change that stores these last firings.
fn changed(handler: HandlerId, firings: Vec<(Schedule, Option<LastFiring>)>) -> StateChange {
    StateChange::Fired { handler, firings: firings.into_iter().collect() }
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
        let schedules: BTreeSet<_> = schedules.into_iter().filter(|schedule| !schedule.is_never()).collect();
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

    /// Sets the schedule of the items that have none of their own, in place of the one before. `is_of_item` returns `true` if
    /// an item has this schedule of its own.
    #[must_use = "perform the effects"]
    pub fn set_own_schedule(
        &mut self,
        handler: HandlerId,
        schedule: Option<Schedule>,
        is_of_item: impl FnOnce(&Schedule) -> bool,
        now: SystemTime,
    ) -> Vec<Effect> {
        let Some(known) = self.handlers.get_mut(&handler).filter(|known| known.registered.is_some()) else {
            return Vec::new();
        };
        let schedule = schedule.filter(|schedule| !schedule.is_never());
        let generation = known.generation;
        let before = std::mem::replace(&mut known.schedule, schedule.clone());
        if before == schedule {
            return Vec::new();
        }
        let mut schedules = self.schedules_of(handler);
        before.filter(|before| !is_of_item(before)).map(|before| schedules.remove(&before));
        schedules.extend(schedule);
        self.set_schedules(handler, generation, schedules, &BTreeMap::new(), now)
    }

    /// Sets the schedules that the items of a handler have of their own. An incomplete listing removes none but the one that was
    /// `replaced`.
    #[must_use = "perform the effects"]
    pub fn set_listed_schedules(
        &mut self,
        (handler, generation): (HandlerId, Generation),
        (mut schedules, completeness): (BTreeSet<Schedule>, Completeness),
        replaced: Option<&Schedule>,
        now: SystemTime,
    ) -> Vec<Effect> {
        let known = self.schedules_of(handler);
        // Kept also while no item has it, so that its last firing is.
        schedules.extend(self.own_schedule(handler).cloned());
        if completeness == Completeness::MissingItems {
            schedules.extend(known.iter().filter(|known| Some(*known) != replaced).cloned());
        }
        if schedules == known {
            return Vec::new();
        }
        self.set_schedules(handler, generation, schedules, &BTreeMap::new(), now)
    }

    /// Returns the schedule of the items of a handler that have none of their own.
    pub fn own_schedule(&self, handler: HandlerId) -> Option<&Schedule> {
        self.handlers.get(&handler)?.schedule.as_ref()
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
    pub(super) fn firings_of<'a>(
        &'a self,
        known: &'a Known,
        clock: SystemTime,
    ) -> impl Iterator<Item = SystemTime> + 'a {
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

    /// Returns the item's schedule, or all schedules of the handler.
    fn schedules_about<'a>(&'a self, known: &'a Known) -> impl Iterator<Item = &'a Schedule> {
        let (timetable, handler) = (&self.schedules.timetable, known.handler);
        let of_item = known.schedule.as_ref().filter(|own| known.item.is_some() && timetable.has(handler, own));
        let all = known.item.is_none().then(|| timetable.of(handler));
        of_item.into_iter().chain(all.into_iter().flatten())
    }

    /// Starts the runs of the schedules that fire.
    pub(super) fn start_fired(&mut self, environment: &Environment, now: SystemTime) -> Vec<Effect> {
        let mut effects = writes(self.schedules.fire(now));
        let handlers = self.schedules.fired.keys().copied();
        let may_start = |handler: &HandlerId| self.hold_of_start(*handler, environment, now).is_none();
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
        let backs_off = || self.hold(handler, HANDLER_ITSELF, &[], RequestedBy::Automatic, now);
        self.hold_of_run(handler, environment, now).or_else(backs_off)
    }

    /// Returns the reason why an automatic run of this handler whose wait is over may not start now: the user or the environment
    /// holds it.
    pub(super) fn hold_of_run(&self, handler: HandlerId, environment: &Environment, now: SystemTime) -> Option<Hold> {
        let held = || {
            let (surroundings, needs) = (self.surroundings(environment, now), self.needs(handler)?.clone());
            holds(surroundings, needs, Trigger::Scheduled, RequestedBy::Automatic)
        };
        self.disabled.hold_of(handler, HANDLER_ITSELF).or_else(held)
    }
}
