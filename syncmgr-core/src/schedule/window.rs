//! The daily spans of time in which background work is allowed.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
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

/// The days around a time that a search for the next change of a window covers. They contain the next two spans of a weekly
/// window, even in a zone that skips one of its days.
const SEARCHED: Range<i32> = -2..22;

/// The text between two spans.
const OR: &str = " or ";

/// The days around a time whose spans may contain it, and the next one.
const NEAR: Range<i32> = -2..3;

/// The daily span of time in which background work is allowed, or several of them.
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
/// let quiet = nights.or(&weekend);
/// assert_eq!(quiet, "22:00-06:00 in Europe/Berlin or 00:00-24:00 in Europe/Berlin on SAT,SUN".parse()?);
/// # Ok::<(), syncmgr_core::schedule::ScheduleError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window(Arc<BTreeSet<Span>>);

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
        Ok(Self(Arc::new(BTreeSet::from([Span { from, to, days: Days::ALL, zone: Zone::named(zone)? }]))))
    }

    /// Limits the days on which the window opens. A window that crosses midnight closes on the day after.
    ///
    /// # Errors
    ///
    /// Returns an error if there are no days.
    pub fn on(self, days: impl IntoIterator<Item = Day>) -> Result<Self, ScheduleError> {
        let days = days.into_iter().fold(Days::NONE, Days::with);
        if days == Days::NONE {
            return Err(ScheduleError::NoDays);
        }
        Ok(Self(Arc::new(self.0.iter().map(|span| Span { days, ..span.clone() }).collect())))
    }

    /// Returns a window that is open while either of them is.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        Self(Arc::new(self.0.union(&other.0).cloned().collect()))
    }

    /// Returns `true` if the window is open at `time`.
    pub fn is_open(&self, time: SystemTime) -> bool {
        let contains =
            |time| self.0.iter().any(|span| span.times(time, NEAR).any(|(from, to)| from <= time && time < to));
        timestamp(time).is_some_and(contains)
    }

    /// Returns the next time later than `time` at which the window opens. `None` if it is always open.
    pub fn opens_after(&self, time: SystemTime) -> Option<SystemTime> {
        let time = timestamp(time)?;
        self.search(time, |spans| spans.iter().map(|(from, _)| *from).find(|from| *from > time))
    }

    /// Returns the next time later than `time` at which the window closes. `None` if it is always open.
    pub fn closes_after(&self, time: SystemTime) -> Option<SystemTime> {
        let time = timestamp(time)?;
        // The last span may go on after the days that were searched.
        self.search(time, |spans| spans.split_last()?.1.iter().map(|(_, to)| *to).find(|to| *to > time))
    }

    /// Returns the next time later than `time` at which the window opens or closes. `None` if it is always open.
    pub(crate) fn changes_after(&self, time: SystemTime) -> Option<SystemTime> {
        self.opens_after(time).into_iter().chain(self.closes_after(time)).min()
    }

    /// Searches the spans around and after `time`: few days first, which contain the next change of most windows.
    fn search(
        &self,
        time: Timestamp,
        find: impl Fn(&[(Timestamp, Timestamp)]) -> Option<Timestamp>,
    ) -> Option<SystemTime> {
        [NEAR, SEARCHED].into_iter().find_map(|days| find(&self.merged(time, days))).map(system)
    }

    /// Returns the spans of these days around `time`, joined where they touch.
    fn merged(&self, time: Timestamp, days: Range<i32>) -> Vec<(Timestamp, Timestamp)> {
        let mut spans: Vec<_> = self.0.iter().flat_map(|span| span.times(time, days.clone())).collect();
        spans.sort();
        let mut merged: Vec<(Timestamp, Timestamp)> = Vec::new();
        for (from, to) in spans {
            match merged.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(to),
                _ => merged.push((from, to)),
            }
        }
        merged
    }
}

impl Span {
    /// Returns the times at which the span begins and ends, for these days around `time`.
    fn times(&self, time: Timestamp, days: Range<i32>) -> impl Iterator<Item = (Timestamp, Timestamp)> {
        let today = self.zone.local(time).date();
        let days = days.filter_map(move |days| today.checked_add(days.days()).ok());
        days.filter(|day| self.days.contains(Day::of(*day))).filter_map(|day| self.times_on(day))
    }

    /// Returns the times of the span that begins on `day`. `None` if a gap of the clock covers it.
    fn times_on(&self, day: Date) -> Option<(Timestamp, Timestamp)> {
        let Self { from, to, zone, .. } = self;
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
        self.0.iter().enumerate().try_for_each(|(at, span)| {
            f.write_str(if at == 0 { "" } else { OR })?;
            span.fmt(f)
        })
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, days, zone } = self;
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
        let spans = text.split(OR).map(Self::parse_span).collect::<Result<Vec<_>, _>>()?;
        Ok(Self(Arc::new(spans.iter().flat_map(|window| window.0.iter().cloned()).collect())))
    }
}

impl Window {
    fn parse_span(text: &str) -> Result<Self, ScheduleError> {
        let refused =
            || ScheduleError::text(text, "write `22:00-06:00 in Europe/Berlin` or the same with ` on SAT,SUN`");
        let (times, place) = text.split_once(" in ").ok_or_else(|| match text.split_once('-') {
            Some((from, _)) if from.parse::<TimeOfDay>().is_ok() => ScheduleError::without_zone(text),
            _ => refused(),
        })?;
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
