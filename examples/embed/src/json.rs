//! JSON that can be shown on a terminal as it is.

use std::fmt::Write;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use syncmgr::text::Escaped;

/// An answer in JSON.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match text(&self.0) {
            Ok(text) => ([(header::CONTENT_TYPE, "application/json")], text + "\n").into_response(),
            // Only a map with keys that are no text cannot be put into JSON, and there are none.
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    }
}

/// A value as JSON on one line, in which a name cannot redraw a terminal or reorder a line.
///
/// The control and bidirectional characters that JSON allows as they are can only stand in its strings, where an escape
/// means the same.
pub(crate) fn text(value: &impl Serialize) -> serde_json::Result<String> {
    let plain = serde_json::to_string(value)?;
    let mut escaped = String::with_capacity(plain.len());
    for character in plain.chars() {
        if is_shown_as_it_is(character) {
            escaped.push(character);
        } else {
            // Writing to a string does not fail. None of these characters is beyond 16 bits.
            let _ = write!(escaped, "\\u{:04x}", u32::from(character));
        }
    }
    Ok(escaped)
}

fn is_shown_as_it_is(character: char) -> bool {
    matches!(character, ' '..='~') || Escaped(character.encode_utf8(&mut [0; 4])).to_string().chars().eq([character])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_redraws_or_reorders_is_left_and_the_value_is_the_same() {
        let value = "a\x1b\r\n\u{7f}\u{9b}\u{202e}\"ä\u{1f600}";
        let json = text(&value).unwrap();
        assert_eq!(json, r#""a\u001b\r\n\u007f\u009b\u202e\"ä😀""#);
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), value);
    }
}
