//! When a handler or an item runs by itself, and when background work is allowed.

mod cron;
mod day;
mod error;
mod fields;
mod month_days;
mod opening;
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
pub(crate) use self::opening::Opening;
pub use self::time_of_day::TimeOfDay;
pub use self::window::Window;

use self::cron::CronTimes;
use self::zone::Zone;
use crate::time::{from_millis, round_up, to_millis};

/// The longest jitter of a cron expression or a single time: a day, in milliseconds.
const MAX_JITTER: u64 = 24 * 60 * 60 * 1_000;

/// The length from which on an interval is refused: a thousand years, in milliseconds.
const MAX_INTERVAL: u64 = 1_000 * 365 * 24 * 60 * 60 * 1_000;

/// The shortest interval that a person means, in milliseconds.
const MIN_OF_PERSON: u64 = 1_000;

/// When a handler or an item runs by itself.
///
/// A schedule is a cron expression in a time zone, a fixed interval, a single time, or never. It is cheap to clone. A cron expression
/// takes about a hundred bytes that clones share, so make it once for all items that have it.
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
pub struct Schedule(Form);

/// A schedule has one form only, so that equal schedules are equal values.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Form {
    /// Without options.
    Plain(Timing),
    /// With options other than the default ones.
    Adjusted(Arc<(Timing, Options)>),
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Timing {
    Cron(Arc<CronTimes>),
    /// An interval in milliseconds.
    Every(u64),
    /// A time in milliseconds since 1970.
    Once(i64),
    Never,
}

/// What a schedule has besides its times. Lengths are in milliseconds.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Options {
    jitter: u64,
    min_gap: u64,
    missed: Missed,
}

impl Options {
    const DEFAULT: Self = Self { jitter: 0, min_gap: 0, missed: Missed::RunOnce };
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
    /// The schedule that never fires. An item with it does not follow the schedule of its handler.
    ///
    /// ```
    /// # use syncmgr_core::schedule::Schedule;
    /// assert_eq!("never".parse(), Ok(Schedule::NEVER));
    /// ```
    pub const NEVER: Self = Self::new(Timing::Never);

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
        Ok(Self::new(Timing::Cron(Arc::new(times))))
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
        let zone = Zone::new(jiff::tz::TimeZone::tzif(zone, &tests::zone_file(posix)).unwrap());
        Self::new(Timing::Cron(Arc::new(CronTimes::new(expression, zone).unwrap())))
    }

    const fn new(timing: Timing) -> Self {
        Self(Form::Plain(timing))
    }

    /// Delays each firing by a random time of up to `jitter`, rounded down to a millisecond. The jitter is at most the
    /// interval, or a day for a cron expression and a single time; a longer jitter counts as that.
    pub fn with_jitter(self, jitter: Duration) -> Self {
        let longest = self.interval_millis().unwrap_or(MAX_JITTER);
        self.adjusted(|options| options.jitter = millis(jitter).min(longest))
    }

    /// Sets what happens to missed firings. The default is [`Missed::RunOnce`].
    pub fn with_missed(self, missed: Missed) -> Self {
        self.adjusted(|options| options.missed = missed)
    }

    /// Sets the minimum time between the starts of two firings, rounded down to a millisecond. A firing that comes due
    /// earlier waits. At most a thousand years.
    pub fn with_min_gap(self, gap: Duration) -> Self {
        self.adjusted(|options| options.min_gap = millis(gap).min(MAX_INTERVAL))
    }

    /// Refuses what a person who sets the schedule at `now` cannot mean. Code may declare it.
    ///
    /// # Errors
    ///
    /// Returns an error for an interval of less than a second, and for a single time that is past.
    ///
    /// ```
    /// # use std::time::{Duration, SystemTime};
    /// # use syncmgr_core::schedule::Schedule;
    /// let error = Schedule::every(Duration::from_millis(1))?.check_of_person(SystemTime::UNIX_EPOCH).unwrap_err();
    /// assert_eq!(error.to_string(), "a person sets an interval of at least one second, such as `every 15m`");
    /// # Ok::<(), syncmgr_core::schedule::ScheduleError>(())
    /// ```
    pub fn check_of_person(&self, now: SystemTime) -> Result<(), ScheduleError> {
        match *self.timing() {
            Timing::Every(..MIN_OF_PERSON) => Err(ScheduleError::TooOften),
            Timing::Once(time) if time < to_millis(now) => Err(ScheduleError::Past { time: from_millis(time) }),
            _ => Ok(()),
        }
    }

    fn adjusted(self, adjust: impl FnOnce(&mut Options)) -> Self {
        if self.is_never() {
            return self;
        }
        let (timing, mut options) = match self.0 {
            Form::Plain(timing) => (timing, Options::DEFAULT),
            Form::Adjusted(adjusted) => Arc::unwrap_or_clone(adjusted),
        };
        adjust(&mut options);
        match options {
            Options::DEFAULT => Self::new(timing),
            options => Self(Form::Adjusted(Arc::new((timing, options)))),
        }
    }

    fn timing(&self) -> &Timing {
        match &self.0 {
            Form::Plain(timing) => timing,
            Form::Adjusted(adjusted) => &adjusted.0,
        }
    }

    fn options(&self) -> &Options {
        match &self.0 {
            Form::Plain(_) => &Options::DEFAULT,
            Form::Adjusted(adjusted) => &adjusted.1,
        }
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
        self.options().missed
    }

    /// Returns `true` if it never fires: it is [`NEVER`](Self::NEVER).
    pub fn is_never(&self) -> bool {
        matches!(self.timing(), Timing::Never)
    }

    /// Returns `true` if clones share a part of the schedule.
    pub(crate) fn is_on_heap(&self) -> bool {
        matches!(self.0, Form::Plain(Timing::Cron(_)) | Form::Adjusted(_))
    }

    /// Returns `true` if both are clones of one cron expression, or of one schedule with options.
    #[cfg(test)]
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Form::Plain(Timing::Cron(this)), Form::Plain(Timing::Cron(other))) => Arc::ptr_eq(this, other),
            (Form::Adjusted(this), Form::Adjusted(other)) => Arc::ptr_eq(this, other),
            _ => false,
        }
    }

    pub(crate) fn is_interval(&self) -> bool {
        self.interval_millis().is_some()
    }

    pub(crate) fn is_once(&self) -> bool {
        matches!(self.timing(), Timing::Once(_))
    }

    pub(crate) fn interval_millis(&self) -> Option<u64> {
        match *self.timing() {
            Timing::Every(interval) => Some(interval),
            Timing::Cron(_) | Timing::Once(_) | Timing::Never => None,
        }
    }

    pub(crate) fn jitter_millis(&self) -> u64 {
        self.options().jitter
    }

    pub(crate) fn min_gap_millis(&self) -> u64 {
        self.options().min_gap
    }

    /// Returns the first firing later than `time`, both in milliseconds since 1970.
    pub(crate) fn after(&self, time: i64) -> Option<i64> {
        match self.timing() {
            Timing::Cron(times) => {
                let next = times.after(Timestamp::from_millisecond(time).ok()?)?;
                Some(next.as_millisecond())
            }
            Timing::Every(interval) => {
                let next = time.checked_add_unsigned(*interval)?;
                Timestamp::from_millisecond(next).ok().map(|_| next)
            }
            Timing::Once(once) => (*once > time).then_some(*once),
            Timing::Never => None,
        }
    }
}

/// Returns the whole milliseconds of a length of time.
fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}
