//! Validates whole numbers.

use syn::LitInt;

use super::entry::{assigned, literal};
use crate::mistakes::Mistakes;
use crate::parse::Entry;

/// Returns the number after `=`, at least 1. `flaw` is the message for 0. `example` shows a valid entry.
pub(crate) fn count(entry: &Entry, example: &str, flaw: &str, mistakes: &mut Mistakes) -> Option<u32> {
    // Report at the tokens, not at the literal: some toolchains would point at the sign alone.
    let tokens = assigned(entry, example, mistakes)?;
    let literal: LitInt = literal(entry, "a whole number", example, mistakes)?;
    match literal.base10_parse() {
        Ok(0) => mistakes.at(tokens, format!("{flaw}: write 1 or more")),
        Ok(count) => return Some(count),
        Err(_) => mistakes.at(tokens, format!("expected a whole number from 1 to {}", u32::MAX)),
    }
    None
}

/// Returns the percentage after `=`.
pub(crate) fn percent(entry: &Entry, example: &str, mistakes: &mut Mistakes) -> Option<u32> {
    let tokens = assigned(entry, example, mistakes)?;
    let literal: LitInt = literal(entry, "a whole number", example, mistakes)?;
    let percent = literal.base10_parse().ok().filter(|percent| *percent <= 100);
    if percent.is_none() {
        mistakes.at(tokens, format!("expected a whole number of percent from 0 to 100, as in `{example}`"));
    }
    percent
}
