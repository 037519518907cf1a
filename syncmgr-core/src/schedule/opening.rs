//! The next time at which all of some windows are open.

use std::time::{Duration, SystemTime};

use super::Window;
use crate::time::later;

/// Windows that are not open together within this time never are: they open every week.
const SEARCHED: Duration = Duration::from_secs(15 * 24 * 60 * 60);

/// Whether background work that requires some windows may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// All windows are open.
    Open,
    /// All windows are open at this time, and not before.
    At(SystemTime),
    /// The windows are never open together.
    Never,
}

impl Opening {
    /// Returns the opening of these windows.
    pub(crate) fn of<'a>(windows: impl Iterator<Item = &'a Window> + Clone, now: SystemTime) -> Self {
        let (mut time, end) = (now, later(now, SEARCHED));
        while time <= end {
            let closed = windows.clone().filter(|window| !window.is_open(time));
            match closed.map(|window| window.opens_after(time)).collect::<Option<Vec<_>>>() {
                Some(openings) => match openings.into_iter().max() {
                    Some(opening) => time = opening,
                    None => return if time == now { Self::Open } else { Self::At(time) },
                },
                None => return Self::Never,
            }
        }
        Self::Never
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::from_millis;

    fn time(text: &str) -> SystemTime {
        from_millis(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    /// Returns the opening of these windows at noon of a Tuesday.
    fn opening(windows: &[&str]) -> Opening {
        let windows: Vec<Window> = windows.iter().map(|text| text.parse().unwrap()).collect();
        Opening::of(windows.iter(), time("2026-12-01T12:00:00Z"))
    }

    #[test]
    fn without_windows_work_may_run() {
        assert_eq!(opening(&[]), Opening::Open);
    }

    #[test]
    fn all_windows_have_to_be_open() {
        let (day, night) = ("08:00-18:00 in UTC", "17:00-06:00 in UTC");
        assert_eq!(opening(&[day]), Opening::Open);
        assert_eq!(opening(&[night]), Opening::At(time("2026-12-01T17:00:00Z")));
        assert_eq!(opening(&[day, night]), Opening::At(time("2026-12-01T17:00:00Z")));
        let monday = "00:00-24:00 in UTC on MON";
        assert_eq!(opening(&[day, night, monday]), Opening::At(time("2026-12-07T17:00:00Z")));
    }

    #[test]
    fn windows_that_are_never_open_together_are_noticed() {
        assert_eq!(opening(&["08:00-12:00 in UTC", "12:00-18:00 in UTC"]), Opening::Never);
        assert_eq!(opening(&["08:00-12:00 in UTC on MON", "08:00-12:00 in UTC on TUE"]), Opening::Never);
    }
}
