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
            None => Some(format!("too much: {name}: {}", shown(piece))),
            Some(other) if other != piece => Some(format!("{name}: {} instead of {}", shown(piece), shown(other))),
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

fn shown(piece: &str) -> String {
    let start: String = piece.chars().take(SHOWN).collect();
    let more = if start.len() < piece.len() { ".." } else { "" };
    format!("{start:?}{more}")
}
