//! The schedules of all handlers, their last and their next firings.
//!
//! The unit is a schedule of a handler. Items of a handler with equal schedules fire together.

mod entry;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use self::entry::{Entry, Jitter};
use crate::id::HandlerId;
use crate::schedule::Schedule;
use crate::time::{from_millis, to_millis};

/// The schedules of all handlers. Decides what fires, and when the next firing is.
///
/// The caller passes the time of day to each method, and stores what [`take_unstored`](Self::take_unstored) returns. See
/// [the rules](crate::schedule::rules).
///
/// ```
/// # use std::{collections::BTreeMap, time::{Duration, SystemTime}};
/// # use syncmgr_core::{decision::timetable::Timetable, id::HandlerId, schedule::Schedule};
/// let (mail, start) = (HandlerId::from_u128(1), SystemTime::UNIX_EPOCH);
/// let often = Schedule::every(Duration::from_secs(900))?;
/// let mut timetable = Timetable::new(7);
/// timetable.set(mail, [often], &BTreeMap::new(), start);
/// let due = timetable.next().expect("an interval has a next firing");
/// assert_eq!(due, start + Duration::from_secs(900));
/// assert_eq!(timetable.fire(due).len(), 1);
/// # Ok::<(), syncmgr_core::schedule::ScheduleError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Timetable {
    seed: u64,
    /// The time of the last call. Milliseconds since 1970, like all times here.
    clock: i64,
    handlers: BTreeMap<HandlerId, BTreeMap<Schedule, Entry>>,
    /// The due times of all entries that have one.
    queue: BTreeSet<(i64, HandlerId, Schedule)>,
    unstored: Vec<FiringRecord>,
}

/// A firing: the request to run the handler, or its items that have this schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Firing {
    /// The handler.
    pub handler: HandlerId,
    /// The schedule.
    pub schedule: Schedule,
    /// The time of the schedule, without jitter. If several firings were missed, the time of the last of them.
    pub time: SystemTime,
    /// The number of earlier firings that this firing stands for. Counted up to 1,000 for a cron expression.
    pub missed: u32,
    /// Whether it runs, and why.
    pub kind: FiringKind,
}

/// Whether a firing runs, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FiringKind {
    /// It runs at its time, or up to a minute later.
    OnTime,
    /// It was missed, and runs now.
    CaughtUp,
    /// It was missed, and does not run.
    Skipped,
}

/// The last firing of a schedule, as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastFiring {
    /// The time of the schedule, without jitter; or the time at which the schedule was first set. Stored as milliseconds
    /// since 1970.
    #[serde(with = "crate::time")]
    pub time: SystemTime,
    /// The time at which the last run started. `None` if none has. Stored as milliseconds since 1970.
    #[serde(default, with = "crate::time::option")]
    pub started: Option<SystemTime>,
}

/// A change of a stored last firing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FiringRecord {
    /// The handler.
    pub handler: HandlerId,
    /// The schedule.
    pub schedule: Schedule,
    /// The last firing to store. `None` if the handler no longer has the schedule, and the record is to be deleted.
    pub last: Option<LastFiring>,
}

impl Timetable {
    /// Creates an empty timetable. The jitter of a firing is derived from `seed`, the handler and the time of the firing.
    pub const fn new(seed: u64) -> Self {
        Self { seed, clock: i64::MIN, handlers: BTreeMap::new(), queue: BTreeSet::new(), unstored: Vec::new() }
    }

    /// Sets the schedules of a handler: its own and those of its items. Known schedules keep their state. Other schedules
    /// continue from their `stored` last firing, or begin at `now`. Cost: the schedules of the handler.
    pub fn set(
        &mut self,
        handler: HandlerId,
        schedules: impl IntoIterator<Item = Schedule>,
        stored: &BTreeMap<Schedule, LastFiring>,
        now: SystemTime,
    ) {
        let now = to_millis(now);
        self.look_at_clock(now);
        let mut old = self.handlers.remove(&handler).unwrap_or_default();
        let mut new = BTreeMap::new();
        for schedule in schedules {
            if new.contains_key(&schedule) {
                continue;
            }
            let entry = match old.remove_entry(&schedule) {
                Some((known, entry)) => self.keep(handler, (&known, &schedule), entry),
                None => self.begin(handler, &schedule, stored.get(&schedule), now),
            };
            new.insert(schedule, entry);
        }
        for (schedule, entry) in old {
            self.dequeue(handler, &schedule, &entry);
            self.unstored.push(FiringRecord { handler, schedule, last: None });
        }
        if !new.is_empty() {
            self.handlers.insert(handler, new);
        }
    }

    /// Removes the schedules of a handler. Their stored last firings remain.
    pub fn remove(&mut self, handler: HandlerId) {
        for (schedule, entry) in self.handlers.remove(&handler).unwrap_or_default() {
            self.dequeue(handler, &schedule, &entry);
        }
    }

