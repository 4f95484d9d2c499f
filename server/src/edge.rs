//! What is decided about a request before anybody handles it: is it well-formed, and whose is it: the gateway's, the
//! admin plane's, a file, a health check, or nobody's. Nothing passes by default.

mod cors;
mod route;
mod sanity;

use std::{
    net::{IpAddr, SocketAddr},
    panic::AssertUnwindSafe,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use control::{Client, Control};
use futures_util::FutureExt;
use gateway::{Body, Gateway};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use hyper::body::Incoming;

use crate::{accept::places::Places, admin_plane::AdminPlane, assets, proxies::TrustedProxies, reply, tls::TlsDoor};
use cors::Cors;
use route::Route;

pub use route::Planes;

/// Seconds.
const DAY: u64 = 86_400;

/// Whether new work is welcome. Set once the first snapshot is in force, unset when the process begins to stop.
#[derive(Clone, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    pub fn set(&self, ready: bool) {
        self.0.store(ready, Ordering::Release);
    }

    pub fn get(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// What carries a listener's connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    Plain,
    Tls,
    /// Plain HTTP where TLS is spoken: a mistake, or an old address in a browser.
    PlainOnTls,
}

/// The front of one listener; shared by all its connections.
#[derive(Clone)]
pub struct Edge {
    pub gateway: Gateway,
    pub admin: AdminPlane,
    pub control: Control,
    pub proxies: TrustedProxies,
    pub readiness: Readiness,
    pub tls: TlsDoor,
    /// Shared by all listeners.
    pub places: Places,
    pub planes: Planes,
    pub transport: Transport,
}

impl Edge {
    /// The same front for connections that come in another way.
    pub fn over(&self, transport: Transport) -> Self {
        Self { transport, ..self.clone() }
    }

    /// Answers one request. It comes in a box because it passes through several hands, each of which would carry its room.
    pub async fn handle(&self, request: Box<Request<Incoming>>, peer: SocketAddr) -> Response<Body> {
        let uri = request.uri().clone();
        let days = self.control.doors().hsts_days.filter(|_| self.is_https(request.headers(), peer));
        // Pinned here: moving it would cost more than most that it does.
        let work = pin!(self.dispatch(request, peer));
        let mut response = contain(&self.gateway, &uri, work).await;
        if let Some(value) =
            days.and_then(|days| HeaderValue::try_from(format!("max-age={}", u64::from(days) * DAY)).ok())
        {
            response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, value);
        }
        response
    }

    /// The answer to a head that the HTTP library could not read; `status` is its verdict.
    pub fn unreadable(&self, path: &str, status: StatusCode) -> Response<Body> {
        let sentence = match status {
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => "there are too many headers, or they are too large",
            StatusCode::URI_TOO_LONG => "the address is longer than 8 KiB",
            _ => "this is no valid HTTP/1.1 request",
        };
        refuse(&self.gateway, path, status, sentence)
    }

    async fn dispatch(&self, request: Box<Request<Incoming>>, peer: SocketAddr) -> Response<Body> {
        if let Some((status, sentence)) = sanity::fault(&request) {
            return refuse(&self.gateway, request.uri().path(), status, sentence);
        }
        let Some(caller) = self.proxies.client(peer, request.headers()) else {
            tracing::warn!(proxy = %peer.ip(), "a trusted proxy wrote an X-Forwarded-For that is no address");
            let sentence =
                "the proxy in front of the gateway wrote an X-Forwarded-For that is no address: mend it there";
            return refuse(&self.gateway, request.uri().path(), StatusCode::BAD_REQUEST, sentence);
        };
        let route = Route::on(self.planes, request.method(), request.uri().path(), request.headers());
        if self.transport == Transport::PlainOnTls && !matches!(route, Route::Alive | Route::Ready) {
            return self.to_tls(&request, &route);
        }
        if let Some(refusal) = self.bar(&route, &request, caller.ip()) {
            return refusal;
        }
        match route {
            Route::Gateway => {
                let cors = Cors::of(request.headers(), &self.control.doors().cors);
                if let Some(answer) = cors.preflight(&request) {
                    return answer;
                }
                let mut response = self.gateway.handle(*request, caller).await;
                cors.mark(response.headers_mut());
                response
            }
            Route::Admin | Route::Metrics => {
                let client = self.client(&request, peer, caller.ip());
                // In a box: requests of the API should not carry the room it takes.
                Box::pin(self.admin.call(*request, client)).await
            }
            Route::ToAdmin => reply::see_admin(),
            Route::Alive => reply::text(StatusCode::OK, "alive"),
            Route::Ready if self.readiness.get() => reply::text(StatusCode::OK, "ready"),
            Route::Ready => reply::text(StatusCode::SERVICE_UNAVAILABLE, "not ready: stopping"),
            Route::File(file) => assets::respond(file, request.method(), request.headers()),
            Route::WrongMethod => {
                let mut response = reply::text(StatusCode::METHOD_NOT_ALLOWED, "this address takes GET and HEAD only");
                response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
                response
            }
            Route::Nothing => reply::text(StatusCode::NOT_FOUND, "404 page not found"),
        }
    }

    /// The refusal for an address that the lists keep out of a plane. Health checks are for everybody who is not denied:
    /// whoever looks after the machine need not be among those who are allowed to use it.
    fn bar(&self, route: &Route, request: &Request<Incoming>, address: IpAddr) -> Option<Response<Body>> {
        let doors = self.control.doors();
        let is_health = matches!(route, Route::Alive | Route::Ready);
        let rules = match route {
            Route::Gateway => &doors.api,
            Route::Admin | Route::Metrics | Route::ToAdmin | Route::File(_) => &doors.admin,
            Route::Alive | Route::Ready if self.planes == Planes::Admin => &doors.admin,
            Route::Alive | Route::Ready => &doors.api,
            Route::WrongMethod | Route::Nothing => return None,
        };
        if if is_health { !rules.denied.contains(address) } else { rules.admits(address) } {
            return None;
        }
        tracing::debug!(%address, path = request.uri().path(), "an address that the lists keep out");
        if matches!(route, Route::Admin | Route::Metrics) {
            let reason = "an address that the lists keep out of the admin pages";
            self.control.note_stranger(address, request.uri().path(), reason);
        }
        let sentence = format!("requests from {address} are not accepted here");
        Some(reply::closing(match route {
            Route::Gateway => self.gateway.refuse(request.uri().path(), StatusCode::FORBIDDEN, &sentence),
            _ => reply::text(StatusCode::FORBIDDEN, sentence),
        }))
    }

    /// Leads browsers to https. Programs are told: what they sent in plain text should not seem to have worked.
    fn to_tls(&self, request: &Request<Incoming>, route: &Route) -> Response<Body> {
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        let page = matches!(route, Route::Admin | Route::ToAdmin | Route::File(_));
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
        let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
        let location = host.and_then(|host| HeaderValue::try_from(format!("https://{host}{target}")).ok());
        match location.filter(|_| reads && page) {
            Some(location) => {
                let mut response = reply::refuse(StatusCode::TEMPORARY_REDIRECT, "this port speaks TLS: use https://");
                response.headers_mut().insert(header::LOCATION, location);
                response
            }
            None => refuse(
                &self.gateway,
                request.uri().path(),
                StatusCode::BAD_REQUEST,
                "this port speaks TLS: begin the address with https://",
            ),
        }
    }

    fn client(&self, request: &Request<Incoming>, peer: SocketAddr, address: IpAddr) -> Client {
        let headers = request.headers();
        let user_agent = headers.get(header::USER_AGENT).map(|value| String::from_utf8_lossy(value.as_bytes()));
        Client {
            address,
            user_agent: user_agent.unwrap_or_default().chars().take(200).collect(),
            https: self.is_https(headers, peer),
        }
    }

    /// The caller's own side of the connection is TLS.
    fn is_https(&self, headers: &HeaderMap, peer: SocketAddr) -> bool {
        self.transport == Transport::Tls || self.proxies.https(peer, headers)
    }
}

