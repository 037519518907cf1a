//! Validates durations in quotes.

use std::time::Duration;

use syn::LitStr;

use super::entry::literal;
use crate::mistakes::Mistakes;
use crate::parse::Entry;

/// Returns the duration after `=`. `example` shows a valid entry.
pub(crate) fn duration(entry: &Entry, example: &str, mistakes: &mut Mistakes) -> Option<Duration> {
    let literal = literal(entry, "a duration in quotes", example, mistakes)?;
    parse_literal(&literal, example, mistakes)
}

/// Returns the duration after `=`, which must not be zero. `flaw` is the message for zero.
pub(crate) fn positive_duration(entry: &Entry, example: &str, flaw: &str, mistakes: &mut Mistakes) -> Option<Duration> {
    let literal = literal(entry, "a duration in quotes", example, mistakes)?;
    let duration = parse_literal(&literal, example, mistakes)?;
    if duration.is_zero() {
        mistakes.at(literal, format!("{flaw}\nwrite more than zero, as in `{example}`, or leave it out"));
        return None;
    }
    Some(duration)
}

fn parse_literal(literal: &LitStr, example: &str, mistakes: &mut Mistakes) -> Option<Duration> {
    let text = literal.value();
    let duration = parse_duration(&text);
    if duration.is_none() {
        let message =
            format!("`{text}` is not a duration\nwrite a whole number and `ms`, `s`, `min` or `h`, as in `{example}`");
        mistakes.at(literal, message);
    }
    duration
}

/// Parses `250ms`, `5s`, `2min`, `1h`.
fn parse_duration(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "min" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(millis).map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_whole_number_and_a_unit() {
        assert_eq!(parse_duration("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(parse_duration("5s"), Some(Duration::from_secs(5)));
        assert_eq!(parse_duration("2min"), Some(Duration::from_secs(120)));
        assert_eq!(parse_duration("1h"), Some(Duration::from_secs(3600)));
    }

    #[test]
    fn text_of_any_other_form_is_not_a_duration() {
        for text in ["", "5", "s", "5 s", "-5s", "1.5s", "5sec", "5\u{212a}", "5H", "18446744073709551615min"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }
}
