//! Paths in output.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use serde::{Serialize, Serializer};
use syncmgr::text::Escaped;

/// A path on its way out.
///
/// For people it is displayed on one line that cannot redraw a terminal. For programs it is serialized as text, and as
/// bytes too where the text is not the whole truth.
#[derive(Clone, Debug)]
pub(crate) struct Shown<P>(pub(crate) P);

impl<P: AsRef<Path>> fmt::Display for Shown<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Escaped(&self.0.as_ref().to_string_lossy()).fmt(f)
    }
}

impl<P: AsRef<Path>> Serialize for Shown<P> {
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

/// A JSON document that can be shown on a terminal as safely as other output.
///
/// The control and bidirectional characters that JSON allows as they are can only stand in its strings, where an escape
/// means the same.
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
    fn a_document_cannot_redraw_the_terminal_either_and_means_the_same() {
        let json = serde_json::to_string("a\x1b\n\u{7f}\u{9b}\u{202e}ä\u{1f600}").unwrap();
        let escaped = escape_json(&json);
        assert_eq!(escaped, r#""a\u001b\n\u007f\u009b\u202eä😀""#);
        let (before, after): (String, String) =
            (serde_json::from_str(&json).unwrap(), serde_json::from_str(&escaped).unwrap());
        assert_eq!(before, after);
    }

    #[test]
    fn a_path_cannot_redraw_the_terminal() {
        assert_eq!(Shown("a\x1b[2J\n\u{202e}b").to_string(), "a\\u{1b}[2J\\u{a}\\u{202e}b");
    }

    #[test]
    fn only_a_path_that_is_no_text_carries_its_bytes() {
        let json = |bytes: &[u8]| serde_json::to_string(&Shown(OsStr::from_bytes(bytes))).unwrap();
        assert_eq!(json(b"a/b"), r#"{"path":"a/b"}"#);
        assert_eq!(json(b"a\xff"), "{\"path\":\"a\u{fffd}\",\"path_bytes\":[97,255]}");
    }
}