    /// Returns the time of the next call to [`fire`](Self::fire). May be in the past.
    pub fn next(&self) -> Option<SystemTime> {
        self.queue.first().map(|(due, ..)| from_millis(*due))
    }

    /// Returns the time of the next firing of a schedule.
    pub fn next_of(&self, handler: HandlerId, schedule: &Schedule) -> Option<SystemTime> {
        self.handlers.get(&handler)?.get(schedule)?.due().map(from_millis)
    }

    /// Returns the schedules of a handler.
    pub fn of(&self, handler: HandlerId) -> impl Iterator<Item = &Schedule> {
        self.handlers.get(&handler).into_iter().flat_map(BTreeMap::keys)
    }

    /// Returns the last firing of a schedule. `None` also for a single time that has not fired.
    pub fn last_of(&self, handler: HandlerId, schedule: &Schedule) -> Option<LastFiring> {
        self.handlers.get(&handler)?.get(schedule)?.last()
    }

    /// Returns the next firings of all schedules, in order.
    pub fn agenda(&self) -> impl Iterator<Item = (SystemTime, HandlerId, &Schedule)> {
        self.queue.iter().map(|(due, handler, schedule)| (from_millis(*due), *handler, schedule))
    }

    /// Returns what is due, in order, and computes the next firings. Cost: the firings.
    ///
    /// If the clock was set back since the last call, each schedule is looked at once.
    pub fn fire(&mut self, now: SystemTime) -> Vec<Firing> {
        let now = to_millis(now);
        self.look_at_clock(now);
        let mut firings = Vec::new();
        while self.queue.first().is_some_and(|(due, ..)| *due <= now) {
            let Some((_, handler, schedule)) = self.queue.pop_first() else { break };
            firings.extend(self.fire_one(handler, schedule, now));
        }
        firings
    }

    /// Returns the changes of stored last firings since the last call, and forgets them. Store them before the runs of their
    /// firings start, or together with these starts: a firing that is not stored is repeated after a crash.
    pub fn take_unstored(&mut self) -> Vec<FiringRecord> {
        std::mem::take(&mut self.unstored)
    }

    fn fire_one(&mut self, handler: HandlerId, schedule: Schedule, now: i64) -> Option<Firing> {
        let jitter = Jitter::new(self.seed, handler);
        let entry = self.handlers.get_mut(&handler)?.get_mut(&schedule)?;
        let (time, missed, kind) = entry.fire(&schedule, jitter, now);
        self.unstored.push(FiringRecord { handler, schedule: schedule.clone(), last: entry.last() });
        self.queue.extend(entry.due().map(|due| (due, handler, schedule.clone())));
        Some(Firing { handler, schedule, time: from_millis(time), missed, kind })
    }

    /// Keeps the state of a known schedule. If the rules of its zone changed, its next firing is computed again.
    fn keep(&mut self, handler: HandlerId, (known, schedule): (&Schedule, &Schedule), mut entry: Entry) -> Entry {
        self.dequeue(handler, known, &entry);
        if !known.has_rules_of(schedule) {
            entry.plan(schedule, Jitter::new(self.seed, handler));
        }
        self.queue.extend(entry.due().map(|due| (due, handler, schedule.clone())));
        entry
    }

    /// Begins a schedule, or continues it from its stored last firing.
    fn begin(&mut self, handler: HandlerId, schedule: &Schedule, stored: Option<&LastFiring>, now: i64) -> Entry {
        let entry = Entry::new(schedule, stored, Jitter::new(self.seed, handler), now);
        if entry.last().as_ref() != stored {
            self.unstored.push(FiringRecord { handler, schedule: schedule.clone(), last: entry.last() });
        }
        self.queue.extend(entry.due().map(|due| (due, handler, schedule.clone())));
        entry
    }

    fn dequeue(&mut self, handler: HandlerId, schedule: &Schedule, entry: &Entry) {
        if let Some(due) = entry.due() {
            self.queue.remove(&(due, handler, schedule.clone()));
        }
    }

    /// Adjusts all schedules if the clock was set back.
    fn look_at_clock(&mut self, now: i64) {
        let set_back = now < self.clock;
        self.clock = now;
        if set_back {
            self.adjust(now);
        }
    }

    fn adjust(&mut self, now: i64) {
        for (&handler, entries) in &mut self.handlers {
            for (schedule, entry) in entries {
                let before = entry.due();
                if entry.adjust(schedule, Jitter::new(self.seed, handler), now) {
                    before.map(|due| self.queue.remove(&(due, handler, schedule.clone())));
                    self.queue.extend(entry.due().map(|due| (due, handler, schedule.clone())));
                    let last = entry.last();
                    self.unstored.push(FiringRecord { handler, schedule: schedule.clone(), last });
                }
            }
        }
    }
}
