//! The local time of a zone, minute by minute.

use jiff::Timestamp;
use jiff::civil::{Date, date};
use jiff::tz::TimeZone;

/// A quarter of an hour in minutes. The zones of the test change at its multiples.
const QUARTER: i64 = 15;

/// A time zone. All times are in minutes since 1970, of UTC or of the local clock.
pub(super) struct Zone {
    pub(super) name: &'static str,
    rules: TimeZone,
}

impl Zone {
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, rules: TimeZone::get(name).unwrap() }
    }

    /// Calls `each` with every minute of UTC and its local minute.
    pub(super) fn walk(&self, from: i64, to: i64, mut each: impl FnMut(i64, i64)) {
        for quarter in from / QUARTER..to / QUARTER {
            let first = quarter * QUARTER;
            let offset = self.offset(first);
            (first..first + QUARTER).for_each(|minute| each(minute, minute + offset));
        }
    }

    /// Returns the offset from UTC, in minutes.
    fn offset(&self, minute: i64) -> i64 {
        let seconds = i64::from(self.rules.to_offset(Timestamp::from_second(minute * 60).unwrap()).seconds());
        assert_eq!(seconds % 60, 0);
        seconds / 60
    }
}

/// A local time in parts.
#[derive(Clone, Copy)]
pub(super) struct Local {
    pub(super) minute: i64,
    pub(super) hour: i64,
    pub(super) day: Day,
}

/// A local date in parts.
#[derive(Clone, Copy)]
pub(super) struct Day {
    number: i64,
    pub(super) day: i8,
    pub(super) month: i8,
    pub(super) is_last: bool,
    /// Counted from Monday, 0.
    pub(super) weekday: i8,
}

impl Day {
    pub(super) fn new(number: i64) -> Self {
        let date: Date = date(1970, 1, 1).checked_add(jiff::Span::new().days(number)).unwrap();
        let is_last = date.day() == date.days_in_month();
        Self { number, day: date.day(), month: date.month(), is_last, weekday: date.weekday().to_monday_zero_offset() }
    }
}

impl Local {
    /// Splits a local minute. `last` is the day of the last call.
    pub(super) fn split(minute: i64, last: &mut Day) -> Self {
        let (number, of_day) = (minute.div_euclid(1_440), minute.rem_euclid(1_440));
        if last.number != number {
            *last = Day::new(number);
        }
        Self { minute: of_day % 60, hour: of_day / 60, day: *last }
    }
}
