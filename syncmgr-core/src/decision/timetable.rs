//! The schedules of all handlers, their last and their next firings.
//!
//! The unit is a schedule of a handler. Items of a handler with equal schedules fire together.

mod entries;
mod entry;
mod last_firings;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

pub use self::last_firings::LastFirings;

use self::entries::Entries;
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
    handlers: BTreeMap<HandlerId, Entries>,
    /// The first due times of all handlers that have one.
    queue: BTreeSet<(i64, HandlerId)>,
    unstored: Vec<FiringRecord>,
}

/// A firing: the request to run the handler, or its items that have this schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Firing {
    /// The handler.
    pub handler: HandlerId,
    /// The schedule.
    pub schedule: Schedule,
    /// The number of earlier firings that this firing stands for. Counted up to 1,000 for a cron expression.
    pub missed: u32,
    /// Whether it runs, and why.
    pub kind: FiringKind,
    /// The last firing to store, with the time of this one. If several firings were missed, the time of the last of them.
    pub last: LastFiring,
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
        let old = self.take(handler);
        let mut new: Vec<_> = schedules.into_iter().collect();
        new.sort();
        new.dedup();
        let gone = old.iter().flat_map(Entries::iter).filter(|(schedule, _)| new.binary_search(schedule).is_err());
        let gone = gone.map(|(schedule, _)| FiringRecord { handler, schedule: schedule.clone(), last: None });
        self.unstored.extend(gone);
        let with_entry = |schedule: Schedule| {
            let known = old.as_ref().and_then(|old| old.get(&schedule)).map(|(_, entry)| *entry);
            let entry = known.unwrap_or_else(|| self.begin(handler, &schedule, stored.get(&schedule), now));
            (schedule, entry)
        };
        let new: Box<[_]> = new.into_iter().map(with_entry).collect();
        if !new.is_empty() {
            self.insert(handler, Entries::new(Jitter::new(self.seed, handler), new));
        }
    }

    /// Removes the schedules of a handler. Their stored last firings remain.
    pub fn remove(&mut self, handler: HandlerId) {
        self.take(handler);
    }

    /// Returns the time of the next call to [`fire`](Self::fire). May be in the past.
    pub fn next(&self) -> Option<SystemTime> {
        self.queue.first().map(|(due, _)| from_millis(*due))
    }

    /// Returns the time of the next firing of a schedule.
    pub fn next_of(&self, handler: HandlerId, schedule: &Schedule) -> Option<SystemTime> {
        self.handlers.get(&handler)?.due_of(schedule).map(from_millis)
    }

    /// Returns `true` if the handler has this schedule.
    pub fn has(&self, handler: HandlerId, schedule: &Schedule) -> bool {
        self.handlers.get(&handler).is_some_and(|entries| entries.get(schedule).is_some())
    }

    /// Returns the schedules of a handler.
    pub fn of(&self, handler: HandlerId) -> impl Iterator<Item = &Schedule> {
        self.handlers.get(&handler).into_iter().flat_map(Entries::iter).map(|(schedule, _)| schedule)
    }

    /// Returns the last firing of a schedule. `None` also for a single time that has not fired.
    pub fn last_of(&self, handler: HandlerId, schedule: &Schedule) -> Option<LastFiring> {
        self.handlers.get(&handler)?.get(schedule)?.1.last()
    }

    /// Returns the next firings of all schedules, in order. Cost: all schedules.
    pub fn agenda(&self) -> impl Iterator<Item = (SystemTime, HandlerId, &Schedule)> {
        let mut all = Vec::new();
        for (handler, entries) in &self.handlers {
            all.extend(entries.queued().map(|(due, schedule)| (due, *handler, schedule)));
        }
        all.sort_unstable();
        all.into_iter().map(|(due, handler, schedule)| (from_millis(due), handler, schedule))
    }

    /// Returns what is due, by handler, and computes the next firings. Cost: the firings.
    ///
    /// If the clock was set back since the last call, each schedule is looked at once.
    pub fn fire(&mut self, now: SystemTime) -> Vec<Firing> {
        let now = to_millis(now);
        self.look_at_clock(now);
        let mut firings = Vec::new();
        while self.queue.first().is_some_and(|(due, _)| *due <= now) {
            let Some((_, handler)) = self.queue.pop_first() else { break };
            let Some(entries) = self.handlers.get_mut(&handler) else { continue };
            entries.fire(now, |schedule, entry, jitter| {
                let (missed, kind) = entry.fire(schedule, jitter, now);
                firings.push(Firing { handler, schedule: schedule.clone(), missed, kind, last: entry.fired() });
            });
            self.queue.extend(entries.first_due().map(|due| (due, handler)));
        }
        firings
    }

    /// Returns the changes of stored last firings since the last call, other than those of firings, and forgets them.
    pub fn take_unstored(&mut self) -> Vec<FiringRecord> {
        std::mem::take(&mut self.unstored)
    }

    /// Begins a schedule, or continues it from its stored last firing.
    fn begin(&mut self, handler: HandlerId, schedule: &Schedule, stored: Option<&LastFiring>, now: i64) -> Entry {
        let entry = Entry::new(schedule, stored, now);
        if entry.last().as_ref() != stored {
            self.unstored.push(FiringRecord { handler, schedule: schedule.clone(), last: entry.last() });
        }
        entry
    }

    fn insert(&mut self, handler: HandlerId, entries: Entries) {
        self.queue.extend(entries.first_due().map(|due| (due, handler)));
        self.handlers.insert(handler, entries);
    }

    fn take(&mut self, handler: HandlerId) -> Option<Entries> {
        let entries = self.handlers.remove(&handler)?;
        entries.first_due().map(|due| self.queue.remove(&(due, handler)));
        Some(entries)
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
            entries.adjust(now, |schedule, entry| {
                self.unstored.push(FiringRecord { handler, schedule: schedule.clone(), last: entry.last() });
            });
        }
        let due = |(handler, entries): (&HandlerId, &Entries)| Some((entries.first_due()?, *handler));
        self.queue = self.handlers.iter().filter_map(due).collect();
    }
}
