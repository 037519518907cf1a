//! "Did you mean".

/// What to say about a word that is none of `known`.
pub(crate) fn unknown(kind: &str, word: &str, known: &[&str]) -> String {
    let guess = nearest(word, known).map_or_else(String::new, |near| format!(", did you mean `{near}`?"));
    format!("there is no {kind} `{word}`{guess}\nthe {} are {}", plural(kind), list(known))
}

/// The known word this one is likely a misspelling of.
pub(crate) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let distance = |known: &str| strsim::damerau_levenshtein(&folded(word), &folded(known));
    let near = known.iter().copied().min_by_key(|known| distance(known))?;
    (distance(near) <= near.len().div_ceil(4)).then_some(near)
}

/// `keys`, `capabilities`
fn plural(kind: &str) -> String {
    match kind.strip_suffix('y') {
        Some(stem) if !stem.ends_with('e') => format!("{stem}ies"),
        _ => format!("{kind}s"),
    }
}

/// `` `a`, `b`, `c` ``
fn list(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// Without case and underscores: `HasProperties` is `has_properties`.
fn folded(word: &str) -> String {
    word.chars().filter(|c| *c != '_').flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: [&str; 3] = ["id", "name", "has_properties"];

    #[test]
    fn a_misspelling_is_recognized() {
        assert_eq!(nearest("nmae", &WORDS), Some("name"));
        assert_eq!(nearest("HasProperties", &WORDS), Some("has_properties"));
    }

    #[test]
    fn a_word_of_another_kind_is_not_guessed_at() {
        assert_eq!(nearest("version", &WORDS), None);
        assert_eq!(nearest("uuid", &WORDS), None);
    }

    #[test]
    fn without_a_guess_the_words_are_listed() {
        let message = unknown("key", "version", &WORDS);
        assert_eq!(message, "there is no key `version`\nthe keys are `id`, `name`, `has_properties`");
    }

    #[test]
    fn what_is_listed_is_called_by_its_plural() {
        assert_eq!(plural("key"), "keys");
        assert_eq!(plural("limit"), "limits");
        assert_eq!(plural("capability"), "capabilities");
    }
}