/// An error as clients of `path` understand it. The connection ends with it: what follows on it cannot be trusted.
fn refuse(gateway: &Gateway, path: &str, status: StatusCode, sentence: &'static str) -> Response<Body> {
    if route::is_api(path) {
        return reply::closing(gateway.refuse(path, status, sentence));
    }
    reply::refuse(status, sentence)
}

/// What `work` makes of a request. A panic in it becomes a 500 that ends this connection alone; what the work held is
/// dropped before the answer is written.
async fn contain(gateway: &Gateway, uri: &Uri, work: impl Future<Output = Response<Body>>) -> Response<Body> {
    if let Ok(response) = AssertUnwindSafe(work).catch_unwind().await {
        return response;
    }
    tracing::error!(path = uri.path(), "handling a request panicked");
    refuse(gateway, uri.path(), StatusCode::INTERNAL_SERVER_ERROR, "internal server error")
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    /// R28: what a request held when its handler panicked is free, its client hears of it, and the next one is served.
    #[tokio::test]
    async fn a_panic_is_an_answer_in_the_callers_dialect_and_holds_nothing() {
        let (gateway, _usage) = Gateway::new(1);
        let held = Arc::new(());
        for (path, expected) in [
            ("/api/chat", r#"{"error":"internal server error"}"#),
            (
                "/v1/chat/completions",
                r#"{"error":{"message":"internal server error","type":"api_error","param":null,"code":null}}"#,
            ),
            (
                "/v1/messages",
                r#"{"type":"error","error":{"type":"api_error","message":"internal server error"},"request_id":"req_ID"}"#,
            ),
            ("/admin", "internal server error"),
        ] {
            let uri = Uri::from_static(path);
            for waits in [false, true] {
                let guard = Arc::clone(&held);
                let work = async move {
                    if waits {
                        tokio::task::yield_now().await;
                    }
                    if Arc::strong_count(&guard) > 0 {
                        std::panic::resume_unwind(Box::new("injected"));
                    }
                    reply::text(StatusCode::OK, "never")
                };
                let (parts, body) = contain(&gateway, &uri, work).await.into_parts();
                assert_eq!(
                    (parts.status.as_u16(), &parts.headers[header::CONNECTION]),
                    (500, &HeaderValue::from_static("close"))
                );
                let id = parts.headers.get("x-request-id").map_or("", |id| id.to_str().unwrap());
                let body = body.collect().await.unwrap().to_bytes();
                assert_eq!(body, expected.replace("ID", id), "{path}");
                assert_eq!(Arc::strong_count(&held), 1);
            }
            let fine = contain(&gateway, &uri, async { reply::text(StatusCode::OK, "fine") }).await;
            assert_eq!(fine.status(), 200);
        }
    }
}
