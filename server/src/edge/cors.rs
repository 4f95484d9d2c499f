//! Scripts of other web origins at the API: off unless origins are listed, each compared whole. Keys travel in a header that
//! the script sets itself, so nothing here ever allows credentials that a browser would add.

use gateway::Body;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};

use crate::reply;

/// What a browser may do with a listed origin's request.
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, DELETE");
/// What a script may read beside the body.
const EXPOSED: HeaderValue = HeaderValue::from_static("RateLimit, RateLimit-Policy, Retry-After, X-Request-Id");
/// Seconds a browser may remember the answer to a preflight.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");
const REQUEST_PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-request-private-network");
const ALLOW_PRIVATE_NETWORK: HeaderName = HeaderName::from_static("access-control-allow-private-network");

/// What a request has to do with other origins.
#[derive(Debug, PartialEq, Eq)]
pub enum Cors {
    /// No origin is listed: nothing is said.
    Off,
    /// Another origin's or none: answered like any other, and caches are told that it depends.
    Unlisted,
    /// The listed origin it comes from.
    Listed(HeaderValue),
}

impl Cors {
    pub fn of(headers: &HeaderMap, listed: &[String]) -> Self {
        if listed.is_empty() {
            return Self::Off;
        }
        let mut origins = headers.get_all(header::ORIGIN).iter();
        match (origins.next(), origins.next()) {
            (Some(origin), None) if listed.iter().any(|known| known.as_bytes() == origin.as_bytes()) => {
                Self::Listed(origin.clone())
            }
            _ => Self::Unlisted,
        }
    }

    /// The answer to a browser that asks before it sends the real request of a listed origin.
    pub fn preflight<B>(&self, request: &Request<B>) -> Option<Response<Body>> {
        let asked = request.headers();
        let asks = *request.method() == Method::OPTIONS && asked.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        if !asks || !matches!(self, Self::Listed(_)) {
            return None;
        }
        let mut response = Response::new(reply::body(""));
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        if let Some(names) = asked.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
        }
        if asked.contains_key(REQUEST_PRIVATE_NETWORK) {
            headers.insert(ALLOW_PRIVATE_NETWORK, HeaderValue::from_static("true"));
        }
        self.mark(headers);
        Some(response)
    }

    /// Puts what the browser has to know on an answer.
    pub fn mark(&self, headers: &mut HeaderMap) {
        if *self == Self::Off {
            return;
        }
        headers.append(header::VARY, HeaderValue::from_static("origin"));
        if let Self::Listed(origin) = self {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cors(origins: &[&'static str], listed: &[&str]) -> Cors {
        let mut headers = HeaderMap::new();
        for origin in origins {
            headers.append(header::ORIGIN, HeaderValue::from_static(origin));
        }
        Cors::of(&headers, &listed.iter().map(|&origin| origin.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn only_the_exact_origin_is_listed() {
        const ALLOWED: &str = "https://app.example.com";
        for origin in [
            "https://evil.test",
            "null",
            "https://app.example.com.evil.test",
            "https://sub.app.example.com",
            "https://app.example.com:8443",
            "http://app.example.com",
            "https://APP.example.com",
            "https://app.example.com/",
            "*",
            "",
        ] {
            assert_eq!(cors(&[origin], &[ALLOWED]), Cors::Unlisted, "{origin}");
        }
        assert_eq!(cors(&[ALLOWED], &["https://x", ALLOWED]), Cors::Listed(HeaderValue::from_static(ALLOWED)));
        assert_eq!(cors(&[ALLOWED, ALLOWED], &[ALLOWED]), Cors::Unlisted);
        assert_eq!(cors(&[], &[ALLOWED]), Cors::Unlisted);
        assert_eq!(cors(&[ALLOWED], &[]), Cors::Off);
    }
}
