//! Length limits and escaping for untrusted text.

use std::borrow::Cow;
use std::fmt;

/// The maximum length of a name, in bytes of UTF-8. Longer names are truncated.
pub const MAX_NAME: usize = 4 * 1024;

/// The maximum length of the text of a log entry or progress report, in bytes of UTF-8. Longer text is truncated.
pub const MAX_TEXT: usize = 16 * 1024;

/// The maximum length of a cookie, in bytes.
pub const MAX_COOKIE: usize = 1024 * 1024;

/// Returns `text`, truncated at a character boundary to at most `limit` bytes. Truncated text ends with `…`.
///
/// ```
/// # use syncmgr_core::text::bounded;
/// assert_eq!(bounded("a rather long name", 10), "a rathe…"); // 10 bytes in total
/// ```
pub fn bounded(text: &str, limit: usize) -> Cow<'_, str> {
    const MARK: &str = "…";
    if text.len() <= limit {
        return Cow::Borrowed(text);
    }
    let end = (0..=limit.saturating_sub(MARK.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    Cow::Owned(format!("{}{MARK}", &text[..end]))
}

/// Displays text with control and bidirectional characters escaped, so that a name cannot redraw a terminal or reorder a
/// line.
///
/// ```
/// # use syncmgr_core::text::Escaped;
/// assert_eq!(Escaped("in\x1b[2Jbox").to_string(), "in\\u{1b}[2Jbox");
/// ```
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "wraps one value")]
pub struct Escaped<'a>(pub &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            if character.is_control() || is_bidirectional(character) {
                write!(f, "{}", character.escape_unicode())?;
            } else {
                fmt::Write::write_char(f, character)?;
            }
        }
        Ok(())
    }
}

/// Returns `true` if a character changes the direction of the text around it.
fn is_bidirectional(character: char) -> bool {
    matches!(character, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_truncated_at_a_character_boundary_and_marked() {
        assert_eq!(bounded("short", 5), "short");
        assert_eq!(bounded("ääääää", 8), "ää…");
        assert!(bounded(&"x".repeat(100), 10).len() <= 10);
    }

    #[test]
    fn control_and_bidirectional_characters_are_escaped() {
        assert_eq!(Escaped("a\x1b[2Jb\u{202E}c\nä").to_string(), "a\\u{1b}[2Jb\\u{202e}c\\u{a}ä");
    }
}
