//! A number for every request of the admin plane: on its log lines, and in the answer, so that a person can name it.

use axum::{
    extract::Request,
    http::{HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
use tracing::Instrument;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The layer.
pub async fn add(request: Request, next: Next) -> Response {
    // Without randomness from the system nothing else here would work either; an id is not worth failing for.
    let id = format!("{:016x}", getrandom::u64().unwrap_or_default());
    let span = tracing::info_span!("admin", request_id = %id, method = %request.method(), path = request.uri().path());
    let mut response = next.run(request).instrument(span).await;
    if let Ok(value) = HeaderValue::from_str(&id) {
        // What the gateway answered has the number that the log of requests knows it by.
        response.headers_mut().entry(X_REQUEST_ID).or_insert(value);
    }
    response
}
