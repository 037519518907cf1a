//! The common parts of all entries.

use proc_macro2::TokenStream;
use syn::Ident;
use syn::parse::Parse;

use crate::mistakes::Mistakes;
use crate::parse::{Entry, Value, entries};
use crate::suggest;

/// The allowed keys, each at most once.
pub(crate) struct Keys {
    kind: &'static str,
    known: &'static [&'static str],
    given: Vec<&'static str>,
}

impl Keys {
    /// Creates the list of allowed keys. `kind` is the noun for a key in messages.
    pub(crate) fn new(kind: &'static str, known: &'static [&'static str]) -> Self {
        Self { kind, known, given: Vec::new() }
    }

    /// Returns the known key. A misspelled key counts as the intended one, so that it is not reported as missing too.
    pub(crate) fn recognize(&mut self, key: &Ident, mistakes: &mut Mistakes) -> Option<&'static str> {
        let word = key.to_string();
        let exact = self.known.iter().copied().find(|known| *known == word);
        if exact.is_none() {
            mistakes.at(key, suggest::unknown(self.kind, &word, self.known));
        }
        let meant = exact.or_else(|| suggest::nearest(&word, self.known))?;
        if self.is_given(meant) {
            if exact.is_some() {
                mistakes.at(key, format!("`{word}` is given twice"));
            }
            return None;
        }
        self.given.push(meant);
        Some(meant)
    }

    /// Returns `true` if this key was recognized.
    pub(crate) fn is_given(&self, key: &str) -> bool {
        self.given.contains(&key)
    }
}

/// Returns the tokens after `=`. `example` shows a valid entry.
pub(crate) fn assigned<'a>(entry: &'a Entry, example: &str, mistakes: &mut Mistakes) -> Option<&'a TokenStream> {
    match &entry.value {
        Value::Assigned(tokens) => return Some(tokens),
        Value::None | Value::List(_) => mistakes.at(&entry.key, format!("expected a value, as in `{example}`")),
        Value::Broken => {}
    }
    None
}

/// Returns the tokens in `(..)`.
pub(crate) fn list(entry: &Entry, example: &str, mistakes: &mut Mistakes) -> Option<TokenStream> {
    match &entry.value {
        Value::List(tokens) => return Some(tokens.clone()),
        Value::None | Value::Assigned(_) => mistakes.at(&entry.key, format!("expected a list, as in `{example}`")),
        Value::Broken => {}
    }
    None
}

/// Returns the words in `(..)`, each of them one of `known`. `kind` is the noun for a word in messages.
pub(crate) fn words(
    entry: &Entry,
    kind: &'static str,
    known: &'static [&'static str],
    example: &str,
    mistakes: &mut Mistakes,
) -> Option<Vec<&'static str>> {
    let tokens = list(entry, example, mistakes)?;
    let mut words = Vec::new();
    let mut keys = Keys::new(kind, known);
    for entry in entries(tokens, &format!("a {kind}, as in `{example}`"), mistakes) {
        let Some(word) = keys.recognize(&entry.key, mistakes) else { continue };
        if matches!(entry.value, Value::Assigned(_) | Value::List(_)) {
            mistakes.at(&entry.key, format!("a {kind} has no value: write `{word}`, or leave it out"));
        }
        words.push(word);
    }
    Some(words)
}

/// Returns the word after `=`, one of `known`. `kind` is the noun for a word in messages.
pub(crate) fn word(
    entry: &Entry,
    kind: &str,
    known: &[&'static str],
    example: &str,
    mistakes: &mut Mistakes,
) -> Option<&'static str> {
    let tokens = assigned(entry, example, mistakes)?;
    let Ok(word) = syn::parse2::<Ident>(tokens.clone()) else {
        let choice = suggest::choice(known);
        mistakes.at(tokens, format!("expected {choice}, with nothing around it, as in `{example}`"));
        return None;
    };
    let found = known.iter().copied().find(|known| word == *known);
    if found.is_none() {
        mistakes.at(&word, suggest::unknown(kind, &word.to_string(), known));
    }
    found
}

/// Returns the literal after `=`. `kind` is its name in messages.
pub(crate) fn literal<T: Parse>(entry: &Entry, kind: &str, example: &str, mistakes: &mut Mistakes) -> Option<T> {
    let tokens = assigned(entry, example, mistakes)?;
    let literal = syn::parse2(tokens.clone()).ok();
    if literal.is_none() {
        mistakes.at(tokens, format!("expected {kind}, as in `{example}`"));
    }
    literal
}
