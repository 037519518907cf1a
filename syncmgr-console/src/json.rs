//! JSON that is safe to print on a terminal.

use std::fmt::Write;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::{Deserialize, Deserializer, Error};
use syncmgr::text::Escaped;

/// A JSON response.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match text(&self.0) {
            Ok(text) => ([(header::CONTENT_TYPE, "application/json")], text + "\n").into_response(),
            // Serialization fails only for maps whose keys are not strings, and no response contains one.
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    }
}

/// Serializes a value to one line of JSON, and escapes all control and bidirectional characters.
///
/// JSON allows unescaped control and bidirectional characters only in strings, where an escape has the same meaning.
pub(crate) fn text(value: &impl Serialize) -> serde_json::Result<String> {
    let plain = serde_json::to_string(value)?;
    let mut escaped = String::with_capacity(plain.len());
    for character in plain.chars() {
        if needs_no_escape(character) {
            escaped.push(character);
        } else {
            // Writing to a string cannot fail. All of these characters fit into 16 bits.
            let _ = write!(escaped, "\\u{:04x}", u32::from(character));
        }
    }
    Ok(escaped)
}

fn needs_no_escape(character: char) -> bool {
    matches!(character, ' '..='~') || Escaped(character.encode_utf8(&mut [0; 4])).to_string().chars().eq([character])
}

/// Reads an index. `0.0` is an integer in JSON.
pub(crate) fn index<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let number = f64::deserialize(deserializer)?;
    // Saturates, so that a number that is no index differs from the result.
    let index = number as u32;
    if f64::from(index) == number { Ok(index) } else { Err(D::Error::custom(format_args!("{number} is not an index"))) }
}

/// Reads an optional number of 32 bits.
pub(crate) fn optional_index<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    index(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_and_bidirectional_characters_are_escaped() {
        let value = "a\x1b\r\n\u{7f}\u{9b}\u{202e}\"ä\u{1f600}";
        let json = text(&value).unwrap();
        assert_eq!(json, r#""a\u001b\r\n\u007f\u009b\u202e\"ä😀""#);
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), value);
    }
}
