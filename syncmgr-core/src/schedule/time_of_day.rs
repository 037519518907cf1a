//! A time of day, to the minute.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, DateTime};

use super::ScheduleError;

/// A time of day from 00:00 to 24:00, to the minute.
///
/// ```
/// # use syncmgr_core::schedule::TimeOfDay;
/// let closing: TimeOfDay = "6:30".parse()?;
/// assert_eq!(closing, TimeOfDay::new(6, 30)?);
/// assert_eq!(closing.to_string(), "06:30");
/// # Ok::<(), syncmgr_core::schedule::ScheduleError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeOfDay {
    hour: u8,
    minute: u8,
}

impl TimeOfDay {
    /// 00:00, the start of the day.
    pub const MIDNIGHT: Self = Self { hour: 0, minute: 0 };
    /// 24:00, the end of the day.
    pub const END: Self = Self { hour: 24, minute: 0 };

    /// Creates a time of day.
    ///
    /// # Errors
    ///
    /// Returns an error if the time is later than 24:00, or if there are more than 59 minutes.
    pub fn new(hour: u8, minute: u8) -> Result<Self, ScheduleError> {
        let time = Self { hour, minute };
        if time <= Self::END && minute < 60 { Ok(time) } else { Err(ScheduleError::time_of_day(&time.to_string())) }
    }

    /// Returns this time on a date. `None` for the end of the last date of the calendar.
    pub(super) fn on(self, date: Date) -> Option<DateTime> {
        match self {
            Self::END => Some(date.tomorrow().ok()?.at(0, 0, 0, 0)),
            Self { hour, minute } => Some(date.at(hour.cast_signed(), minute.cast_signed(), 0, 0)),
        }
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.hour, self.minute)
    }
}

impl FromStr for TimeOfDay {
    type Err = ScheduleError;

    /// Parses hours and minutes, such as `22:00`.
    fn from_str(text: &str) -> Result<Self, ScheduleError> {
        let refused = || ScheduleError::time_of_day(text);
        let number = |digits: &str| digits.parse::<u8>().map_err(|_| refused());
        let (hour, minute) = text.trim().split_once(':').ok_or_else(refused)?;
        Self::new(number(hour)?, number(minute)?).map_err(|_| refused())
    }
}
