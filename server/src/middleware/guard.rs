//! Host and origin checks as one layer: they need the same allowed origins, and none of `/admin` is reached without
//! them.

use axum::{
    extract::{Request, State},
    http::{StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use control::{Client, Control};
use domain::error::AdminError;

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

    /// The answer to a request that came under a foreign name or from another site.
    pub fn refusal(&self, request: &Request) -> Option<Response> {
        let allowed = self.control.allowed_origins();
        let https = request.extensions().get::<Client>().is_some_and(|client| client.https);
        let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        if !host::is_allowed(host, &allowed, self.machine.as_deref(), self.control.has_administrator()) {
            self.note(request, "a host name that the admin pages are not offered under");
            return Some(misdirected(host, https));
        }
        let source = csrf::Source { host, https, headers: request.headers() };
        let reason = csrf::check(request.method(), request.uri().path(), &source, &allowed).err()?;
        tracing::warn!(path = request.uri().path(), reason, "a request of the admin pages came from elsewhere");
        self.note(request, reason);
        Some(refuse(StatusCode::FORBIDDEN, reason))
    }

    /// Tells the audit log of a body that was refused before anybody looked at it.
    pub fn note_body(&self, parts: &Parts, sentence: &str) {
        let Some(client) = parts.extensions.get::<Client>() else { return };
        let token = app::ssr::session_token(&parts.headers, client.https);
        let actor = token.and_then(|token| self.control.authenticate(token, client));
        let error = AdminError::Conflict { message: sentence.to_owned() };
        self.control.note_refused_call(actor.as_ref(), client.address, parts.uri.path(), false, &error);
    }

    fn note(&self, request: &Request, reason: &'static str) {
        if let Some(client) = request.extensions().get::<Client>() {
            self.control.note_stranger(client.address, request.uri().path(), reason);
        }
    }
}

/// The layer.
pub async fn check(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    match guard.refusal(&request) {
        None => next.run(request).await,
        Some(refusal) => refusal,
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
