//! Whole numbers.

use syn::LitInt;

use super::entry::{assigned, literal};
use crate::mistakes::Mistakes;
use crate::parse::Entry;

/// The number after `=`, from 1: `flaw` says what would be wrong with 0. `example` shows the entry as it could be.
pub(crate) fn count(entry: &Entry, example: &str, flaw: &str, mistakes: &mut Mistakes) -> Option<u32> {
    // Not at the literal: some toolchains would point at the sign alone.
    let place = assigned(entry, example, mistakes)?;
    let literal: LitInt = literal(entry, "a whole number", example, mistakes)?;
    match literal.base10_parse() {
        Ok(0) => mistakes.at(place, format!("{flaw}: write 1 or more")),
        Ok(count) => return Some(count),
        Err(_) => mistakes.at(place, format!("expected a whole number from 1 to {}", u32::MAX)),
    }
    None
}

/// The percentage after `=`.
pub(crate) fn percent(entry: &Entry, example: &str, mistakes: &mut Mistakes) -> Option<u32> {
    let place = assigned(entry, example, mistakes)?;
    let literal: LitInt = literal(entry, "a whole number", example, mistakes)?;
    let percent = literal.base10_parse().ok().filter(|percent| *percent <= 100);
    if percent.is_none() {
        mistakes.at(place, format!("expected a whole number of percent from 0 to 100, as in `{example}`"));
    }
    percent
}
