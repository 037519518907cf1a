//! The secret that whoever started the program hands to whom they like.

use std::fmt::Write;

use subtle::ConstantTimeEq;

/// 256 bits from the OS's randomness, as hexadecimal digits. Not `Debug`, so that no log has it by accident.
#[allow(missing_debug_implementations, reason = "it would show the token")]
pub struct Token(String);

impl Token {
    /// A new token.
    ///
    /// # Errors
    /// When the OS has no randomness to give.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0_u8; 32];
        getrandom::fill(&mut bytes)?;
        let mut text = String::new();
        for byte in bytes {
            // Writing to a string does not fail.
            let _ = write!(text, "{byte:02x}");
        }
        Ok(Self(text))
    }

    /// The token in plain text, to be told once.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether somebody presented this token. How long the comparison takes tells nothing but the length, which is no
    /// secret.
    pub fn is(&self, presented: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(presented).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_itself_and_nothing_shorter_longer_or_other() {
        let token = Token::random().unwrap();
        let text = token.reveal().as_bytes();
        assert_eq!(text.len(), 64);
        assert!(token.is(text));
        assert!(!token.is(&text[1..]) && !token.is(&[text, b"0"].concat()) && !token.is(b""));
        assert!(!token.is(Token::random().unwrap().reveal().as_bytes()));
    }
}
