//! When a handler or an item runs by itself, and when background work is allowed.

mod cron;
mod day;
mod error;
mod fields;
#[cfg(test)]
mod tests;
mod text;
mod time_of_day;
mod window;
mod zone;

pub mod rules {
    #![doc = include_str!("../SCHEDULES.md")]
}

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::day::Day;
pub use self::error::ScheduleError;
pub use self::time_of_day::TimeOfDay;
pub use self::window::Window;

use self::cron::CronTimes;
use self::zone::Zone;
use crate::time::{from_millis, round_up, to_millis};

/// The longest jitter of a cron expression or a single time: a day, in milliseconds.
const MAX_JITTER: u64 = 24 * 60 * 60 * 1_000;

/// The length from which on an interval is refused: a thousand years, in milliseconds.
const MAX_INTERVAL: u64 = 1_000 * 365 * 24 * 60 * 60 * 1_000;

/// When a handler or an item runs by itself.
///
/// A schedule is a cron expression in a time zone, a fixed interval, or a single time. It is cheap to clone and costs
/// a few hundred bytes otherwise: make it once for all items that share it.
///
/// The text form is stable; the last firing is stored under it. Two schedules are equal if their texts are equal. [`rules`]
/// contains the text form and the rules.
///
/// All times have a resolution of a millisecond.
///
/// ```
/// # use std::time::Duration;
/// # use syncmgr_core::schedule::{Missed, Schedule};
/// let nightly = Schedule::cron("30 2 * * *", "Europe/Berlin")?.with_missed(Missed::Skip);
/// assert_eq!(nightly.to_string(), "cron 30 2 * * * in Europe/Berlin; missed skip");
/// assert_eq!(nightly.to_string().parse(), Ok(nightly));
///
/// let often = Schedule::every(Duration::from_secs(900))?.with_jitter(Duration::from_secs(60));
/// assert_eq!(often.to_string(), "every 15m; jitter 1m");
/// # Ok::<(), syncmgr_core::schedule::ScheduleError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[must_use = "`with_` methods return the changed value"]
pub struct Schedule(Arc<Plan>);

/// The content of a schedule. Lengths are in milliseconds.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Plan {
    timing: Timing,
    jitter: u64,
    min_gap: u64,
    missed: Missed,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Timing {
    Cron(Box<CronTimes>),
    /// An interval in milliseconds.
    Every(u64),
    /// A time in milliseconds since 1970.
    Once(i64),
}

/// What happens to firings that were missed while the machine slept or the program did not run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Missed {
    /// They become one firing, as soon as possible.
    #[default]
    RunOnce,
    /// They are skipped.
    Skip,
}

impl Schedule {
    /// Creates a schedule from a cron expression in a time zone.
    ///
    /// The expression has five fields: minute, hour, day of the month, month, day of the week; or is a name such as
    /// `@daily`. The zone is a name of the IANA database, or `local` for the zone of the machine. The rules of the zone are
    /// read from the system here and at no later time; on Windows they are part of the program.
    ///
    /// # Errors
    ///
    /// Returns an error if the expression is not valid or never fires, or if the zone is not known.
    ///
    /// ```
    /// # use syncmgr_core::schedule::Schedule;
    /// let error = Schedule::cron("0 8 * * MON-FRI", "Europe/Berlim").unwrap_err();
    /// assert_eq!(error.to_string(), "the time zone `Europe/Berlim` is not known; did you mean `Europe/Berlin`?");
    /// ```
    pub fn cron(expression: &str, zone: &str) -> Result<Self, ScheduleError> {
        let times = CronTimes::new(expression, Zone::named(zone)?)?;
        Ok(Self::new(Timing::Cron(Box::new(times))))
    }

    /// Creates a schedule with a fixed interval, rounded down to a millisecond. The first firing is one interval after the
    /// schedule is first set.
    ///
    /// # Errors
    ///
    /// Returns an error if the interval is less than a millisecond, or longer than a thousand years.
    pub fn every(interval: Duration) -> Result<Self, ScheduleError> {
        match millis(interval) {
            0 => Err(ScheduleError::ZeroInterval),
            MAX_INTERVAL.. => Err(ScheduleError::OutOfRange),
            interval => Ok(Self::new(Timing::Every(interval))),
        }
    }

    /// Creates a schedule that fires once, at `time`, rounded up to a millisecond. A time in the past counts as missed: the
    /// schedule fires at once, or never with [`Missed::Skip`].
    ///
    /// # Errors
    ///
    /// Returns an error if the time is not in the years 1 to 9999.
    pub fn once(time: SystemTime) -> Result<Self, ScheduleError> {
        let time = to_millis(round_up(time));
        match Timestamp::from_millisecond(time) {
            Ok(known) if (1..=9_999).contains(&known.to_zoned_datetime(jiff::tz::TimeZone::UTC).year()) => {
                Ok(Self::new(Timing::Once(time)))
            }
            _ => Err(ScheduleError::OutOfRange),
        }
    }

