//! What the gateway itself writes to clients: errors in the caller's dialect, before and inside a stream, and the headers
//! every answer carries. Of what backends send only errors pass through here, where their clients would not understand
//! them.

mod error;
mod foreign;
mod inband;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};

pub(crate) use error::{refusal, request_id, respond};
pub(crate) use foreign::{is_error_of, retold, said, words};
pub(crate) use inband::{Place, in_band_error};

use crate::Body;

/// Names a request in answers, in the log and towards its backend.
pub(crate) static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What JSON answers of Ollama's own say they are.
pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

/// How a streamed response is cut into messages, which decides how an error is put into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// One JSON object a line.
    Ndjson,
    /// Server-sent events.
    Sse,
    /// One document: nothing can be put into it.
    Whole,
}

impl Framing {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let kind = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
        let is = |name: &str| kind.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name.as_bytes()));
        if is("application/x-ndjson") {
            Self::Ndjson
        } else if is("text/event-stream") {
            Self::Sse
        } else {
            Self::Whole
        }
    }
}

/// An answer that is complete in memory.
pub(crate) fn whole(status: StatusCode, kind: HeaderValue, body: impl Into<Bytes>) -> Response<Body> {
    let body = Full::new(body.into()).map_err(|never| match never {}).boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// Headers of every answer: the request id, and that neither caches nor browsers may reinterpret it.
pub(crate) fn seal(headers: &mut HeaderMap, request_id: HeaderValue) {
    headers.insert(&REQUEST_ID, request_id);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}
