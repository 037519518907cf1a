//! The words of the settings file.

use offline_files::Deletions;
use syncmgr::handler::Importance;

/// The values of a setting, each with its word. The words are stable.
pub(super) type Words<T> = &'static [(&'static str, T)];

/// What may be deleted in TO.
pub(super) const DELETE: Words<Deletions> =
    &[("never", Deletions::Never), ("guarded", Deletions::Guarded), ("always", Deletions::Always)];

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
