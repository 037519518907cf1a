//! Text for people.

use std::io::{self, Write};

use serde_json::{Value, json};
use syncmgr::text::Escaped;

/// Prints a line. Ends the program quietly if nobody reads it any more.
pub(crate) fn line(text: impl std::fmt::Display) {
    if writeln!(io::stdout(), "{text}").is_err() {
        std::process::exit(0);
    }
}

/// Prints a warning on standard error, as text or as JSON.
pub(crate) fn warn(text: &str, json: bool) {
    match json {
        true => eprintln!("{}", json!({ "warning": text })),
        false => eprintln!("syncmgr: {text}"),
    }
}

/// Prints the field `text` of each entry, indented.
pub(crate) fn texts(entries: &Value) {
    for entry in entries.as_array().into_iter().flatten() {
        line(format_args!("  {}", entry["text"].as_str().unwrap_or_default()));
    }
}

/// Returns a text that is safe to print on a terminal.
pub(crate) fn safe(value: &Value) -> String {
    Escaped(value.as_str().unwrap_or_default()).to_string()
}

/// Returns a time, given in milliseconds since 1970, in UTC.
pub(crate) fn time(value: &Value) -> String {
    value.as_i64().map(time_of).unwrap_or_default()
}

/// Returns a time in UTC. The time is in milliseconds since 1970.
pub(crate) fn time_of(millis: i64) -> String {
    let time = jiff::Timestamp::from_millisecond(millis);
    time.map(|time| time.strftime("%F %TZ").to_string()).unwrap_or_default()
}

/// Returns a fraction of a whole as a percentage. `None` if the whole is not known.
pub(crate) fn percent(progress: &Value) -> Option<u64> {
    let (value, max) = (progress["value"].as_u64()?, progress["max"].as_u64().filter(|max| *max > 0)?);
    Some(value.saturating_mul(100) / max)
}
