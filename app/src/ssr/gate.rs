//! What stands before every page and server function: nothing passes without a session but a written list. Also the
//! set-up link, and the HTTP status of a server function's error.

use axum::{
    Json,
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};
use domain::error::AdminError;
use leptos::server_fn::error::SERVER_FN_ERROR_HEADER;

use super::{AppState, cookie};
use crate::{error::AppError, session::login_path};

/// Cookie of a session without TLS.
pub const SESSION_COOKIE: &str = "op_session";
/// Cookie of a session under TLS; browsers refuse it from anywhere else.
pub const SESSION_COOKIE_TLS: &str = "__Host-op_session";
/// Cookie that the set-up link is traded for.
pub(super) const SETUP_COOKIE: &str = "op_setup";

/// Server functions that work without a session. Everything else under `/admin/fn` is refused.
pub(super) const OPEN_FUNCTIONS: [&str; 3] =
    ["/admin/fn/session/login", "/admin/fn/setup/state", "/admin/fn/setup/admin"];
/// Pages that work without a session.
const OPEN_PAGES: [&str; 2] = ["/admin/login", "/admin/setup"];
/// More than any encoded error has, in bytes.
const MAX_ERROR: usize = 64 * 1024;

/// The session cookie of a request, whichever name it has. Under TLS only the protected one counts.
pub fn session_token(headers: &HeaderMap, https: bool) -> Option<&str> {
    cookie::read(headers, if https { SESSION_COOKIE_TLS } else { SESSION_COOKIE })
}

/// The middleware around the whole app.
pub(super) async fn gate(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let mut response = match admit(&state, request).await {
        Ok(request) => next.run(request).await,
        Err(response) => return no_store(*response),
    };
    if response.status() == StatusCode::INTERNAL_SERVER_ERROR && response.headers().contains_key(SERVER_FN_ERROR_HEADER)
    {
        response = with_status(response).await;
    }
    no_store(response)
}

/// The request, with the actor of its session; or the answer, where it may not go on.
async fn admit(state: &AppState, mut request: Request) -> Result<Request, Box<Response>> {
    let path = request.uri().path().to_owned();
    let https = request.extensions().get::<control::Client>().is_some_and(|client| client.https);
    if let Some(trimmed) = path.strip_suffix('/').filter(|_| request.method() == Method::GET) {
        return Err(Box::new(Redirect::permanent(trimmed).into_response()));
    }
    // Only a visit redeems the link: previews ask with HEAD first.
    if path == "/admin/setup"
        && request.method() == Method::GET
        && let Some(token) = setup_token(request.uri().query().unwrap_or_default())
    {
        return Err(Box::new(redeem(state, token)));
    }
    let actor = session_token(request.headers(), https).and_then(|token| state.control.authenticate(token));
    if let Some(actor) = actor {
        if path == "/admin/login" {
            return Err(Box::new(found("/admin")));
        }
        request.extensions_mut().insert(actor);
    } else if path.starts_with("/admin/fn/") {
        if !OPEN_FUNCTIONS.contains(&path.as_str()) {
            return Err(Box::new(refuse(request.headers())));
        }
    } else if !OPEN_PAGES.contains(&path.as_str()) {
        let here = request.uri().path_and_query().map_or(path.as_str(), |here| here.as_str());
        return Err(Box::new(found(&login_path(here))));
    }
    Ok(request)
}

/// No session: data says so, a plain form goes to the sign-in page and then back to where it was.
fn refuse(headers: &HeaderMap) -> Response {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or_default();
    if text(header::ACCEPT).contains("text/html") {
        let page = text(header::REFERER).parse::<axum::http::Uri>().ok();
        let page = page.as_ref().map_or("/admin", |page| page.path());
        return found(&login_path(page));
    }
    let error = AppError(AdminError::Unauthenticated);
    let mut response = (StatusCode::UNAUTHORIZED, Json(error)).into_response();
    response.headers_mut().insert(SERVER_FN_ERROR_HEADER, HeaderValue::from_static("gate"));
    response
}

/// Trades the link's token for a cookie and leads to a clean address, so that the token stays in no history.
fn redeem(state: &AppState, token: &str) -> Response {
    match state.control.redeem_setup_token(token) {
        Ok(value) => {
            let mut response = found("/admin/setup");
            if let Some(cookie) = cookie::set_for_links(SETUP_COOKIE, &value) {
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
            response
        }
        Err(_) => found("/admin/setup?link=invalid"),
    }
}

/// The `token` of the set-up link. Tokens need no percent-decoding: one that does is not ours.
fn setup_token(query: &str) -> Option<&str> {
    query.split('&').find_map(|pair| pair.strip_prefix("token="))
}

/// A temporary redirect that is followed with GET.
fn found(to: &str) -> Response {
    Redirect::to(to).into_response()
}

/// Puts the status of the error inside on the answer of a server function.
async fn with_status(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let bytes = to_bytes(body, MAX_ERROR).await.unwrap_or_else(|_| Bytes::new());
    if let Ok(error) = serde_json::from_slice::<AppError>(&bytes) {
        parts.status = StatusCode::from_u16(error.0.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    }
    Response::from_parts(parts, Body::from(bytes))
}

/// Pages carry nonces and data of one session: nothing of the app may be kept.
fn no_store(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
