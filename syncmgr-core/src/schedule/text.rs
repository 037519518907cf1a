//! The text form of schedules.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Missed, Options, Schedule, ScheduleError, Timing};
use crate::time::from_millis;

const SCHEDULE: &str = "write `cron 30 2 * * * in Europe/Berlin`, `every 15m`, `once 2026-12-01T02:30:00Z` or `never`";
const OPTION: &str = "an option is `jitter 5m`, `gap 1h` or `missed skip`";
const DURATION: &str = "write a duration such as 15m or 1h 30m";
const TIME: &str = "write a time with its zone, as in `once 2026-12-01T02:30:00Z` or `once 2026-12-01T02:30:00+01:00`";

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.timing() {
            Timing::Cron(times) => write!(f, "cron {} in {}", times.expression(), times.zone().name())?,
            Timing::Every(millis) => write!(f, "every {}", Length(*millis))?,
            Timing::Once(millis) => {
                let time = Timestamp::from_millisecond(*millis).expect("checked when the schedule was made");
                write!(f, "once {time}")?;
            }
            Timing::Never => f.write_str("never")?,
        }
        let Options { jitter, min_gap, missed } = self.options();
        for (option, millis) in [("jitter", *jitter), ("gap", *min_gap)] {
            if millis > 0 {
                write!(f, "; {option} {}", Length(millis))?;
            }
        }
        match missed {
            Missed::RunOnce => Ok(()),
            Missed::Skip => f.write_str("; missed skip"),
        }
    }
}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Schedule({self})")
    }
}

impl FromStr for Schedule {
    type Err = ScheduleError;

    /// Parses the text form.
    fn from_str(text: &str) -> Result<Self, ScheduleError> {
        let mut parts = text.split(';').map(str::trim);
        let schedule = parse_timing(parts.next().unwrap_or_default())?;
        parts.try_fold(schedule, parse_option)
    }
}

fn parse_timing(text: &str) -> Result<Schedule, ScheduleError> {
    match text.split_once(' ') {
        Some(("cron", rest)) => {
            let (expression, zone) = rest.rsplit_once(" in ").ok_or_else(|| ScheduleError::without_zone(text))?;
            Schedule::cron(expression, zone)
        }
        Some(("every", rest)) => Schedule::every(parse_duration(rest)?),
        Some(("once", rest)) => Schedule::once(parse_time(rest)?),
        None if text == "never" => Ok(Schedule::NEVER),
        _ => Err(ScheduleError::text(text, SCHEDULE)),
    }
}

fn parse_option(schedule: Schedule, text: &str) -> Result<Schedule, ScheduleError> {
    match text.split_once(' ') {
        Some(("jitter", length)) => Ok(schedule.with_jitter(parse_duration(length)?)),
        Some(("gap", length)) => Ok(schedule.with_min_gap(parse_duration(length)?)),
        Some(("missed", "skip")) => Ok(schedule.with_missed(Missed::Skip)),
        Some(("missed", "run once")) => Ok(schedule.with_missed(Missed::RunOnce)),
        _ => Err(ScheduleError::text(text, OPTION)),
    }
}

fn parse_duration(text: &str) -> Result<Duration, ScheduleError> {
    let length: Result<SignedDuration, _> = text.trim().parse();
    length.ok().and_then(|length| length.try_into().ok()).ok_or_else(|| ScheduleError::text(text, DURATION))
}

fn parse_time(text: &str) -> Result<SystemTime, ScheduleError> {
    let time: Result<Timestamp, _> = text.trim().parse();
    time.map(|time| from_millis(time.as_millisecond())).map_err(|_| ScheduleError::text(text, TIME))
}

/// Formats a number of milliseconds in the longest unit that divides it.
struct Length(u64);

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u64, &str); 3] = [(3_600_000, "h"), (60_000, "m"), (1_000, "s")];
        let (unit, name) = UNITS.into_iter().find(|(unit, _)| self.0.is_multiple_of(*unit)).unwrap_or((1, "ms"));
        write!(f, "{}{name}", self.0 / unit)
    }
}

impl Serialize for Schedule {
    /// Serializes the text form.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Schedule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}
