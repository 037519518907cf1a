//! The end states of scripts, and their comparison.

use std::collections::BTreeMap;

/// The provider's data after a script, or the checkpoints if the provider shows no data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct EndState(pub(super) BTreeMap<String, String>);

/// The maximum number of characters shown of a value.
const MAX_CHARS: usize = 60;

/// The maximum number of differences shown.
const MAX_DIFFERENCES: usize = 8;

impl EndState {
    /// Returns the differences from the wanted state, one line each.
    pub(super) fn differences(&self, wanted: &Self) -> Vec<String> {
        let missing = wanted.0.keys().filter(|name| !self.0.contains_key(*name)).map(|name| format!("missing: {name}"));
        let present = self.0.iter().filter_map(|(name, value)| match wanted.0.get(name) {
            None => Some(format!("unexpected: {name}: {}", excerpt(value, ""))),
            Some(other) if other != value => {
                Some(format!("{name}: {} instead of {}", excerpt(value, other), excerpt(other, value)))
            }
            Some(_) => None,
        });
        let mut differences: Vec<_> = missing.chain(present).collect();
        if differences.len() > MAX_DIFFERENCES {
            let more = format!("and {} more", differences.len() - MAX_DIFFERENCES);
            differences.splice(MAX_DIFFERENCES.., [more]);
        }
        differences
    }
}

impl EndState {
    /// Returns the name of a value of `wanted` that is missing or different in this state and whose name is not in `shared`.
    pub(super) fn lacks(&self, wanted: &Self, shared: Option<&Self>) -> Option<String> {
        let is_shared = |name: &String| shared.is_some_and(|shared| shared.0.contains_key(name));
        let lacks = |(name, value): &(&String, &String)| self.0.get(*name) != Some(*value) && !is_shared(name);
        wanted.0.iter().find(lacks).map(|(name, _)| name.clone())
    }
}

/// Shortens a long value to the part where it first differs from `other`.
fn excerpt(value: &str, other: &str) -> String {
    let same = value.chars().zip(other.chars()).take_while(|(one, other)| one == other).count();
    let begin = if value.chars().count() > MAX_CHARS { same.saturating_sub(MAX_CHARS / 4) } else { 0 };
    let part: String = value.chars().skip(begin).take(MAX_CHARS).collect();
    let before = if begin > 0 { ".." } else { "" };
    let after = if begin + part.chars().count() < value.chars().count() { ".." } else { "" };
    format!("{before}{part:?}{after}")
}

#[cfg(test)]
mod tests {
    use super::excerpt;

    #[test]
    fn a_long_value_is_shortened_to_the_part_that_differs() {
        let (one, other) = ("x".repeat(100) + "one", "x".repeat(100) + "two");
        assert!(excerpt(&one, &other).ends_with("xone\""), "{}", excerpt(&one, &other));
        assert_eq!(excerpt("a", "b"), "\"a\"");
    }
}