    /// Creates a schedule in a zone with the rules of a POSIX string.
    #[cfg(test)]
    pub(crate) fn cron_with_rules(expression: &str, zone: &str, posix: &str) -> Self {
        let zone = Zone::new(zone, jiff::tz::TimeZone::posix(posix).unwrap());
        Self::new(Timing::Cron(Box::new(CronTimes::new(expression, zone).unwrap())))
    }

    fn new(timing: Timing) -> Self {
        Self(Arc::new(Plan { timing, jitter: 0, min_gap: 0, missed: Missed::default() }))
    }

    /// Delays each firing by a random time of up to `jitter`, rounded down to a millisecond. The jitter is at most the
    /// interval, or a day for a cron expression and a single time; a longer jitter counts as that.
    pub fn with_jitter(self, jitter: Duration) -> Self {
        let longest = match self.0.timing {
            Timing::Every(interval) => interval,
            Timing::Cron(_) | Timing::Once(_) => MAX_JITTER,
        };
        self.changed(|plan| plan.jitter = millis(jitter).min(longest))
    }

    /// Sets what happens to missed firings. The default is [`Missed::RunOnce`].
    pub fn with_missed(self, missed: Missed) -> Self {
        self.changed(|plan| plan.missed = missed)
    }

    /// Sets the minimum time between the starts of two firings, rounded down to a millisecond. A firing that comes due
    /// earlier waits. At most a thousand years.
    pub fn with_min_gap(self, gap: Duration) -> Self {
        self.changed(|plan| plan.min_gap = millis(gap).min(MAX_INTERVAL))
    }

    fn changed(mut self, change: impl FnOnce(&mut Plan)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// Returns the first firing later than `time`, without jitter. The firings of an interval count from `time`. Returns
    /// `None` if there is none before the year 10000.
    ///
    /// ```
    /// # use std::time::{Duration, SystemTime};
    /// # use syncmgr_core::{schedule::Schedule, time::Utc};
    /// let spring = SystemTime::UNIX_EPOCH + Duration::from_secs(1_772_928_000); // 2026-03-08 00:00 UTC
    /// let nightly = Schedule::cron("30 2 * * *", "America/New_York")?; // the clock goes from 02:00 to 03:00
    /// let next = nightly.next_after(spring).map(|time| Utc(time).to_string());
    /// assert_eq!(next.as_deref(), Some("2026-03-08 07:00:00Z")); // 03:00 in New York
    /// # Ok::<(), syncmgr_core::schedule::ScheduleError>(())
    /// ```
    pub fn next_after(&self, time: SystemTime) -> Option<SystemTime> {
        self.after(to_millis(time)).map(from_millis)
    }

    /// Returns what happens to missed firings.
    pub fn missed(&self) -> Missed {
        self.0.missed
    }

    /// Returns `true` if the schedules have the same rules of their time zones. The schedules are equal.
    pub(crate) fn has_rules_of(&self, other: &Self) -> bool {
        match (&self.0.timing, &other.0.timing) {
            (Timing::Cron(these), Timing::Cron(others)) => these.zone().has_rules_of(others.zone()),
            _ => true,
        }
    }

    pub(crate) fn is_interval(&self) -> bool {
        self.interval_millis().is_some()
    }

    pub(crate) fn is_once(&self) -> bool {
        matches!(self.0.timing, Timing::Once(_))
    }

    pub(crate) fn interval_millis(&self) -> Option<u64> {
        match self.0.timing {
            Timing::Every(interval) => Some(interval),
            Timing::Cron(_) | Timing::Once(_) => None,
        }
    }

    pub(crate) fn jitter_millis(&self) -> u64 {
        self.0.jitter
    }

    pub(crate) fn min_gap_millis(&self) -> u64 {
        self.0.min_gap
    }

    /// Returns the first firing later than `time`, both in milliseconds since 1970.
    pub(crate) fn after(&self, time: i64) -> Option<i64> {
        match &self.0.timing {
            Timing::Cron(times) => {
                let next = times.after(Timestamp::from_millisecond(time).ok()?)?;
                Some(next.as_millisecond())
            }
            Timing::Every(interval) => {
                let next = time.checked_add_unsigned(*interval)?;
                Timestamp::from_millisecond(next).ok().map(|_| next)
            }
            Timing::Once(once) => (*once > time).then_some(*once),
        }
    }
}

/// Returns the whole milliseconds of a length of time.
fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}
