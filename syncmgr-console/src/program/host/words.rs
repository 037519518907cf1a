//! The words of the settings file.

use offline_files::{Conflicts, Deletions};
use syncmgr::handler::Importance;

/// The directions in which changes go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Way {
    /// From `from` to `to`.
    #[default]
    To,
    Both,
}

/// The values of a setting, each with its word. The words are stable.
pub(super) type Words<T> = &'static [(&'static str, T)];

/// What may be deleted in TO.
pub(super) const DELETE: Words<Deletions> =
    &[("never", Deletions::Never), ("guarded", Deletions::Guarded), ("always", Deletions::Always)];

/// How what both sides have changed is decided.
pub(super) const CONFLICTS: Words<Conflicts> = &[
    ("ask", Conflicts::Ask),
    ("keep-both", Conflicts::KeepBoth),
    ("newer", Conflicts::Newer),
    ("from", Conflicts::A),
    ("to", Conflicts::B),
];

/// Whether the pair goes in both directions.
pub(super) const DIRECTION: Words<Way> = &[("to", Way::To), ("both", Way::Both)];

/// What comes first.
pub(super) const IMPORTANCE: Words<Importance> =
    &[("low", Importance::Low), ("normal", Importance::Normal), ("high", Importance::High)];

/// Returns the value with this word.
///
/// # Errors
/// Returns a message with the words that are expected.
pub(super) fn value_of<T: Copy>(words: Words<T>, text: &str) -> Result<T, String> {
    let known = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
    known.ok_or_else(|| {
        let words: Vec<_> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
        let (last, rest) = words.split_last().expect("each setting has words");
        format!("`{}` is not known; write {} or {last}", syncmgr::text::Escaped(text), rest.join(", "))
    })
}
