//! Errors that backends wrote: whether clients of a dialect understand them, and the same told in that dialect. In front
//! of an Ollama stand proxies with pages of HTML, and behind one address other servers with another dialect.

use domain::endpoint::Dialect;
use http::StatusCode;
use serde_json::Value;

use super::error::document;
use crate::request::cut;

/// Longest message that is taken over.
const LONGEST: usize = 2000;

/// The text is an error as servers of `dialect` write it.
pub(crate) fn is_error_of(dialect: Dialect, text: &[u8]) -> bool {
    let Ok(Value::Object(document)) = serde_json::from_slice(text) else { return false };
    let Some(error) = document.get("error") else { return false };
    let says = |member: &str| error.get(member).is_some_and(Value::is_string);
    match dialect {
        Dialect::Ollama => error.is_string(),
        Dialect::OpenAi => says("message"),
        Dialect::Anthropic => {
            document.get("type").is_some_and(|kind| kind == "error") && says("type") && says("message")
        }
    }
}

/// What can be read of a backend's error.
pub(crate) fn said(status: StatusCode, text: &[u8]) -> String {
    let words = words(text).map(|words| cut(&words, LONGEST).to_owned());
    words.unwrap_or_else(|| format!("the backend answered {status}"))
}

/// An error document of `dialect` with these words.
pub(crate) fn retold(dialect: Dialect, status: StatusCode, said: &str, id: u64) -> String {
    document(dialect, status, said, None, id)
}

/// What the text says to a person: the message of an error document, or plain words. Pages of HTML say nothing.
pub(crate) fn words(text: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(text).ok()?.trim();
    let found = match serde_json::from_str::<Value>(text) {
        Ok(document) => sentence(&document)?.to_owned(),
        Err(_) if text.starts_with('<') => return None,
        Err(_) => text.to_owned(),
    };
    let is_unreadable = |letter: char| letter.is_control() && !letter.is_whitespace();
    (!found.trim().is_empty() && !found.contains(is_unreadable)).then_some(found)
}

/// Where servers put it: Ollama, OpenAI and Anthropic, and the frameworks others are built with.
fn sentence(document: &Value) -> Option<&str> {
    const PLACES: [&str; 7] =
        ["/error/message", "/error", "/message", "/detail", "/detail/0/msg", "/response/error/message", ""];
    PLACES.iter().find_map(|place| document.pointer(place)?.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn again(dialect: Dialect, status: StatusCode, text: &[u8], id: u64) -> String {
        retold(dialect, status, &said(status, text), id)
    }

    const OLLAMA: &str = r#"{"error":"model is overloaded"}"#;
    const OPENAI: &str = r#"{"error":{"message":"model is overloaded","type":"api_error","param":null,"code":null}}"#;
    const ANTHROPIC: &str = r#"{"type":"error","error":{"type":"api_error","message":"model is overloaded"},"request_id":"req_0000000000000007"}"#;

    #[test]
    fn each_dialect_knows_its_own_errors_and_no_others() {
        for (dialect, own) in [(Dialect::Ollama, OLLAMA), (Dialect::OpenAi, OPENAI), (Dialect::Anthropic, ANTHROPIC)] {
            for text in [OLLAMA, OPENAI, ANTHROPIC] {
                // Anthropic's document holds OpenAI's, whose clients look at `error.message`.
                let fits = text == own || (dialect == Dialect::OpenAi && text == ANTHROPIC);
                assert_eq!(is_error_of(dialect, text.as_bytes()), fits, "{dialect:?} {text}");
                assert_eq!(again(dialect, StatusCode::INTERNAL_SERVER_ERROR, text.as_bytes(), 7), own);
            }
            for text in
                ["", "null", "[]", "{}", "<html>", r#"{"error":null}"#, r#"{"error":{"code":5}}"#, "{\"error\":\"x"]
            {
                assert!(!is_error_of(dialect, text.as_bytes()), "{text}");
            }
        }
    }

    #[test]
    fn readable_words_are_kept_and_others_are_not() {
        for (text, kept) in [
            ("upstream connect error\n", "upstream connect error"),
            (r#"{"detail":"Not Found"}"#, "Not Found"),
            (r#"{"detail":[{"msg":"field required"}]}"#, "field required"),
            (r#"{"object":"error","message":"no such model"}"#, "no such model"),
            (r#""busy""#, "busy"),
            ("", "the backend answered 502 Bad Gateway"),
            (r#"{"code":1}"#, "the backend answered 502 Bad Gateway"),
            ("<html>\r\n<head><title>502 Bad Gateway</title></head>", "the backend answered 502 Bad Gateway"),
            ("\u{1b}[2Jboo", "the backend answered 502 Bad Gateway"),
        ] {
            let document = again(Dialect::Ollama, StatusCode::BAD_GATEWAY, text.as_bytes(), 1);
            assert_eq!(document, serde_json::json!({ "error": kept }).to_string(), "{text}");
        }
        let unreadable = again(Dialect::Ollama, StatusCode::BAD_GATEWAY, b"\xff\xfe", 1);
        assert_eq!(unreadable, r#"{"error":"the backend answered 502 Bad Gateway"}"#);
    }

    #[test]
    fn a_long_message_is_cut() {
        let text = "\u{e9}".repeat(40_000);
        let document = again(Dialect::OpenAi, StatusCode::BAD_GATEWAY, text.as_bytes(), 1);
        assert!((LONGEST - 10..LONGEST + 200).contains(&document.len()), "{}", document.len());
    }
}
