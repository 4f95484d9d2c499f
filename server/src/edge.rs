//! What is decided about a request before anybody handles it: is it well-formed, and whose is it: the gateway's, the
//! admin plane's, a file, a health check, or nobody's. Nothing passes by default.

mod route;
mod sanity;

use std::{
    net::SocketAddr,
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use control::Client;
use futures_util::FutureExt;
use gateway::{Body, Gateway};
use http::{Request, Response, StatusCode, header};
use hyper::body::Incoming;

use crate::{admin_plane::AdminPlane, assets, proxies::TrustedProxies, reply};
use route::Route;

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

/// The front of the one port; shared by all connections.
pub struct Edge {
    pub gateway: Gateway,
    pub admin: AdminPlane,
    pub proxies: TrustedProxies,
    pub readiness: Readiness,
}

impl Edge {
    /// Answers one request. A panic below becomes a 500 and ends only this connection.
    pub async fn handle(&self, request: Request<Incoming>, peer: SocketAddr) -> Response<Body> {
        let path = request.uri().path().to_owned();
        match AssertUnwindSafe(self.dispatch(request, peer)).catch_unwind().await {
            Ok(response) => response,
            Err(_) => {
                tracing::error!(path, "handling a request panicked");
                self.refuse(&path, StatusCode::INTERNAL_SERVER_ERROR, "internal server error")
            }
        }
    }

    async fn dispatch(&self, request: Request<Incoming>, peer: SocketAddr) -> Response<Body> {
        if let Some((status, sentence)) = sanity::fault(&request) {
            return self.refuse(request.uri().path(), status, sentence);
        }
        match Route::of(request.method(), request.uri().path(), request.headers()) {
            Route::Gateway => {
                let client = self.proxies.client(peer, request.headers());
                self.gateway.handle(request, client).await
            }
            Route::Admin => {
                let client = self.client(&request, peer);
                self.admin.call(request, client).await
            }
            Route::ToAdmin => reply::see_admin(),
            Route::Alive => reply::text(StatusCode::OK, "alive"),
            Route::Ready if self.readiness.get() => reply::text(StatusCode::OK, "ready"),
            Route::Ready => reply::text(StatusCode::SERVICE_UNAVAILABLE, "not ready: stopping"),
            Route::File(file) => assets::respond(file, request.method(), request.headers()),
            Route::WrongMethod => {
                let mut response = reply::text(StatusCode::METHOD_NOT_ALLOWED, "this address takes GET and HEAD only");
                response.headers_mut().insert(header::ALLOW, http::HeaderValue::from_static("GET, HEAD"));
                response
            }
            Route::Nothing => reply::text(StatusCode::NOT_FOUND, "404 page not found"),
        }
    }

    /// An error as clients of `path` understand it. The connection ends with it: what follows on it cannot be trusted.
    fn refuse(&self, path: &str, status: StatusCode, sentence: &'static str) -> Response<Body> {
        if route::is_api(path) {
            return reply::closing(self.gateway.refuse(path, status, sentence));
        }
        reply::refuse(status, sentence)
    }

    fn client(&self, request: &Request<Incoming>, peer: SocketAddr) -> Client {
        let headers = request.headers();
        let user_agent = headers.get(header::USER_AGENT).map(|value| String::from_utf8_lossy(value.as_bytes()));
        Client {
            address: self.proxies.client(peer, headers).ip(),
            user_agent: user_agent.unwrap_or_default().chars().take(200).collect(),
            https: self.proxies.https(peer, headers),
        }
    }
}
