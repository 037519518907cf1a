//! Times for people.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

/// Returns a time in UTC, to the second.
pub(crate) fn utc(time: SystemTime) -> String {
    let millis = time.duration_since(UNIX_EPOCH).ok().and_then(|since| i64::try_from(since.as_millis()).ok());
    let time = millis.and_then(|millis| Timestamp::from_millisecond(millis).ok());
    time.map(|time| time.strftime("%F %TZ").to_string()).unwrap_or_default()
}
