//! The days of the week.

use std::fmt;

use jiff::civil::{Date, Weekday};

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a week has seven days")]
pub enum Day {
    /// Monday.
    Monday,
    /// Tuesday.
    Tuesday,
    /// Wednesday.
    Wednesday,
    /// Thursday.
    Thursday,
    /// Friday.
    Friday,
    /// Saturday.
    Saturday,
    /// Sunday.
    Sunday,
}

impl Day {
    /// All days, from Monday to Sunday.
    pub const ALL: [Self; 7] =
        [Self::Monday, Self::Tuesday, Self::Wednesday, Self::Thursday, Self::Friday, Self::Saturday, Self::Sunday];

    /// The short names of [`ALL`](Self::ALL).
    const NAMES: [&str; 7] = ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"];

    /// Returns the day of the week of a date.
    pub(super) fn of(date: Date) -> Self {
        match date.weekday() {
            Weekday::Monday => Self::Monday,
            Weekday::Tuesday => Self::Tuesday,
            Weekday::Wednesday => Self::Wednesday,
            Weekday::Thursday => Self::Thursday,
            Weekday::Friday => Self::Friday,
            Weekday::Saturday => Self::Saturday,
            Weekday::Sunday => Self::Sunday,
        }
    }

    /// Returns the day with this short name, in any case.
    pub(super) fn named(name: &str) -> Option<Self> {
        let position = Self::NAMES.iter().position(|known| known.eq_ignore_ascii_case(name.trim()))?;
        Some(Self::ALL[position])
    }
}

/// A set of days of the week.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Days(u8);

impl Days {
    pub(super) const NONE: Self = Self(0);
    pub(super) const ALL: Self = Self(0x7f);

    pub(super) fn with(self, day: Day) -> Self {
        Self(self.0 | 1 << day as u8)
    }

    pub(super) fn contains(self, day: Day) -> bool {
        self.0 & 1 << day as u8 != 0
    }
}

impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = Day::ALL.into_iter().filter(|day| self.contains(*day)).map(|day| Day::NAMES[day as usize]);
        f.write_str(&days.collect::<Vec<_>>().join(","))
    }
}
