//! The error that is put into a stream that dies after its first byte. The response's status has long been sent, so this
//! line and the broken-off body behind it are all a client can see.

use bytes::Bytes;
use domain::endpoint::{Dialect, Endpoint};
use http::StatusCode;
use serde_json::json;

use super::{
    Framing,
    error::{anthropic_object, openai_object},
};

/// Where in which stream the error stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) framing: Framing,
    pub(crate) endpoint: Endpoint,
    /// The last byte sent was a newline, or none was sent. A message that was cut in the middle is ended first.
    pub(crate) at_line_start: bool,
    /// Events sent before it.
    pub(crate) events: u64,
}

/// The bytes to send, or `None` where nothing can be put into the body.
pub(crate) fn in_band_error(place: Place, message: &str) -> Option<Bytes> {
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    let text = match (place.framing, place.endpoint) {
        (Framing::Whole, _) => return None,
        (Framing::Ndjson, _) => json!({ "error": message }).to_string() + "\n",
        (Framing::Sse, Endpoint::OpenAiResponses) => format!(
            "event: error\ndata: {{\"type\":\"error\",\"code\":\"server_error\",\"message\":{},\"param\":null,\"sequence_number\":{}}}\n\n",
            json!(message),
            place.events
        ),
        (Framing::Sse, endpoint) if endpoint.dialect() == Dialect::Anthropic => {
            format!("event: error\ndata: {{\"type\":\"error\",\"error\":{}}}\n\n", anthropic_object(status, message))
        }
        (Framing::Sse, _) => format!("data: {{\"error\":{}}}\n\n", openai_object(status, message, None)),
    };
    let gap = match (place.framing, place.at_line_start) {
        // The line before may belong to an event that has not ended; an empty line more means nothing.
        (Framing::Sse, true) | (Framing::Ndjson, false) => "\n",
        (Framing::Sse, false) => "\n\n",
        _ => "",
    };
    Some(format!("{gap}{text}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(framing: Framing, endpoint: Endpoint, at_line_start: bool) -> Option<String> {
        let place = Place { framing, endpoint, at_line_start, events: 3 };
        in_band_error(place, "gone").map(|text| String::from_utf8(text.to_vec()).unwrap())
    }

    #[test]
    fn the_error_stands_on_a_line_of_its_own() {
        let line = |at| text(Framing::Ndjson, Endpoint::Chat, at);
        assert_eq!(line(true).as_deref(), Some("{\"error\":\"gone\"}\n"));
        assert_eq!(line(false).as_deref(), Some("\n{\"error\":\"gone\"}\n"));
        assert_eq!(text(Framing::Whole, Endpoint::Chat, true), None);
    }

    #[test]
    fn the_error_is_an_event_of_its_own_wherever_the_last_one_was_cut() {
        for (endpoint, event) in [
            (
                Endpoint::OpenAiChat,
                "data: {\"error\":{\"message\":\"gone\",\"type\":\"api_error\",\"param\":null,\"code\":null}}\n\n",
            ),
            (
                Endpoint::AnthropicMessages,
                "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"gone\"}}\n\n",
            ),
            (
                Endpoint::OpenAiResponses,
                "event: error\ndata: {\"type\":\"error\",\"code\":\"server_error\",\"message\":\"gone\",\"param\":null,\"sequence_number\":3}\n\n",
            ),
        ] {
            assert_eq!(text(Framing::Sse, endpoint, true).unwrap(), format!("\n{event}"));
            assert_eq!(text(Framing::Sse, endpoint, false).unwrap(), format!("\n\n{event}"));
        }
    }
}
