//! Formatting, storage and limits of times.

use std::fmt;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Formats a time in UTC to the second, for example `2026-11-21 14:05:00Z`. A time outside the years -9999 to 9999
/// prints as the nearest time in that range.
///
/// ```
/// # use std::time::{Duration, SystemTime};
/// # use syncmgr_core::time::Utc;
/// let leap_day = SystemTime::UNIX_EPOCH + Duration::from_secs(951_782_400);
/// assert_eq!(Utc(leap_day).to_string(), "2000-02-29 00:00:00Z");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_structs, reason = "wraps one value")]
pub struct Utc(pub SystemTime);

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nearest = if self.0 < SystemTime::UNIX_EPOCH { Timestamp::MIN } else { Timestamp::MAX };
        let time = Timestamp::try_from(self.0).unwrap_or(nearest);
        write!(f, "{}", time.strftime("%Y-%m-%d %H:%M:%SZ"))
    }
}

/// The last millisecond of the year 9999, the last year with four digits.
pub(crate) const LAST_MILLI: u64 = 253_402_300_799_999;
const LAST: Duration = Duration::from_millis(LAST_MILLI);

/// Returns `now + wait`, at most the end of the year 9999. If `now` is already later than that, `wait` is limited to
/// the span from 1970 to 9999 instead.
pub fn later(now: SystemTime, wait: Duration) -> SystemTime {
    let end = SystemTime::UNIX_EPOCH + LAST;
    let latest = if now < end { end } else { now.checked_add(LAST).unwrap_or(now) };
    now.checked_add(wait).map_or(latest, |time| time.min(latest))
}

/// Rounds a time down to a whole millisecond.
pub(crate) fn round_down(time: SystemTime) -> SystemTime {
    from_millis(to_millis(time))
}

/// Rounds a time up to a whole millisecond.
pub(crate) fn round_up(time: SystemTime) -> SystemTime {
    let down = round_down(time);
    let up = if down < time { down.checked_add(Duration::from_millis(1)) } else { None };
    up.unwrap_or(time).max(time)
}

/// Returns the whole milliseconds since 1970, rounded down; negative before 1970.
pub fn to_millis(time: SystemTime) -> i64 {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
        Err(before) => {
            i64::try_from(before.duration().as_nanos().div_ceil(1_000_000)).map_or(i64::MIN, |millis| -millis)
        }
    }
}

/// Returns the time of a number of milliseconds since 1970. If the platform cannot represent it, returns 1970 for an
/// earlier time and the end of 9999 for a later time.
pub fn from_millis(millis: i64) -> SystemTime {
    let epoch = SystemTime::UNIX_EPOCH;
    let distance = Duration::from_millis(millis.unsigned_abs());
    if millis < 0 {
        epoch.checked_sub(distance).unwrap_or(epoch)
    } else {
        epoch.checked_add(distance).unwrap_or(epoch + LAST)
    }
}

/// Serializes a time in milliseconds, rounded down.
pub(crate) fn serialize<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    to_millis(*time).serialize(serializer)
}

/// Deserializes a time.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SystemTime, D::Error> {
    i64::deserialize(deserializer).map(from_millis)
}

/// Serialization of optional times.
pub(crate) mod option {
    use super::{Deserialize, Deserializer, Serialize, Serializer, SystemTime, from_millis, to_millis};

    /// Serializes a time in milliseconds, rounded down.
    pub(crate) fn serialize<S: Serializer>(time: &Option<SystemTime>, serializer: S) -> Result<S::Ok, S::Error> {
        time.map(to_millis).serialize(serializer)
    }

    /// Deserializes a time.
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SystemTime>, D::Error> {
        Option::<i64>::deserialize(deserializer).map(|millis| millis.map(from_millis))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EPOCH: SystemTime = SystemTime::UNIX_EPOCH;

    #[test]
    fn known_times_are_formatted_in_utc() {
        let known = [
            (0, "1970-01-01 00:00:00Z"),
            (-1, "1969-12-31 23:59:59Z"),
            (951_782_400, "2000-02-29 00:00:00Z"),
            (1_795_269_900, "2026-11-21 14:05:00Z"),
            (-11_644_473_600, "1601-01-01 00:00:00Z"),
            (-62_135_596_801, "0000-12-31 23:59:59Z"),
        ];
        known.iter().for_each(|(seconds, text)| assert_eq!(Utc(from_millis(seconds * 1_000)).to_string(), *text));
        assert_eq!(Utc(EPOCH - Duration::from_millis(1)).to_string(), "1969-12-31 23:59:59Z");
    }

    #[test]
    fn a_time_out_of_range_is_formatted_as_the_nearest_time_in_range() {
        assert_eq!(Utc(EPOCH + 2 * LAST).to_string(), "9999-12-30 22:00:00Z");
        assert_eq!(Utc(EPOCH - 2 * LAST).to_string(), "-9999-01-02 01:59:59Z");
    }

    #[test]
    fn milliseconds_are_rounded_down_before_and_after_1970() {
        assert_eq!(to_millis(EPOCH + Duration::from_micros(1_500)), 1);
        assert_eq!(to_millis(EPOCH - Duration::from_micros(1_500)), -2);
        assert_eq!(to_millis(EPOCH - Duration::from_millis(2)), -2);
    }

    #[test]
    fn a_wait_is_limited_to_the_year_9999() {
        let last = EPOCH + LAST;
        assert_eq!(later(EPOCH, Duration::MAX), last);
        assert_eq!(later(EPOCH, LAST + Duration::from_millis(1)), last);
        assert_eq!(later(EPOCH, Duration::from_secs(5)), EPOCH + Duration::from_secs(5));
        let beyond = last + Duration::from_secs(9);
        assert_eq!(
            later(beyond, Duration::from_secs(5)),
            beyond + Duration::from_secs(5),
            "the clock is already past the limit"
        );
        assert_eq!(later(beyond, Duration::MAX), beyond + LAST);
    }

    proptest! {
        #[test]
        fn milliseconds_survive_a_round_trip(millis in -(1_i64 << 46)..1 << 46) {
            prop_assert_eq!(to_millis(from_millis(millis)), millis);
        }

        #[test]
        fn any_number_of_milliseconds_is_accepted(millis in any::<i64>()) {
            from_millis(millis);
        }

        #[test]
        fn rounding_finds_the_nearest_millisecond_below_and_above(micros in -(1_i64 << 50)..1 << 50) {
            let distance = Duration::from_micros(micros.unsigned_abs());
            let time = if micros < 0 { EPOCH - distance } else { EPOCH + distance };
            let (down, up) = (round_down(time), round_up(time));
            prop_assert!(down <= time && time <= up);
            prop_assert_eq!(up.duration_since(down).unwrap().is_zero(), micros % 1_000 == 0);
            prop_assert!(up.duration_since(down).unwrap() <= Duration::from_millis(1));
            prop_assert_eq!((round_up(down), round_down(up)), (down, up));
        }
    }
}
