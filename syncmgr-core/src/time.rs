//! Times as people read them.

use std::fmt;
use std::time::SystemTime;

/// Shows a time in UTC to the second, as in `2026-11-21 14:05:00Z`.
///
/// The calendar is the Gregorian one at all times. The year before 1 is 0, and the one before that -1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Utc(pub SystemTime);

const DAY: i128 = 24 * 60 * 60;

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = seconds(self.0);
        let (year, month, day) = date(seconds.div_euclid(DAY));
        let second = seconds.rem_euclid(DAY);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        let sign = if year < 0 { "-" } else { "" };
        let year = year.unsigned_abs();
        write!(f, "{sign}{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}Z")
    }
}

/// The last second since 1970 that had begun.
fn seconds(time: SystemTime) -> i128 {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => after.as_secs().into(),
        Err(before) => {
            let before = before.duration();
            -i128::from(before.as_secs()) - i128::from(before.subsec_nanos() > 0)
        }
    }
}

/// Year, month and day of the day that comes so many days after 1970-01-01.
///
/// Counted from the first day of the year 1, each span of years ends with its irregular part: 400 years with the century
/// that has a day more, 4 years with the leap year.
fn date(day: i128) -> (i128, usize, i128) {
    const TO_1970: i128 = 719_162;
    const YEARS_400: i128 = 146_097;
    const YEARS_100: i128 = 36_524;
    const YEARS_4: i128 = 1_461;
    let day = day + TO_1970;
    let (eras, day) = (day.div_euclid(YEARS_400), day.rem_euclid(YEARS_400));
    let centuries = (day / YEARS_100).min(3);
    let day = day - centuries * YEARS_100;
    let (fours, day) = (day / YEARS_4, day % YEARS_4);
    let ones = (day / 365).min(3);
    let year = 1 + 400 * eras + 100 * centuries + 4 * fours + ones;
    let (month, day) = month(day - ones * 365, year);
    (year, month, day + 1)
}

/// The month a day of a year is in, from 1, and the day of the month, from 0.
fn month(mut day: i128, year: i128) -> (usize, i128) {
    let february = if is_leap(year) { 29 } else { 28 };
    let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30];
    for (passed, length) in lengths.into_iter().enumerate() {
        if day < length {
            return (passed + 1, day);
        }
        day -= length;
    }
    (lengths.len() + 1, day)
}

fn is_leap(year: i128) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn shown(seconds: i64) -> String {
        let distance = Duration::from_secs(seconds.unsigned_abs());
        let epoch = SystemTime::UNIX_EPOCH;
        Utc(if seconds < 0 { epoch - distance } else { epoch + distance }).to_string()
    }

    #[test]
    fn known_seconds_have_their_dates() {
        let known = [
            (0, "1970-01-01 00:00:00Z"),
            (-1, "1969-12-31 23:59:59Z"),
            (951_782_400, "2000-02-29 00:00:00Z"),
            (1_795_269_900, "2026-11-21 14:05:00Z"),
            (4_107_542_399, "2100-02-28 23:59:59Z"),
            (4_107_542_400, "2100-03-01 00:00:00Z"),
            (253_402_300_799, "9999-12-31 23:59:59Z"),
            (253_402_300_800, "10000-01-01 00:00:00Z"),
            (-11_644_473_600, "1601-01-01 00:00:00Z"),
            (-62_135_596_800, "0001-01-01 00:00:00Z"),
            (-62_135_596_801, "0000-12-31 23:59:59Z"),
            (-62_167_219_201, "-0001-12-31 23:59:59Z"),
        ];
        known.iter().for_each(|(seconds, text)| assert_eq!(shown(*seconds), *text));
    }

    #[test]
    fn a_part_of_a_second_before_1970_belongs_to_the_second_it_is_in() {
        let time = SystemTime::UNIX_EPOCH - Duration::from_millis(1);
        assert_eq!(Utc(time).to_string(), "1969-12-31 23:59:59Z");
    }

    proptest! {
        #[test]
        fn any_time_the_platform_can_name_is_shown(seconds in any::<u64>(), nanos in 0..1_000_000_000_u32) {
            let distance = Duration::new(seconds, nanos);
            let epoch = SystemTime::UNIX_EPOCH;
            for time in [epoch.checked_add(distance), epoch.checked_sub(distance)].into_iter().flatten() {
                prop_assert!(Utc(time).to_string().ends_with('Z'));
            }
        }

        #[test]
        fn each_day_is_followed_by_the_next(day in -2_000_000..4_000_000_i128) {
            let (year, month, number) = date(day);
            let length = match month {
                2 if is_leap(year) => 29,
                2 => 28,
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            let next = match (number == length, month == 12) {
                (false, _) => (year, month, number + 1),
                (true, false) => (year, month + 1, 1),
                (true, true) => (year + 1, 1, 1),
            };
            prop_assert_eq!(date(day + 1), next);
        }
    }
}
