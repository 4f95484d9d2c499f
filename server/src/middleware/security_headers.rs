//! Headers that every answer under `/admin` carries. The content security policy is the app's: its nonce is.

use axum::{
    extract::Request,
    http::{HeaderName, HeaderValue, header, uri::Authority},
    middleware::Next,
    response::Response,
};
use control::Client;
use domain::host::is_loopback;

const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

const HEADERS: [(HeaderName, &str); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    // Not `no-referrer`: then forms without JavaScript would say `Origin: null`.
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        "accelerometer=(), camera=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(), payment=(), usb=()",
    ),
    (header::X_FRAME_OPTIONS, "DENY"),
];

/// Policy of answers that are no page of the app: nothing may load or frame anything.
const BARE_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

/// A secure context in the browser's eyes. Elsewhere it ignores an opener policy and complains on its console.
fn is_trustworthy(request: &Request) -> bool {
    let https = request.extensions().get::<Client>().is_some_and(|client| client.https);
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
    https || host.is_some_and(|host| is_loopback(host.host()))
}

/// Marks an answer that browsers may keep for ever, because its address names its content.
#[derive(Clone, Copy)]
pub struct Lasting;

/// The layer.
pub async fn add(request: Request, next: Next) -> Response {
    let trustworthy = is_trustworthy(&request);
    let mut response = next.run(request).await;
    let lasting = response.extensions().get::<Lasting>().is_some();
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if trustworthy {
        headers.insert(OPENER_POLICY, HeaderValue::from_static("same-origin"));
    }
    let kept = if lasting { "public, max-age=31536000, immutable" } else { "no-store" };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(kept));
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(BARE_POLICY));
    headers.remove(header::SERVER);
    response
}
