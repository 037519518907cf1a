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

/// The state of one schedule of a handler, from which its next firing follows. Times are in milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    /// The time of the last firing or of the beginning.
    last: i64,
    /// The start of the last run.
    started: i64,
}

impl Entry {
    /// The state of a schedule that has not begun.
    pub(super) const NONE: Self = Self { last: NOT_YET, started: NOT_YET };

    /// Returns the state of a schedule with this last firing.
    pub(super) fn of(last: LastFiring) -> Self {
        Self { last: to_millis(last.time), started: last.started.map_or(NOT_YET, to_millis) }
    }

    /// Begins a schedule, or continues it from its stored last firing.
    pub(super) fn new(schedule: &Schedule, stored: Option<&LastFiring>, now: i64) -> Self {
        let begun = if schedule.is_once() { Self::NONE } else { Self { last: now, ..Self::NONE } };
        let mut entry = stored.copied().map_or(begun, Self::of);
        entry.adjust(schedule, now);
        entry
    }

    /// Returns the time at which the next firing starts.
    pub(super) fn due(&self, schedule: &Schedule, jitter: Jitter) -> Option<i64> {
        schedule.after(self.last).map(|next| self.due_at(schedule, jitter, next))
    }

    /// Returns the last firing, as it is stored.
    pub(super) fn last(&self) -> Option<LastFiring> {
        (self.last != NOT_YET).then(|| self.fired())
    }

    /// Returns the last firing of a schedule that has fired, as it is stored.
    pub(super) fn fired(&self) -> LastFiring {
        let started = (self.started != NOT_YET).then(|| from_millis(self.started));
        LastFiring { time: from_millis(self.last), started }
    }

    /// Adjusts the state to a clock that may have been set back. Returns `true` if the last firing changed.
    pub(super) fn adjust(&mut self, schedule: &Schedule, now: i64) -> bool {
        let before = (self.last, self.started);
        let tolerated = if schedule.is_interval() { MINUTE } else { DAY };
        if !schedule.is_once() && self.last > now.saturating_add(tolerated) {
            self.last = now;
        }
        self.started = self.started.min(now);
        before != (self.last, self.started)
    }

    /// Fires what is due: returns the number of earlier firings that it stands for, and whether it runs.
    pub(super) fn fire(&mut self, schedule: &Schedule, jitter: Jitter, now: i64) -> (u32, FiringKind) {
        let next = schedule.after(self.last).unwrap_or(self.last);
        let (time, missed) = self.latest(schedule, next, jitter, now);
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
        (missed, kind)
    }

    /// Returns the start of the firing at `time`: later by the jitter, and at least the minimum gap after the last run.
    fn due_at(&self, schedule: &Schedule, jitter: Jitter, time: i64) -> i64 {
        let jittered = time.saturating_add_unsigned(jitter.at(time, schedule.jitter_millis()));
        match self.started {
            NOT_YET => jittered,
            started => jittered.max(started.saturating_add_unsigned(schedule.min_gap_millis())),
        }
    }

    /// Returns the last firing that is due, and the number of firings before it. The first that is due is `next`.
    fn latest(&self, schedule: &Schedule, next: i64, jitter: Jitter, now: i64) -> (i64, u32) {
        let is_due = |time: i64| self.due_at(schedule, jitter, time) <= now;
        if let Some(interval) = schedule.interval_millis() {
            return latest_of_interval(next, interval, is_due, now);
        }
        let mut firings = std::iter::successors(Some(next), |time| schedule.after(*time).filter(|next| *next <= now));
        let counted = firings.by_ref().zip(0..=COUNTED);
        let latest = counted.filter(|(time, _)| is_due(*time)).last().unwrap_or((next, 0));
        match firings.next() {
            Some(_) => (search_back(schedule, next, is_due, now).unwrap_or(latest.0), COUNTED),
            None => latest,
        }
    }
}

fn latest_of_interval(next: i64, interval: u64, is_due: impl Fn(i64) -> bool, now: i64) -> (i64, u32) {
    let passed = now.abs_diff(next) / interval;
    let is_due = passed == 0 || is_due(next.saturating_add_unsigned(passed * interval));
    let missed = if is_due { passed } else { passed - 1 };
    (next.saturating_add_unsigned(missed * interval), u32::try_from(missed).unwrap_or(u32::MAX))
}

/// Returns the last firing that is due, of many after `next`: searches the last hour, the last day, and so on.
fn search_back(schedule: &Schedule, next: i64, is_due: impl Fn(i64) -> bool, now: i64) -> Option<i64> {
    let spans = std::iter::successors(Some(60 * MINUTE), |span: &i64| span.checked_mul(24));
    let from = spans.map(|span| now.saturating_sub(span).max(next)).take_while(|from| *from > next);
    let latest = |from: i64| {
        let later = |time: &i64| schedule.after(*time).filter(|next| *next <= now);
        std::iter::successors(later(&from), later).filter(|time| is_due(*time)).last()
    };
    from.filter_map(latest).next()
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
