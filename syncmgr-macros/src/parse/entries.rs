//! Parses the entries of an attribute or of a list in it: `word`, `key = value`, `key(list)`, separated by commas.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::Ident;

use crate::mistakes::Mistakes;

/// An entry.
pub(crate) struct Entry {
    /// The key.
    pub(crate) key: Ident,
    /// The part after the key.
    pub(crate) value: Value,
}

/// The part of an entry after its key.
pub(crate) enum Value {
    /// Nothing.
    None,
    /// `= ..`
    Assigned(TokenStream),
    /// `(..)`
    List(TokenStream),
    /// Anything else; already reported.
    Broken,
}

/// Reads all entries; a broken entry does not hide the others. `expected` describes an entry for messages.
pub(crate) fn entries(tokens: TokenStream, expected: &str, mistakes: &mut Mistakes) -> Vec<Entry> {
    let pieces = split(tokens, mistakes);
    pieces.into_iter().filter_map(|piece| entry(piece, expected, mistakes)).collect()
}

/// Splits at commas, and where a comma is missing.
fn split(tokens: TokenStream, mistakes: &mut Mistakes) -> Vec<Vec<TokenTree>> {
    let mut pieces = vec![Vec::new()];
    for token in tokens {
        let comma = matches!(&token, TokenTree::Punct(punct) if punct.as_char() == ',');
        let piece = pieces.last_mut().filter(|_| !comma);
        match piece {
            Some(piece) if !begins_another(piece, &token) => piece.push(token),
            Some(_) => {
                mistakes.at(&token, format!("a comma is missing before `{token}`"));
                pieces.push(vec![token]);
            }
            None => pieces.push(Vec::new()),
        }
    }
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

/// Returns `true` if `token` starts another entry: in an entry, no word follows a word, literal or list.
fn begins_another(piece: &[TokenTree], token: &TokenTree) -> bool {
    let complete = matches!(piece.last(), Some(last) if !matches!(last, TokenTree::Punct(_)));
    complete && matches!(token, TokenTree::Ident(_))
}

/// Reads one entry.
fn entry(piece: Vec<TokenTree>, expected: &str, mistakes: &mut Mistakes) -> Option<Entry> {
    let mut piece = piece.into_iter();
    let key = match piece.next()? {
        TokenTree::Ident(key) => key,
        other => {
            mistakes.at(other, format!("expected {expected}"));
            return None;
        }
    };
    let value = match piece.next() {
        None => Value::None,
        Some(token) => value(&key, token, piece.collect(), mistakes),
    };
    Some(Entry { key, value })
}

/// Reads the value from its first token and the rest.
fn value(key: &Ident, token: TokenTree, rest: TokenStream, mistakes: &mut Mistakes) -> Value {
    match token {
        TokenTree::Punct(punct) if punct.as_char() == '=' => {
            if rest.is_empty() {
                mistakes.at(punct, format!("the value of `{key}` is missing"));
                return Value::Broken;
            }
            Value::Assigned(rest)
        }
        TokenTree::Group(list) if list.delimiter() == Delimiter::Parenthesis && rest.is_empty() => {
            Value::List(list.stream())
        }
        other => {
            mistakes.at(other, format!("expected `,`, `=` or `(..)` after `{key}`"));
            Value::Broken
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quote::quote;

    fn read(tokens: TokenStream) -> (Vec<String>, Vec<String>) {
        let mut mistakes = Mistakes::none(&tokens);
        let entries = entries(tokens, "a word", &mut mistakes);
        let keys = entries.iter().map(|entry| entry.key.to_string()).collect();
        (keys, mistakes.into_errors().iter().map(ToString::to_string).collect())
    }

    #[test]
    fn words_values_and_lists_are_read_up_to_a_trailing_comma() {
        let (keys, mistakes) = read(quote!(hidden, id = "x", crate = a::b, flags(hidden,),));
        assert_eq!(keys, ["hidden", "id", "crate", "flags"]);
        assert!(mistakes.is_empty());
    }

    #[test]
    fn a_missing_comma_is_reported_and_both_entries_are_read() {
        let (keys, mistakes) = read(quote!(id = "x" name = "y" flags(hidden) crate = a::b));
        assert_eq!(keys, ["id", "name", "flags", "crate"]);
        assert_eq!(mistakes.len(), 3);
        assert_eq!(mistakes[0], "a comma is missing before `name`");
    }

    #[test]
    fn a_broken_entry_does_not_hide_the_next_one() {
        let (keys, mistakes) = read(quote!("x", id: "x", name =, flags[hidden], hidden));
        assert_eq!(keys, ["id", "name", "flags", "hidden"]);
        assert_eq!(mistakes.len(), 4);
    }
}
