//! What a script has come to, compared.

use std::collections::BTreeMap;

/// What the handler's work has come to: its data, or its checkpoints where it shows none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct EndState(pub(super) BTreeMap<String, String>);

/// How much of a piece is shown.
const SHOWN: usize = 60;

/// How many differences are.
const MOST: usize = 8;

impl EndState {
    /// How this differs from what it should be, piece by piece.
    pub(super) fn differences(&self, wanted: &Self) -> Vec<String> {
        let missing = wanted.0.keys().filter(|name| !self.0.contains_key(*name)).map(|name| format!("missing: {name}"));
        let here = self.0.iter().filter_map(|(name, piece)| match wanted.0.get(name) {
            None => Some(format!("too much: {name}: {}", shown(piece, ""))),
            Some(other) if other != piece => {
                Some(format!("{name}: {} instead of {}", shown(piece, other), shown(other, piece)))
            }
            Some(_) => None,
        });
        let mut differences: Vec<_> = missing.chain(here).collect();
        if differences.len() > MOST {
            let more = format!("and {} more", differences.len() - MOST);
            differences.splice(MOST.., [more]);
        }
        differences
    }
}

impl EndState {
    /// A piece of these that is missing or another here, unless `shared` has it too.
    pub(super) fn lacks(&self, pieces: &Self, shared: Option<&Self>) -> Option<String> {
        let is_shared = |name: &String| shared.is_some_and(|shared| shared.0.contains_key(name));
        let lacks = |(name, piece): &(&String, &String)| self.0.get(*name) != Some(*piece) && !is_shared(name);
        pieces.0.iter().find(lacks).map(|(name, _)| name.clone())
    }
}

/// A piece from where it first differs from the other, as far as there is room.
fn shown(piece: &str, other: &str) -> String {
    let same = piece.chars().zip(other.chars()).take_while(|(one, other)| one == other).count();
    let begin = if piece.chars().count() > SHOWN { same.saturating_sub(SHOWN / 4) } else { 0 };
    let part: String = piece.chars().skip(begin).take(SHOWN).collect();
    let before = if begin > 0 { ".." } else { "" };
    let after = if begin + part.chars().count() < piece.chars().count() { ".." } else { "" };
    format!("{before}{part:?}{after}")
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn of_a_long_piece_the_part_that_differs_is_shown() {
        let (one, other) = ("x".repeat(100) + "one", "x".repeat(100) + "two");
        assert!(shown(&one, &other).ends_with("xone\""), "{}", shown(&one, &other));
        assert_eq!(shown("a", "b"), "\"a\"");
    }
}
