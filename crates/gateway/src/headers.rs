//! Which headers pass the gateway, by allow-list in both directions. Credentials, cookies, origins, hop-by-hop headers and
//! whatever `Connection` names stay on their side.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::{
    hop,
    wire::{self, Framing},
};

/// What a backend may know of a request beside its body.
static TO_BACKEND: [HeaderName; 4] = [
    header::CONTENT_TYPE,
    header::ACCEPT,
    HeaderName::from_static("anthropic-version"),
    HeaderName::from_static("anthropic-beta"),
];

/// What a client may know of a backend's answer beside its body. Length and chunking follow from the body itself.
static TO_CLIENT: [HeaderName; 3] = [header::CONTENT_TYPE, header::CONTENT_ENCODING, header::RETRY_AFTER];

static VIA: HeaderName = header::VIA;
/// Tells nginx not to hold back what it passes on.
const UNBUFFERED: HeaderName = HeaderName::from_static("x-accel-buffering");
/// Asks for a header that explains the choice of the backend.
pub(crate) const EXPLAIN: HeaderName = HeaderName::from_static("x-fortress-explain");
const WHY: HeaderName = HeaderName::from_static("x-fortress-why");
const QUEUE_MS: HeaderName = HeaderName::from_static("x-fortress-queue-ms");
const WARM: HeaderName = HeaderName::from_static("x-fortress-warm");
const MODEL: HeaderName = HeaderName::from_static("x-fortress-model");
const AUTO: HeaderName = HeaderName::from_static("x-fortress-auto");
const BACKEND: HeaderName = HeaderName::from_static("x-fortress-backend");

/// How a request went on its way to a backend.
pub(crate) struct Met {
    pub(crate) queue_ms: u64,
    pub(crate) warm: bool,
    /// What answered, where that was asked for by another name.
    pub(crate) model: Option<String>,
    /// Why that model, where the gateway picked it.
    pub(crate) auto: Option<String>,
    /// For keys that may know.
    pub(crate) backend: Option<String>,
    pub(crate) why: Option<String>,
}

impl Met {
    pub(crate) fn write(self, headers: &mut HeaderMap) {
        // Nearly every request waits for nobody, and its number costs no allocation then.
        let queued = self.queue_ms > 0;
        headers.insert(QUEUE_MS, if queued { self.queue_ms.into() } else { HeaderValue::from_static("0") });
        headers.insert(WARM, HeaderValue::from_static(if self.warm { "true" } else { "false" }));
        for (name, text) in [(MODEL, self.model), (AUTO, self.auto), (BACKEND, self.backend), (WHY, self.why)] {
            if let Some(value) = text.and_then(|text| HeaderValue::try_from(text).ok()) {
                headers.insert(name, value);
            }
        }
    }
}

/// Headers for the backend, read out of the caller's own as they are written. Host and credentials are the backend's own
/// and are added where it is spoken to.
pub(crate) struct ToBackend<'r> {
    from: &'r HeaderMap,
    request_id: &'r HeaderValue,
    via: Option<Cow<'static, HeaderValue>>,
}

impl<'r> ToBackend<'r> {
    pub(crate) fn new(from: &'r HeaderMap, request_id: &'r HeaderValue) -> Self {
        Self { from, request_id, via: hop::onward(from) }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        let own = [(&wire::REQUEST_ID, Some(self.request_id)), (&VIA, self.via.as_deref())];
        pass(self.from, &TO_BACKEND).chain(own.into_iter().filter_map(|(name, value)| Some((name, value?))))
    }

    /// The same for a client that keeps headers of its own.
    pub(crate) fn to_map(&self) -> HeaderMap {
        self.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
    }
}

/// Headers for the client, beside those that every answer carries: what passes of `headers`, in the same map, which so
/// need not be made again.
pub(crate) fn to_client(mut headers: HeaderMap, framing: Framing) -> HeaderMap {
    let mut passing = [const { None }; TO_CLIENT.len()];
    for (place, (name, value)) in passing.iter_mut().zip(pass(&headers, &TO_CLIENT)) {
        *place = Some((name, value.clone()));
    }
    headers.clear();
    for (name, value) in passing.into_iter().flatten() {
        headers.insert(name, value);
    }
    if framing != Framing::Whole {
        headers.insert(UNBUFFERED, HeaderValue::from_static("no"));
    }
    headers
}

/// The allowed ones of `from`, each once.
fn pass<'n, 'h>(
    from: &'h HeaderMap,
    allowed: &'n [HeaderName],
) -> impl Iterator<Item = (&'n HeaderName, &'h HeaderValue)> {
    let names_some = from.contains_key(header::CONNECTION);
    let passing = move |name| from.get(name).filter(|_| !(names_some && is_hop_by_hop(from, name)));
    allowed.iter().filter_map(move |name| Some((name, passing(name)?)))
}

/// Whether `Connection` names the header.
fn is_hop_by_hop(headers: &HeaderMap, name: &HeaderName) -> bool {
    headers.get_all(header::CONNECTION).iter().any(|value| {
        value
            .as_bytes()
            .split(|&byte| byte == b',')
            .any(|named| named.trim_ascii().eq_ignore_ascii_case(name.as_str().as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(headers: &[(&'static str, &'static str)]) -> HeaderMap {
        headers.iter().map(|&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    fn names(headers: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn a_backend_sees_nothing_that_identifies_the_caller() {
        let from = map(&[
            ("authorization", "Bearer op_x"),
            ("x-api-key", "op_x"),
            ("cookie", "a=b"),
            ("origin", "http://a"),
            ("referer", "http://a"),
            ("forwarded", "for=1"),
            ("x-forwarded-for", "1"),
            ("x-ollama-host", "evil"),
            ("host", "gw"),
            ("content-length", "3"),
            ("transfer-encoding", "chunked"),
            ("te", "trailers"),
            ("upgrade", "h2c"),
            ("connection", "x-secret, close"),
            ("x-secret", "1"),
            ("content-type", "application/json"),
            ("accept", "*/*"),
            ("x-request-id", "theirs"),
        ]);
        let id = wire::request_id(0xff);
        let to = ToBackend::new(&from, &id).to_map();
        assert_eq!(names(&to), ["accept", "content-type", "via", "x-request-id"]);
        assert_eq!(to["x-request-id"], "00000000000000ff");
    }

    #[test]
    fn an_allowed_header_that_connection_names_is_hop_by_hop() {
        let id = wire::request_id(1);
        let to = ToBackend::new(&map(&[("connection", "Accept"), ("accept", "x")]), &id).to_map();
        assert_eq!(names(&to), ["via", "x-request-id"]);
    }

    #[test]
    fn a_client_sees_nothing_that_speaks_for_the_gateway() {
        let from = map(&[
            ("content-type", "application/x-ndjson"),
            ("set-cookie", "a=b"),
            ("server", "x"),
            ("access-control-allow-origin", "*"),
            ("strict-transport-security", "max-age=1"),
            ("keep-alive", "1"),
            ("transfer-encoding", "chunked"),
            ("location", "http://a"),
            ("www-authenticate", "Basic"),
            ("cache-control", "public"),
            ("alt-svc", "h3"),
        ]);
        let to = to_client(from, Framing::Ndjson);
        assert_eq!(names(&to), ["content-type", "x-accel-buffering"]);
    }
}
