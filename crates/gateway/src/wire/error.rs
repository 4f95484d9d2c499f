//! Errors before the first byte of a response, as Ollama, OpenAI and Anthropic clients understand them.

use domain::endpoint::Dialect;
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::json;

use super::{JSON, whole};
use crate::{Body, error::Error};

/// The whole answer for `error`, except the headers that every answer carries.
pub(crate) fn respond(dialect: Dialect, error: &Error, id: u64) -> Response<Body> {
    let status = error.status();
    let message = error.to_string();
    // Ollama writes errors of its handlers with a newline behind them and those of its middleware without.
    let from_handler = matches!(error, Error::UnknownModel(_) | Error::MissingModel);
    let (kind, end) = match dialect {
        Dialect::OpenAi | Dialect::Anthropic if from_handler => (HeaderValue::from_static("application/json"), "\n"),
        _ => (JSON, ""),
    };
    let text = document(dialect, status, &message, code_for_openai(error), id);
    let mut response = whole(status, kind, text + end);
    let headers = response.headers_mut();
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Some(seconds) = error.retry_after() {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    match error {
        Error::WrongMethod { allow } => {
            headers.insert(header::ALLOW, HeaderValue::from_static(allow));
        }
        Error::Encoding => {
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("zstd"));
        }
        Error::BlobEncoding => {
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        Error::Exceeded(exceeded) => exceeded.write(headers),
        Error::Limited { close: true, .. } => {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        _ => {}
    }
    response
}

/// A refusal that needs none of an [`Error`]'s headers.
pub(crate) fn refusal(dialect: Dialect, status: StatusCode, message: &str, id: u64) -> Response<Body> {
    whole(status, JSON, document(dialect, status, message, None, id))
}

/// The whole JSON document of an error.
pub(super) fn document(dialect: Dialect, status: StatusCode, message: &str, code: Option<&str>, id: u64) -> String {
    match dialect {
        Dialect::Ollama => json!({ "error": message }).to_string(),
        Dialect::OpenAi => format!("{{\"error\":{}}}", openai_object(status, message, code)),
        Dialect::Anthropic => format!(
            "{{\"type\":\"error\",\"error\":{},\"request_id\":\"req_{id:016x}\"}}",
            anthropic_object(status, message)
        ),
    }
}

/// `x-request-id` as clients see it.
pub(crate) fn request_id(id: u64) -> HeaderValue {
    let digits: [u8; 16] = std::array::from_fn(|place| {
        let digit = (id >> (60 - 4 * place)) as u8 & 0xf;
        digit + if digit < 10 { b'0' } else { b'a' - 10 }
    });
    HeaderValue::from_bytes(&digits).unwrap_or(HeaderValue::from_static("0"))
}

/// The object inside `{"error":…}`, members in Ollama's order.
pub(super) fn openai_object(status: StatusCode, message: &str, code: Option<&str>) -> String {
    let kind = match status.as_u16() {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        429 => "rate_limit_error",
        400..=499 => "invalid_request_error",
        _ => "api_error",
    };
    format!("{{\"message\":{},\"type\":\"{kind}\",\"param\":null,\"code\":{}}}", json!(message), json!(code))
}

/// The object inside an Anthropic error, members in Ollama's order.
pub(super) fn anthropic_object(status: StatusCode, message: &str) -> String {
    let kind = match status.as_u16() {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        429 => "rate_limit_error",
        503 | 529 => "overloaded_error",
        400..=499 => "invalid_request_error",
        _ => "api_error",
    };
    format!("{{\"type\":\"{kind}\",\"message\":{}}}", json!(message))
}

/// Where Ollama itself would answer, `code` is null as it is there; the gateway's own errors say theirs.
fn code_for_openai(error: &Error) -> Option<&'static str> {
    match error {
        Error::BadRequest(_)
        | Error::UnknownModel(_)
        | Error::MissingModel
        | Error::UnknownPath
        | Error::WrongMethod { .. } => None,
        _ => Some(error.code()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    async fn text(dialect: Dialect, error: Error) -> String {
        let body = respond(dialect, &error, 0xabc).into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(body.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn each_dialect_has_its_own_shape() {
        let unknown = || Error::UnknownModel("model 'nope' not found".into());
        assert_eq!(text(Dialect::Ollama, unknown()).await, r#"{"error":"model 'nope' not found"}"#);
        assert_eq!(
            text(Dialect::OpenAi, unknown()).await,
            "{\"error\":{\"message\":\"model 'nope' not found\",\"type\":\"not_found_error\",\"param\":null,\"code\":null}}\n"
        );
        assert_eq!(
            text(Dialect::Anthropic, unknown()).await,
            "{\"type\":\"error\",\"error\":{\"type\":\"not_found_error\",\"message\":\"model 'nope' not found\"},\"request_id\":\"req_0000000000000abc\"}\n"
        );
    }

    #[tokio::test]
    async fn text_of_clients_cannot_break_out_of_the_json() {
        for dialect in [Dialect::Ollama, Dialect::OpenAi, Dialect::Anthropic] {
            let body = text(dialect, Error::UnknownModel("\"}\n\u{1b}".into())).await;
            assert!(serde_json::from_str::<serde_json::Value>(&body).is_ok(), "{body}");
            assert!(!body.trim_end().contains('\n'));
        }
    }

    #[test]
    fn a_request_id_is_sixteen_digits() {
        for (id, expected) in
            [(0, "0000000000000000"), (0x0123_4567_89ab_cdef, "0123456789abcdef"), (u64::MAX, "ffffffffffffffff")]
        {
            assert_eq!(request_id(id), expected);
        }
    }

    #[test]
    fn a_missing_and_a_wrong_key_say_how_to_authenticate_and_offer_no_sign_in() {
        for error in [Error::MissingKey, Error::InvalidKey] {
            let response = respond(Dialect::Ollama, &error, 1);
            assert_eq!(response.status(), 401);
            assert_eq!(response.headers()[header::WWW_AUTHENTICATE], "Bearer");
        }
    }
}
