//! Host and origin checks as one layer: they need the same allowed origins, and none of `/admin` is reached without
//! them.

use axum::{
    extract::{Request, State},
    http::{StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use control::{Client, Control};

use super::{csrf, host};

/// Where the allowed origins are read, anew for every request: saving the setting has effect at once.
#[derive(Clone)]
pub struct Guard {
    control: Control,
}

impl Guard {
    pub fn new(control: Control) -> Self {
        Self { control }
    }
}

/// The layer.
pub async fn check(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let allowed = guard.control.allowed_origins();
    let https = request.extensions().get::<Client>().is_some_and(|client| client.https);
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if !host::is_allowed(host, &allowed) {
        return refuse(
            StatusCode::MISDIRECTED_REQUEST,
            "the admin pages are not offered under this host name: add it to PUBLIC_URL, or to the public addresses on the Settings page",
        );
    }
    let source = csrf::Source { host, https, headers: request.headers() };
    match csrf::check(request.method(), request.uri().path(), &source, &allowed) {
        Ok(()) => next.run(request).await,
        Err(reason) => {
            tracing::warn!(path = request.uri().path(), reason, "a request of the admin pages came from elsewhere");
            refuse(StatusCode::FORBIDDEN, reason)
        }
    }
}

fn refuse(status: StatusCode, sentence: &'static str) -> Response {
    (status, sentence).into_response()
}
