//! What must fire: an enumeration of all minutes, and the books of what has fired.

use std::time::Duration;

use super::local::{Day, Local, Zone};

pub(super) const MINUTE: i64 = 60_000;
pub(super) const DAY: i64 = 1_440 * MINUTE;
/// An interval that is no part of an hour or a day.
pub(super) const INTERVAL: Duration = Duration::from_secs(7 * 3_600 + 13 * 60);

/// The index of a schedule, the time, the number of missed firings, and whether it was late.
pub(super) type Fired = (usize, i64, u32, bool);

/// A cron expression, and what it means in code of its own.
pub(super) struct Kind {
    pub(super) expression: &'static str,
    /// Whether it fires once a day at its times, not at every matching minute.
    fixed: bool,
    matches: fn(&Local) -> bool,
}

pub(super) fn kinds() -> [Kind; 10] {
    let fixed = |expression, matches| Kind { expression, fixed: true, matches };
    let pattern = |expression, matches| Kind { expression, fixed: false, matches };
    [
        fixed("30 2 * * *", |at| at.minute == 30 && at.hour == 2),
        fixed("0 0 * * *", |at| at.minute == 0 && at.hour == 0),
        fixed("15,45 1,2,3 * * *", |at| at.minute % 30 == 15 && (1..=3).contains(&at.hour)),
        fixed("0 0 29 2 *", |at| at.minute == 0 && at.hour == 0 && at.day.month == 2 && at.day.day == 29),
        fixed("15 12 L * *", |at| at.minute == 15 && at.hour == 12 && at.day.is_last),
        fixed("0 3 * * FRI#1", |at| at.minute == 0 && at.hour == 3 && at.day.weekday == 4 && at.day.day <= 7),
        fixed("45 23 31 * MON", |at| at.minute == 45 && at.hour == 23 && (at.day.day == 31 || at.day.weekday == 0)),
        pattern("*/30 0-3 * * *", |at| at.minute % 30 == 0 && at.hour <= 3),
        pattern("5 */3 * * *", |at| at.minute == 5 && at.hour % 3 == 0),
        pattern("*/10 2 * * SUN", |at| at.minute % 10 == 0 && at.hour == 2 && at.day.weekday == 6),
    ]
}

/// Enumerates the firings of each kind, in milliseconds since 1970.
///
/// The clock of a day is followed up to its highest time so far. A fixed time fires when that passes it, in a jump too.
fn enumerate(kinds: &[Kind], zone: &Zone, from: i64, to: i64) -> Vec<Vec<i64>> {
    let (mut firings, mut day, mut highest) = (vec![Vec::new(); kinds.len()], Day::new(from / 1_440), None);
    zone.walk(from, to, |minute, local| {
        let new = highest.map_or(local, |highest| highest + 1);
        highest = highest.max(Some(local));
        let now = Local::split(local, &mut day);
        for (kind, firings) in kinds.iter().zip(&mut firings) {
            let fires = match kind.fixed && new != local {
                true => (new..=local).any(|local| (kind.matches)(&Local::split(local, &mut Day::new(local / 1_440)))),
                false => (kind.matches)(&now),
            };
            if fires {
                firings.push(minute * MINUTE);
            }
        }
    });
    firings
}

/// The firings of one schedule.
enum Times {
    All(Vec<i64>),
    Interval,
}

/// What has fired: per schedule the time up to which nothing is left to fire.
pub(super) struct Books {
    accounts: Vec<(Times, i64)>,
    fired: u64,
    late: u64,
    missed: u64,
    anew: u64,
}

impl Books {
    pub(super) fn new(zone: &Zone, from: i64, to: i64, start: i64) -> Self {
        let all = enumerate(&kinds(), zone, from / MINUTE, to / MINUTE).into_iter().map(Times::All);
        let accounts = all.chain([Times::Interval]).map(|times| (times, start)).collect();
        Self { accounts, fired: 0, late: 0, missed: 0, anew: 0 }
    }

    /// A schedule whose account is too far ahead of the clock counts from the clock.
    pub(super) fn clock_is(&mut self, clock: i64) {
        for (times, covered) in &mut self.accounts {
            let tolerated = if matches!(times, Times::Interval) { MINUTE } else { DAY };
            if *covered > clock + tolerated {
                *covered = clock;
                self.anew += 1;
            }
        }
    }

    pub(super) fn next(&self) -> Option<i64> {
        self.accounts.iter().filter_map(|(times, covered)| times.between(*covered, i64::MAX).0).min()
    }

    /// Books what is due, and returns it in the order of the schedules.
    pub(super) fn fire(&mut self, clock: i64) -> Vec<Fired> {
        let mut fired = Vec::new();
        for (index, (times, covered)) in self.accounts.iter_mut().enumerate() {
            let (_, last, count) = times.between(*covered, clock);
            let Some(last) = last else { continue };
            *covered = last;
            fired.push((index, last, count - 1, clock - last > MINUTE));
        }
        self.fired += fired.len() as u64;
        self.late += fired.iter().filter(|fired| fired.3).count() as u64;
        self.missed += fired.iter().map(|fired| u64::from(fired.2)).sum::<u64>();
        fired
    }

    /// Asserts that the test has met all cases.
    pub(super) fn assert_used(&self, zone: &str, special: &str) {
        let used = (self.fired, self.late, self.missed, self.anew);
        let enough = used.0 > 30_000 && used.1 > 500 && used.2 > 500 && used.3 > 20;
        assert!(enough, "{zone} ({special}): {used:?}");
    }
}

impl Times {
    /// Returns the first and the last firing later than `after` and at most `until`, and their number.
    fn between(&self, after: i64, until: i64) -> (Option<i64>, Option<i64>, u32) {
        match self {
            Self::All(times) => {
                let first = times.partition_point(|time| *time <= after);
                let end = first + times[first..].partition_point(|time| *time <= until);
                let last = end.checked_sub(1).filter(|last| *last >= first).map(|last| times[last]);
                (times.get(first).copied(), last, (end - first) as u32)
            }
            Self::Interval => {
                let interval = INTERVAL.as_millis() as i64;
                let count = until.saturating_sub(after).max(0) / interval;
                let last = (count > 0).then(|| after.saturating_add(count.saturating_mul(interval)));
                (Some(after + interval), last, count as u32)
            }
        }
    }
}
