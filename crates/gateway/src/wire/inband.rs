//! The error that is put into a stream that dies after its first byte. The response's status has long been sent, so this
//! line and the broken-off body behind it are all a client can see.

use bytes::Bytes;
use domain::endpoint::Dialect;
use http::StatusCode;
use serde_json::json;

use super::{
    Framing,
    error::{anthropic_object, openai_object},
};

/// The bytes to send, or `None` where nothing can be put into the body. `at_line_start` says whether the last byte sent
/// was a newline (or none was sent): a message that was cut in the middle is ended first.
pub(crate) fn in_band_error(framing: Framing, dialect: Dialect, message: &str, at_line_start: bool) -> Option<Bytes> {
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    let (gap, text) = match (framing, dialect) {
        (Framing::Whole, _) => return None,
        (Framing::Ndjson, _) => ("\n", json!({ "error": message }).to_string() + "\n"),
        (Framing::Sse, Dialect::Anthropic) => (
            "\n\n",
            format!("event: error\ndata: {{\"type\":\"error\",\"error\":{}}}\n\n", anthropic_object(status, message)),
        ),
        (Framing::Sse, Dialect::Ollama | Dialect::OpenAi) => {
            ("\n\n", format!("data: {{\"error\":{}}}\n\n", openai_object(status, message, None)))
        }
    };
    Some(if at_line_start { text.into() } else { format!("{gap}{text}").into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_stands_on_a_line_of_its_own() {
        let text = |framing, dialect, at| {
            in_band_error(framing, dialect, "gone", at).map(|text| String::from_utf8(text.to_vec()).unwrap())
        };
        assert_eq!(text(Framing::Ndjson, Dialect::Ollama, true).as_deref(), Some("{\"error\":\"gone\"}\n"));
        assert_eq!(text(Framing::Ndjson, Dialect::Ollama, false).as_deref(), Some("\n{\"error\":\"gone\"}\n"));
        assert_eq!(
            text(Framing::Sse, Dialect::OpenAi, true).as_deref(),
            Some("data: {\"error\":{\"message\":\"gone\",\"type\":\"api_error\",\"param\":null,\"code\":null}}\n\n")
        );
        assert_eq!(
            text(Framing::Sse, Dialect::Anthropic, true).as_deref(),
            Some(
                "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"gone\"}}\n\n"
            )
        );
        assert_eq!(text(Framing::Whole, Dialect::Ollama, true), None);
    }
}
