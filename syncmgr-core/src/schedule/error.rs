//! The errors of schedules and windows.

use std::time::SystemTime;

use crate::text::{Escaped, bounded};
use crate::time::Utc;

/// The maximum length of a refused text in an error, in bytes.
const SHOWN: usize = 128;

/// The reason why a [`Schedule`](super::Schedule) or a [`Window`](super::Window) cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// The cron expression cannot be parsed.
    #[error("the cron expression `{}` is not valid: {reason}", Escaped(.expression))]
    #[non_exhaustive]
    Expression {
        /// The expression, truncated.
        expression: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No date matches the cron expression, such as the 30th of February.
    #[error("the cron expression `{}` never fires: no date matches its day and month", Escaped(.expression))]
    #[non_exhaustive]
    NeverFires {
        /// The expression.
        expression: String,
    },
    /// The time zone is not known.
    #[error("the time zone `{}` is not known; {}", Escaped(.zone), advice(.suggestion.as_deref()))]
    #[non_exhaustive]
    UnknownZone {
        /// The name, truncated.
        zone: String,
        /// A known name that is similar.
        suggestion: Option<String>,
    },
    /// The interval is less than a millisecond.
    #[error("an interval is at least one millisecond long")]
    ZeroInterval,
    /// The interval is too short for a person to have meant it.
    #[error("a person sets an interval of at least one second, such as `every 15m`")]
    TooOften,
    /// The single time is over.
    #[error("the time {} is past; write a time to come", Utc(*.time))]
    #[non_exhaustive]
    Past {
        /// The time.
        time: SystemTime,
    },
    /// The time is not in the years 1 to 9999, or the interval is longer than a thousand years.
    #[error("the time is not in the years 1 to 9999, or the interval is longer than a thousand years")]
    OutOfRange,
    /// The window opens and closes at the same time of day.
    #[error("a window from {0} to {0} has no length; for a whole day write 00:00 to 24:00")]
    #[non_exhaustive]
    NoLength(super::TimeOfDay),
    /// The window opens on no day.
    #[error("a window opens on at least one day of the week")]
    NoDays,
    /// The text is not a time of day.
    #[error("`{}` is not a time of day; write hours and minutes, such as 22:00, from 00:00 to 24:00", Escaped(.text))]
    #[non_exhaustive]
    TimeOfDay {
        /// The text, truncated.
        text: String,
    },
    /// The text is not the text form of a schedule or a window.
    #[error("`{}` cannot be read: {expected}", Escaped(.text))]
    #[non_exhaustive]
    Text {
        /// The text, truncated.
        text: String,
        /// What is expected in its place.
        expected: &'static str,
    },
}

impl ScheduleError {
    pub(super) fn expression(expression: &str, reason: impl ToString) -> Self {
        Self::Expression { expression: shown(expression), reason: reason.to_string() }
    }

    /// Returns the error for a text without a time zone.
    pub(super) fn without_zone(text: &str) -> Self {
        Self::text(
            text,
            "write its time zone after it: ` in local` for that of the machine, or a name as in ` in Europe/Berlin`",
        )
    }

    pub(super) fn text(text: &str, expected: &'static str) -> Self {
        Self::Text { text: shown(text), expected }
    }

    pub(super) fn time_of_day(text: &str) -> Self {
        Self::TimeOfDay { text: shown(text) }
    }

    pub(super) fn unknown_zone(zone: &str, suggestion: Option<String>) -> Self {
        Self::UnknownZone { zone: shown(zone), suggestion }
    }
}

fn shown(text: &str) -> String {
    bounded(text, SHOWN).into_owned()
}

fn advice(suggestion: Option<&str>) -> String {
    match suggestion {
        Some(name) => format!("did you mean `{name}`?"),
        None => "write a name of the IANA database, such as Europe/Berlin, or `local`".to_owned(),
    }
}
