//! Text for people.

use std::io::{self, Write};

use serde_json::{Value, json};
use syncmgr::text::Escaped;

use super::{fail, wants_json};

/// The exit code if the output cannot be written.
const FAILED: u8 = 1;

/// The standard output. Ends the program if it cannot be written: quietly if its reader is gone.
pub(crate) struct Output;

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        io::stdout().write(bytes).or_else(|error| end(&error))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush().or_else(|error| end(&error))
    }
}

/// Ends the program after an error of the standard output, unless the write is to be tried again.
pub(crate) fn end<T>(error: &io::Error) -> io::Result<T> {
    match error.kind() {
        kind @ io::ErrorKind::Interrupted => Err(kind.into()),
        io::ErrorKind::BrokenPipe => std::process::exit(0),
        _ => {
            fail(&format!("the output cannot be written: {error}"), FAILED, wants_json(std::env::args_os()));
            std::process::exit(FAILED.into())
        }
    }
}

/// Prints a line.
pub(crate) fn line(text: impl std::fmt::Display) {
    let written = writeln!(Output, "{text}").and_then(|()| Output.flush());
    written.expect("the program has ended if the output cannot be written");
}

/// Prints a line on standard error. What the program does is the same if that is closed.
pub(crate) fn problem(text: impl std::fmt::Display) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Prints a warning on standard error, as text or as JSON.
pub(crate) fn warn(text: &str, json: bool) {
    match json {
        true => problem(json!({ "warning": text })),
        false => problem(format_args!("syncmgr: {text}")),
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
