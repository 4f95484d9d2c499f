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
use crate::first_line;

/// Where the allowed origins are read, anew for every request: saving the setting has effect at once.
#[derive(Clone)]
pub struct Guard {
    control: Control,
    /// The name that the first line of the output tells people on the network.
    machine: Option<String>,
}

impl Guard {
    pub fn new(control: Control) -> Self {
        Self { control, machine: first_line::machine() }
    }

    fn note(&self, request: &Request, reason: &'static str) {
        if let Some(client) = request.extensions().get::<Client>() {
            self.control.note_stranger(client.address, request.uri().path(), reason);
        }
    }
}

/// The layer.
pub async fn check(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let allowed = guard.control.allowed_origins();
    let https = request.extensions().get::<Client>().is_some_and(|client| client.https);
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if !host::is_allowed(host, &allowed, guard.machine.as_deref(), guard.control.has_administrator()) {
        guard.note(&request, "a host name that the admin pages are not offered under");
        return misdirected(host, https);
    }
    let source = csrf::Source { host, https, headers: request.headers() };
    match csrf::check(request.method(), request.uri().path(), &source, &allowed) {
        Ok(()) => next.run(request).await,
        Err(reason) => {
            tracing::warn!(path = request.uri().path(), reason, "a request of the admin pages came from elsewhere");
            guard.note(&request, reason);
            refuse(StatusCode::FORBIDDEN, reason)
        }
    }
}

/// Says what to set. The name is a valid authority by now, so it has no line breaks; the answer is plain text.
fn misdirected(host: &str, https: bool) -> Response {
    let scheme = if https { "https" } else { "http" };
    let text = format!(
        "the admin pages are not offered under the name {host}\n\n\
         If it is yours, open them by this machine's address instead and add {scheme}://{host} to the public URL on the \
         Settings page, or start the gateway with PUBLIC_URL={scheme}://{host}\n"
    );
    (StatusCode::MISDIRECTED_REQUEST, text).into_response()
}

fn refuse(status: StatusCode, sentence: &'static str) -> Response {
    (status, sentence).into_response()
}
