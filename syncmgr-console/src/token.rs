//! The secret that opens the page.

use std::fmt::Write;

use subtle::ConstantTimeEq;

/// 256 random bits from the OS as hexadecimal digits. The type does not implement `Debug`, so no log can contain the token.
#[allow(missing_debug_implementations, reason = "it would show the token")]
pub(crate) struct Token(String);

impl Token {
    /// Creates a token.
    ///
    /// # Errors
    /// If the OS provides no randomness.
    pub(crate) fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0_u8; 32];
        getrandom::fill(&mut bytes)?;
        let mut text = String::new();
        for byte in bytes {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        Ok(Self(text))
    }

    /// Returns the token as plain text, for the user.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    /// Returns `true` if `presented` is this token. The duration of the comparison depends only on the length, which is not
    /// secret.
    pub(crate) fn is(&self, presented: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(presented).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_equals_only_itself() {
        let token = Token::random().unwrap();
        let text = token.reveal().as_bytes();
        assert_eq!(text.len(), 64);
        assert!(token.is(text));
        assert!(!token.is(&text[1..]) && !token.is(&[text, b"0"].concat()) && !token.is(b""));
        assert!(!token.is(Token::random().unwrap().reveal().as_bytes()));
    }
}
