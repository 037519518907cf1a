//! The daily span of time in which background work is allowed.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::SystemTime;

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::day::Days;
use super::zone::Zone;
use super::{Day, ScheduleError, TimeOfDay};
use crate::time::{from_millis, to_millis};

/// The days that a search for the next change of a window covers. They contain the next two spans of a weekly window, even in a
/// zone that skips one of its days.
const SEARCHED: i32 = 22;

/// A daily span of time in which background work is allowed.
///
/// A window that closes earlier than it opens crosses midnight. It opens and closes when the clock first shows its times: once
/// a day, at the end of a gap if the clock skips the time. Spans that touch are one.
///
/// ```
/// # use syncmgr_core::schedule::{Day, Window};
/// let nights = Window::daily("22:00".parse()?, "06:00".parse()?, "Europe/Berlin")?;
/// assert_eq!(nights.to_string(), "22:00-06:00 in Europe/Berlin");
/// let weekend = Window::daily("00:00".parse()?, "24:00".parse()?, "Europe/Berlin")?.on([Day::Saturday, Day::Sunday])?;
/// assert_eq!(weekend.to_string(), "00:00-24:00 in Europe/Berlin on SAT,SUN");
/// # Ok::<(), syncmgr_core::schedule::ScheduleError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window(Arc<Span>);

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Span {
    from: TimeOfDay,
    to: TimeOfDay,
    days: Days,
    zone: Zone,
}

impl Window {
    /// Creates a window that opens every day. The zone is a name of the IANA database, or `local` for the zone of the
    /// machine.
    ///
    /// # Errors
    ///
    /// Returns an error if the window has no length, or if the zone is not known.
    pub fn daily(from: TimeOfDay, to: TimeOfDay, zone: &str) -> Result<Self, ScheduleError> {
        if from == to || (from, to) == (TimeOfDay::END, TimeOfDay::MIDNIGHT) {
            return Err(ScheduleError::NoLength(from));
        }
        let from = if from == TimeOfDay::END { TimeOfDay::MIDNIGHT } else { from };
        let to = if to == TimeOfDay::MIDNIGHT { TimeOfDay::END } else { to };
        Ok(Self(Arc::new(Span { from, to, days: Days::ALL, zone: Zone::named(zone)? })))
    }

    /// Limits the days on which the window opens. A window that crosses midnight closes on the day after.
    ///
    /// # Errors
    ///
    /// Returns an error if there are no days.
    pub fn on(mut self, days: impl IntoIterator<Item = Day>) -> Result<Self, ScheduleError> {
        let days = days.into_iter().fold(Days::NONE, Days::with);
        if days == Days::NONE {
            return Err(ScheduleError::NoDays);
        }
        Arc::make_mut(&mut self.0).days = days;
        Ok(self)
    }

    /// Returns `true` if the window is open at `time`.
    pub fn is_open(&self, time: SystemTime) -> bool {
        timestamp(time).is_some_and(|time| self.spans(time).any(|(from, to)| from <= time && time < to))
    }

    /// Returns the next time later than `time` at which the window opens. `None` if it is always open.
    pub fn opens_after(&self, time: SystemTime) -> Option<SystemTime> {
        let time = timestamp(time)?;
        self.merged(time).into_iter().map(|(from, _)| from).find(|from| *from > time).map(system)
    }

    /// Returns the next time later than `time` at which the window closes. `None` if it is always open.
    pub fn closes_after(&self, time: SystemTime) -> Option<SystemTime> {
        let time = timestamp(time)?;
        let mut spans = self.merged(time);
        spans.pop();
        spans.into_iter().map(|(_, to)| to).find(|to| *to > time).map(system)
    }

    /// Returns the spans around and after `time`, joined where they touch.
    fn merged(&self, time: Timestamp) -> Vec<(Timestamp, Timestamp)> {
        let mut merged: Vec<(Timestamp, Timestamp)> = Vec::new();
        for (from, to) in self.spans(time) {
            match merged.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(to),
                _ => merged.push((from, to)),
            }
        }
        merged
    }

    /// Returns the spans of the days around and after `time`.
    fn spans(&self, time: Timestamp) -> impl Iterator<Item = (Timestamp, Timestamp)> {
        let today = self.0.zone.local(time).date();
        let days = (-2..SEARCHED).filter_map(move |days| today.checked_add(days.days()).ok());
        days.filter(|day| self.0.days.contains(Day::of(*day))).filter_map(|day| self.span_of(day))
    }

    /// Returns the span that opens on `day`. `None` if a gap of the clock covers it.
    fn span_of(&self, day: Date) -> Option<(Timestamp, Timestamp)> {
        let Span { from, to, zone, .. } = &*self.0;
        let closing = if to <= from { day.tomorrow().ok()? } else { day };
        let (from, to) = (zone.first_instant(from.on(day)?)?, zone.first_instant(to.on(closing)?)?);
        (from < to).then_some((from, to))
    }
}

fn timestamp(time: SystemTime) -> Option<Timestamp> {
    Timestamp::from_millisecond(to_millis(time)).ok()
}

fn system(time: Timestamp) -> SystemTime {
    from_millis(time.as_millisecond())
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Span { from, to, days, zone } = &*self.0;
        write!(f, "{from}-{to} in {}", zone.name())?;
        if *days == Days::ALL { Ok(()) } else { write!(f, " on {days}") }
    }
}

impl fmt::Debug for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Window({self})")
    }
}

impl FromStr for Window {
    type Err = ScheduleError;

    /// Parses the text form.
    fn from_str(text: &str) -> Result<Self, ScheduleError> {
        let refused =
            || ScheduleError::text(text, "write `22:00-06:00 in Europe/Berlin` or the same with ` on SAT,SUN`");
        let (times, place) = text.split_once(" in ").ok_or_else(refused)?;
        let (from, to) = times.split_once('-').ok_or_else(refused)?;
        let (zone, days) = place.split_once(" on ").map_or((place, None), |(zone, days)| (zone, Some(days)));
        let window = Self::daily(from.parse()?, to.parse()?, zone)?;
        match days {
            Some(days) => window.on(days.split(',').map(Day::named).collect::<Option<Vec<_>>>().ok_or_else(refused)?),
            None => Ok(window),
        }
    }
}

impl Serialize for Window {
    /// Serializes the text form.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Window {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}
