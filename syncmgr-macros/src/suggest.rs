//! Suggestions for misspelled words.

/// Returns the message for a word that is not in `known`.
pub(crate) fn unknown(kind: &str, word: &str, known: &[&str]) -> String {
    let guess = nearest(word, known).map_or_else(String::new, |near| format!(", did you mean `{near}`?"));
    format!("there is no {kind} `{word}`{guess}\nthe {} are {}", plural(kind), list(known))
}

/// Returns the known word of which `word` is probably a misspelling.
pub(crate) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let distance = |known: &str| strsim::damerau_levenshtein(&folded(word), &folded(known));
    let near = known.iter().copied().min_by_key(|known| distance(known))?;
    (distance(near) <= near.len().div_ceil(4)).then_some(near)
}

/// Returns the plural: `keys`, `capabilities`.
fn plural(kind: &str) -> String {
    match kind.strip_suffix('y') {
        Some(stem) if !stem.ends_with('e') => format!("{stem}ies"),
        _ => format!("{kind}s"),
    }
}

/// Formats a list: `` `a`, `b`, `c` ``.
fn list(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// Formats a choice: `` `a`, `b` or `c` ``.
pub(crate) fn choice(words: &[&str]) -> String {
    match words.split_last() {
        Some((last, words)) if !words.is_empty() => format!("{} or `{last}`", list(words)),
        _ => list(words),
    }
}

/// Removes case and underscores, so that `HasProperties` equals `has_properties`.
fn folded(word: &str) -> String {
    word.chars().filter(|c| *c != '_').flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: [&str; 3] = ["id", "name", "has_properties"];

    #[test]
    fn a_misspelled_word_is_recognized() {
        assert_eq!(nearest("nmae", &WORDS), Some("name"));
        assert_eq!(nearest("HasProperties", &WORDS), Some("has_properties"));
    }

    #[test]
    fn an_unrelated_word_gets_no_suggestion() {
        assert_eq!(nearest("version", &WORDS), None);
        assert_eq!(nearest("uuid", &WORDS), None);
    }

    #[test]
    fn an_unknown_word_without_suggestion_lists_the_known_words() {
        let message = unknown("key", "version", &WORDS);
        assert_eq!(message, "there is no key `version`\nthe keys are `id`, `name`, `has_properties`");
    }

    #[test]
    fn a_choice_ends_with_or() {
        assert_eq!(choice(&WORDS), "`id`, `name` or `has_properties`");
        assert_eq!(choice(&["id"]), "`id`");
    }

    #[test]
    fn the_list_of_known_words_uses_the_plural() {
        assert_eq!(plural("key"), "keys");
        assert_eq!(plural("limit"), "limits");
        assert_eq!(plural("capability"), "capabilities");
    }
}
