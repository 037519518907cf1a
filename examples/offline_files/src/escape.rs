//! Escaping of output.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use serde::{Serialize, Serializer};
use syncmgr::text::Escaped;

/// A path in output.
///
/// `Display` escapes control characters, so that the path is one line and cannot control the terminal. `Serialize` writes the
/// path as text, and also as bytes if it is not UTF-8.
#[derive(Clone, Debug)]
pub(crate) struct EscapedPath<P>(pub(crate) P);

impl<P: AsRef<Path>> fmt::Display for EscapedPath<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Escaped(&self.0.as_ref().to_string_lossy()).fmt(f)
    }
}

impl<P: AsRef<Path>> Serialize for EscapedPath<P> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Exact<'a> {
            path: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            path_bytes: Option<&'a [u8]>,
        }
        let path: &OsStr = self.0.as_ref().as_os_str();
        let path_bytes = path.to_str().is_none().then(|| path.as_bytes());
        Exact { path: &path.to_string_lossy(), path_bytes }.serialize(serializer)
    }
}

/// Escapes a JSON document, so that it cannot control a terminal.
///
/// JSON allows unescaped control and bidirectional characters only in strings, where an escape has the same meaning.
pub(crate) fn escape_json(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        let harmless = |text: &str| Escaped(text).to_string() == text;
        if matches!(character, '\0'..='\x7e') || harmless(character.encode_utf8(&mut [0; 4])) {
            escaped.push(character);
        } else {
            escaped.push_str(&format!("\\u{:04x}", u32::from(character)));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escaped_document_has_no_control_characters_and_the_same_value() {
        let json = serde_json::to_string("a\x1b\n\u{7f}\u{9b}\u{202e}ä\u{1f600}").unwrap();
        let escaped = escape_json(&json);
        assert_eq!(escaped, r#""a\u001b\n\u007f\u009b\u202eä😀""#);
        let (before, after): (String, String) =
            (serde_json::from_str(&json).unwrap(), serde_json::from_str(&escaped).unwrap());
        assert_eq!(before, after);
    }

    #[test]
    fn a_displayed_path_has_no_control_characters() {
        assert_eq!(EscapedPath("a\x1b[2J\n\u{202e}b").to_string(), "a\\u{1b}[2J\\u{a}\\u{202e}b");
    }

    #[test]
    fn only_a_path_that_is_not_utf8_is_serialized_with_its_bytes() {
        let json = |bytes: &[u8]| serde_json::to_string(&EscapedPath(OsStr::from_bytes(bytes))).unwrap();
        assert_eq!(json(b"a/b"), r#"{"path":"a/b"}"#);
        assert_eq!(json(b"a\xff"), "{\"path\":\"a\u{fffd}\",\"path_bytes\":[97,255]}");
    }
}
