//! The word that a scraper shows in place of a session.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Shortest token.
const MIN_LENGTH: usize = 16;
/// Longest token; headers have to take it.
const MAX_LENGTH: usize = 512;

/// `METRICS_TOKEN`. Kept as its hash: texts of any two lengths are compared in the same time. No Debug: it is a secret.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct MetricsToken([u8; 32]);

impl MetricsToken {
    /// The error is a sentence about the text that does not repeat it.
    pub fn new(text: &str) -> Result<Self, String> {
        let remedy = "give 16 or more random characters, for example of `openssl rand -hex 24`, or remove it";
        if text.is_empty() {
            return Err(format!("is set but empty: {remedy}"));
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(format!("has a character that no bearer token can have: {remedy}"));
        }
        if text.len() < MIN_LENGTH {
            return Err(format!("is too short: {remedy}"));
        }
        if text.len() > MAX_LENGTH {
            return Err(format!("is longer than {MAX_LENGTH} characters: give a shorter one"));
        }
        Ok(Self(hash(text.as_bytes())))
    }

    pub fn is(&self, given: &[u8]) -> bool {
        self.0.ct_eq(&hash(given)).into()
    }
}

fn hash(text: &[u8]) -> [u8; 32] {
    Sha256::digest(text).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_itself_and_nothing_else() {
        let token = MetricsToken::new("0123456789abcdef").unwrap();
        assert!(token.is(b"0123456789abcdef"));
        for other in [&b""[..], b"0123456789abcde", b"0123456789abcdef ", b"0123456789abcdeg", b"0123456789ABCDEF"] {
            assert!(!token.is(other));
        }
    }

    #[test]
    fn what_can_be_guessed_or_cannot_be_sent_is_refused_and_not_repeated() {
        for (text, expected) in [
            ("", "empty"),
            ("hunter2hunter2", "short"),
            ("hunter2 hunter2 hunter2", "character"),
            ("hunter2hunter2hunter2ü", "character"),
            (&"hunter2".repeat(100), "longer"),
        ] {
            let error = MetricsToken::new(text).err().unwrap();
            assert!(error.contains(expected) && !error.contains("hunter2"), "{error}");
        }
    }
}
