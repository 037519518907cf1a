//! The limits a handler declares.

use std::time::Duration;

use syn::{LitInt, LitStr};

use super::entry::{Keys, list, literal};
use crate::mistakes::Mistakes;
use crate::parse::{Entry, entries};

/// The limits that were given.
#[derive(Default)]
pub(crate) struct Limits {
    pub(crate) items: Option<u32>,
    pub(crate) soft_grace: Option<Duration>,
    pub(crate) hard_grace: Option<Duration>,
}

const LIMITS: [&str; 3] = ["items", "soft_grace", "hard_grace"];

/// Checks `limits(..)`.
pub(crate) fn limits(entry: &Entry, mistakes: &mut Mistakes) -> Limits {
    let mut limits = Limits::default();
    let Some(tokens) = list(entry, "limits(items = 4)", mistakes) else { return limits };
    let mut keys = Keys::new("limit", &LIMITS);
    for entry in entries(tokens, "a limit, as in `limits(items = 4)`", mistakes) {
        let Some(key) = keys.recognize(&entry.key, mistakes) else { continue };
        match key {
            "items" => limits.items = items(&entry, mistakes),
            "soft_grace" => limits.soft_grace = duration(key, &entry, mistakes),
            _ => limits.hard_grace = duration(key, &entry, mistakes),
        }
        if limits.are_inverted() {
            limits.soft_grace = None;
            let message = "`soft_grace` is longer than `hard_grace`\nboth count from the moment of the cancel";
            mistakes.at(&entry.key, message);
        }
    }
    limits
}

impl Limits {
    fn are_inverted(&self) -> bool {
        self.soft_grace.zip(self.hard_grace).is_some_and(|(soft, hard)| soft > hard)
    }
}

fn items(entry: &Entry, mistakes: &mut Mistakes) -> Option<u32> {
    let literal: LitInt = literal(entry, "a whole number", "items = 4", mistakes)?;
    match literal.base10_parse() {
        Ok(0) => mistakes.at(literal, "with room for 0 items nothing would ever run: write 1 or more"),
        Ok(items) => return Some(items),
        Err(_) => mistakes.at(literal, format!("expected a whole number from 1 to {}", u32::MAX)),
    }
    None
}

fn duration(key: &str, entry: &Entry, mistakes: &mut Mistakes) -> Option<Duration> {
    let example = format!("{key} = \"250ms\"");
    let literal: LitStr = literal(entry, "a duration in quotes", &example, mistakes)?;
    let text = literal.value();
    let duration = parse_duration(&text);
    if duration.is_none() {
        let message =
            format!("`{text}` is no duration\nwrite a whole number and `ms`, `s` or `min`, as in `{example}`");
        mistakes.at(literal, message);
    }
    duration
}

/// `250ms`, `5s`, `2min`.
fn parse_duration(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "min" => 60_000,
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
    }

    #[test]
    fn anything_else_is_no_duration() {
        for text in ["", "5", "s", "5 s", "-5s", "1.5s", "5sec", "5\u{212a}", "18446744073709551615min"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }
}
