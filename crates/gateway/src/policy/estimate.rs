//! What a request may use, from its body alone: reserved until the real numbers are known.

use domain::endpoint::Endpoint;

use super::ceilings::LENGTHS;
use crate::request::json::{self, Kind};

/// Tokens of an answer whose request names no length.
const ANSWER: u64 = 512;
/// No context of today is longer, and a number of the client's own must not stand for more.
const LARGEST: u64 = 131_072;
/// Strings from here on count only where they look like text: what has no blank is an image.
const LONG: usize = 1_024;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Estimate {
    pub(crate) prompt: u64,
    pub(crate) answer: u64,
}

impl Estimate {
    pub(super) fn total(self) -> u64 {
        self.prompt + self.answer
    }

    /// Of a body that has been read before. English text has about four bytes a token.
    pub(crate) fn of(endpoint: Endpoint, body: &[u8]) -> Self {
        let answers = match endpoint {
            Endpoint::Generate
            | Endpoint::Chat
            | Endpoint::OpenAiChat
            | Endpoint::OpenAiCompletions
            | Endpoint::OpenAiResponses
            | Endpoint::AnthropicMessages => true,
            Endpoint::Embed | Endpoint::Embeddings | Endpoint::OpenAiEmbeddings => false,
            _ => return Self::default(),
        };
        let (mut bytes, mut length) = (0, None);
        let scanned = json::scan(body, &mut |key, value| match json::unescape(key).as_ref() {
            "prompt" | "messages" | "input" | "system" | "instructions" | "suffix" | "tools" | "template" => {
                bytes += text_bytes(value)
            }
            // A conversation so far, as the tokens themselves.
            "context" if Kind::of(value) == Kind::Array => bytes += 4 * (1 + memchr::memchr_iter(b',', value).count()),
            "options" if Kind::of(value) == Kind::Object => {
                // The scan outside has found it sound.
                let _ = json::scan(value, &mut |key, value| {
                    if key == b"num_predict" {
                        length = tokens(value).or(length);
                    }
                });
            }
            key if LENGTHS.contains(&key) => length = tokens(value).or(length),
            _ => {}
        });
        if scanned.is_err() {
            return Self::default();
        }
        let answer = if answers { length.unwrap_or(ANSWER).min(LARGEST) } else { 0 };
        Self { prompt: (bytes as u64).div_ceil(4).min(LARGEST), answer }
    }
}

fn tokens(value: &[u8]) -> Option<u64> {
    let number: f64 = std::str::from_utf8(value).ok()?.parse().ok()?;
    (number >= 1.0).then_some(number as u64)
}

/// Bytes of the strings in a raw value that are text.
pub(crate) fn text_bytes(value: &[u8]) -> usize {
    let (mut rest, mut bytes) = (value, 0);
    while let Some(start) = memchr::memchr(b'"', rest) {
        rest = &rest[start + 1..];
        let mut end = 0;
        while let Some(at) = memchr::memchr2(b'"', b'\\', &rest[end..]) {
            end += at;
            if rest[end] == b'"' {
                break;
            }
            end = (end + 2).min(rest.len());
        }
        let (text, tail) = rest.split_at(end.min(rest.len()));
        if text.len() < LONG || memchr::memchr(b' ', &text[..LONG]).is_some() {
            bytes += text.len();
        }
        rest = tail.get(1..).unwrap_or_default();
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn estimate(endpoint: Endpoint, body: &str) -> (u64, u64) {
        let Estimate { prompt, answer } = Estimate::of(endpoint, body.as_bytes());
        (prompt, answer)
    }

    #[test]
    fn text_counts_and_the_length_asked_for() {
        let body = r#"{"model":"m","prompt":"12345678","options":{"num_predict":7}}"#;
        assert_eq!(estimate(Endpoint::Generate, body), (2, 7));
        assert_eq!(estimate(Endpoint::Generate, r#"{"model":"m","prompt":""}"#), (0, ANSWER));
        assert_eq!(estimate(Endpoint::Generate, r#"{"prompt":"a\"b\\","options":{"num_predict":-1}}"#), (2, ANSWER));
        assert_eq!(
            estimate(Endpoint::OpenAiChat, r#"{"messages":[{"role":"user","content":"1234"}],"max_tokens":9}"#),
            (5, 9)
        );
        assert_eq!(estimate(Endpoint::OpenAiResponses, r#"{"input":"1234","max_output_tokens":1e99}"#), (1, LARGEST));
        assert_eq!(estimate(Endpoint::Embed, r#"{"input":["1234","5678"]}"#), (2, 0));
        assert_eq!(estimate(Endpoint::Generate, r#"{"prompt":"","context":[1,2,3],"template":"1234"}"#), (4, ANSWER));
        assert_eq!(estimate(Endpoint::Show, r#"{"model":"m"}"#), (0, 0));
    }

    #[test]
    fn images_are_no_text() {
        let image = "A".repeat(100_000);
        let body = format!(r#"{{"messages":[{{"role":"user","content":"12345678","images":["{image}"]}}]}}"#);
        let (prompt, _) = estimate(Endpoint::Chat, &body);
        assert!(prompt < 20, "{prompt}");
        let long = "word ".repeat(1_000);
        assert_eq!(estimate(Endpoint::Generate, &format!(r#"{{"prompt":"{long}"}}"#)).0, 1_250);
    }
}
