//! The state of one schedule of a handler.

use super::{FiringKind, LastFiring};
use crate::id::HandlerId;
use crate::schedule::{Missed, Schedule};
use crate::time::{from_millis, to_millis};

/// A minute in milliseconds: a firing that is late by at most this is on time, since the clock is looked at once a minute.
const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;
/// The number of missed firings of a cron expression that are counted.
const COUNTED: u32 = 1_000;
/// A time that lies before all firings.
const NOT_YET: i64 = i64::MIN;
/// A time that is never reached.
const NEVER: i64 = i64::MAX;

/// The state of one schedule of a handler. Times are in milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The time of the last firing or of the beginning.
    last: i64,
    /// The start of the last run.
    started: i64,
    /// The time of the next firing, without jitter.
    next: i64,
    /// The time at which the next firing starts.
    due: i64,
}

impl Entry {
    /// Begins a schedule, or continues it from its stored last firing.
    pub(super) fn new(schedule: &Schedule, stored: Option<&LastFiring>, jitter: Jitter, now: i64) -> Self {
        let begun = if schedule.is_once() { NOT_YET } else { now };
        let last = stored.map_or(begun, |stored| to_millis(stored.time));
        let started = stored.and_then(|stored| stored.started).map_or(NOT_YET, to_millis);
        let mut entry = Self { last, started, next: NEVER, due: NEVER };
        entry.adjust(schedule, jitter, now);
        entry.plan(schedule, jitter);
        entry
    }

    /// Returns the time at which the next firing starts.
    pub(super) fn due(&self) -> Option<i64> {
        (self.due != NEVER).then_some(self.due)
    }

    /// Returns the last firing, as it is stored.
    pub(super) fn last(&self) -> Option<LastFiring> {
        let started = (self.started != NOT_YET).then(|| from_millis(self.started));
        (self.last != NOT_YET).then(|| LastFiring { time: from_millis(self.last), started })
    }

    /// Computes the next firing from the last.
    pub(super) fn plan(&mut self, schedule: &Schedule, jitter: Jitter) {
        self.next = schedule.after(self.last).unwrap_or(NEVER);
        self.due = if self.next == NEVER { NEVER } else { self.due_at(schedule, jitter, self.next) };
    }

    /// Adjusts the state to a clock that may have been set back. Returns `true` if the last firing changed.
    pub(super) fn adjust(&mut self, schedule: &Schedule, jitter: Jitter, now: i64) -> bool {
        let before = (self.last, self.started);
        let tolerated = if schedule.is_interval() { MINUTE } else { DAY };
        if !schedule.is_once() && self.last > now.saturating_add(tolerated) {
            self.last = now;
        }
        self.started = self.started.min(now);
        let changed = before != (self.last, self.started);
        if changed {
            self.plan(schedule, jitter);
        }
        changed
    }

    /// Fires what is due: returns its time, the number of earlier firings that it stands for, and whether it runs.
    pub(super) fn fire(&mut self, schedule: &Schedule, jitter: Jitter, now: i64) -> (i64, u32, FiringKind) {
        let (time, missed) = self.latest(schedule, jitter, now);
        let late = now.saturating_sub(self.due_at(schedule, jitter, time)) > MINUTE;
        let kind = match (late, schedule.missed()) {
            (false, _) => FiringKind::OnTime,
            (true, Missed::RunOnce) => FiringKind::CaughtUp,
            (true, Missed::Skip) => FiringKind::Skipped,
        };
        self.last = time;
        if kind != FiringKind::Skipped {
            self.started = now;
        }
        self.plan(schedule, jitter);
        (time, missed, kind)
    }

    /// Returns the start of the firing at `time`: later by the jitter, and at least the minimum gap after the last run.
    fn due_at(&self, schedule: &Schedule, jitter: Jitter, time: i64) -> i64 {
        let jittered = time.saturating_add_unsigned(jitter.at(time, schedule.jitter_millis()));
        match self.started {
            NOT_YET => jittered,
            started => jittered.max(started.saturating_add_unsigned(schedule.min_gap_millis())),
        }
    }

    /// Returns the last firing that is due, and the number of firings before it.
    fn latest(&self, schedule: &Schedule, jitter: Jitter, now: i64) -> (i64, u32) {
        if let Some(interval) = schedule.interval_millis() {
            return self.latest_of_interval(schedule, interval, jitter, now);
        }
        let mut firings =
            std::iter::successors(Some(self.next), |time| schedule.after(*time).filter(|next| *next <= now));
        let counted = firings.by_ref().zip(0..=COUNTED);
        let due = |time: &i64| self.due_at(schedule, jitter, *time) <= now;
        let latest = counted.filter(|(time, _)| due(time)).last().unwrap_or((self.next, 0));
        match firings.next() {
            Some(_) => (self.search_back(schedule, due, now).unwrap_or(latest.0), COUNTED),
            None => latest,
        }
    }

    fn latest_of_interval(&self, schedule: &Schedule, interval: u64, jitter: Jitter, now: i64) -> (i64, u32) {
        let passed = now.abs_diff(self.next) / interval;
        let time = self.next.saturating_add_unsigned(passed * interval);
        let is_due = passed == 0 || self.due_at(schedule, jitter, time) <= now;
        let missed = if is_due { passed } else { passed - 1 };
        (self.next.saturating_add_unsigned(missed * interval), u32::try_from(missed).unwrap_or(u32::MAX))
    }

    /// Returns the last firing that is due, of many: searches the last hour, the last day, and so on.
    fn search_back(&self, schedule: &Schedule, due: impl Fn(&i64) -> bool, now: i64) -> Option<i64> {
        let spans = std::iter::successors(Some(60 * MINUTE), |span: &i64| span.checked_mul(24));
        let from = spans.map(|span| now.saturating_sub(span).max(self.next)).take_while(|from| *from > self.next);
        let latest = |from: i64| {
            let later = |time: &i64| schedule.after(*time).filter(|next| *next <= now);
            std::iter::successors(later(&from), later).filter(&due).last()
        };
        from.filter_map(latest).next()
    }
}

/// The random delays of the firings of a handler.
#[derive(Clone, Copy, Debug)]
pub(super) struct Jitter(u64);

impl Jitter {
    pub(super) fn new(seed: u64, handler: HandlerId) -> Self {
        let (high, low) = handler.guid().as_u64_pair();
        Self(mixed(mixed(mixed(seed) ^ high) ^ low))
    }

    /// Returns the delay of the firing at `time`, from 0 to `longest`.
    fn at(self, time: i64, longest: u64) -> u64 {
        match longest {
            0 => 0,
            u64::MAX => mixed(self.0 ^ time.cast_unsigned()),
            _ => mixed(self.0 ^ time.cast_unsigned()) % (longest + 1),
        }
    }
}

/// Mixes the bits of a number: the finalizer of the generator SplitMix64.
fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
