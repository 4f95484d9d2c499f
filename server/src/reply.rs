//! Short answers the server gives itself, before or instead of gateway and app.

use bytes::Bytes;
use gateway::Body;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};

/// A body that is there as a whole.
pub fn body(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// One sentence as plain text, kept nowhere.
pub fn text(status: StatusCode, sentence: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(body(sentence));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// As [`text`], and the connection ends with it: what follows on it cannot be trusted.
pub fn refuse(status: StatusCode, sentence: &'static str) -> Response<Body> {
    closing(text(status, sentence))
}

/// The answer, and the connection ends with it.
pub fn closing(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// A temporary redirect that no cache keeps and that depends on `Accept`.
pub fn see_admin() -> Response<Body> {
    let mut response = text(StatusCode::FOUND, "the admin pages are under /admin");
    response.headers_mut().insert(header::LOCATION, HeaderValue::from_static("/admin"));
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
    response
}
