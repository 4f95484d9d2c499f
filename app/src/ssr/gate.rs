//! What stands before every page and server function: nothing passes without a session but a written list, and no server
//! function is sent what it does not know. Also the set-up link, the way back from a plain form, and the HTTP status of a
//! server function's error.

use std::net::{IpAddr, Ipv4Addr};

use axum::{
    Json,
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{Extensions, HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};
use control::{Actor, Client, Control};
use domain::error::AdminError;
use leptos::server_fn::error::SERVER_FN_ERROR_HEADER;

use super::{
    AppState,
    answers::{self, Answers, Form},
    cookie, input,
};
use crate::{error::AppError, session::login_path};

/// Cookie of a session without TLS.
pub const SESSION_COOKIE: &str = "op_session";
/// Cookie of a session under TLS; browsers refuse it from anywhere else.
pub const SESSION_COOKIE_TLS: &str = "__Host-op_session";
/// Cookie that the set-up link is traded for.
pub(super) const SETUP_COOKIE: &str = "op_setup";

/// Server functions that work without a session. Everything else under `/admin/fn` is refused.
pub(super) const OPEN_FUNCTIONS: [&str; 4] =
    ["/admin/fn/session/login", "/admin/fn/session/code", "/admin/fn/setup/state", "/admin/fn/setup/admin"];
/// Pages that work without a session.
const OPEN_PAGES: [&str; 3] = ["/admin/login", "/admin/login/code", "/admin/setup"];
/// When a caller who met the hashing queue full may come back, in seconds.
const COME_BACK: HeaderValue = HeaderValue::from_static("2");
/// Below it are the server functions.
const FUNCTIONS: &str = "/admin/fn/";
/// More than any form has, in bytes, and more than the one that carries an image has.
const MAX_FORM: usize = 64 * 1024;
const MAX_IMAGE_FORM: usize = 512 * 1024;
const IMAGE_FORM: &str = "/admin/fn/settings/logo";
/// More than any encoded error has, in bytes.
const MAX_ERROR: usize = 64 * 1024;

/// Most bytes that what is sent to `path` may have.
pub fn largest_form(path: &str) -> usize {
    if path == IMAGE_FORM { MAX_IMAGE_FORM } else { MAX_FORM }
}

/// The session cookie of a request, whichever name it has. Under TLS only the protected one counts.
pub fn session_token(headers: &HeaderMap, https: bool) -> Option<&str> {
    cookie::read(headers, if https { SESSION_COOKIE_TLS } else { SESSION_COOKIE })
}

/// What the gate needs.
#[derive(Clone)]
pub(super) struct Gate {
    pub app: AppState,
    pub answers: Answers,
}

/// The middleware around the whole app.
pub(super) async fn gate(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let mut request = match admit(&gate.app, request) {
        Ok(request) => request,
        Err(response) => return no_store(*response),
    };
    let path = request.uri().path().to_owned();
    if !path.starts_with(FUNCTIONS) {
        let answer = gate.answers.take_for(request.headers(), &path).filter(|_| request.method() == Method::GET);
        let shown = answer.is_some();
        if let Some(answer) = answer {
            request.extensions_mut().insert(answer);
        }
        let mut response = next.run(request).await;
        if shown && let Some(cookie) = cookie::clear(answers::cookie_of(&path)) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        return no_store(response);
    }
    let caller = Caller::of(&gate.app.control, &request);
    let (request, form) = match read(request).await {
        Ok(read) => read,
        Err(response) => {
            caller.note(&AdminError::invalid("input", "was not understood"));
            return no_store(*response);
        }
    };
    let mut response = next.run(request).await;
    let mut error = None;
    if response.headers().contains_key(SERVER_FN_ERROR_HEADER) {
        (response, error) = error_in(response).await;
        error.iter().for_each(|error| caller.note(&error.0));
    }
    if let Some(form) = form.filter(|_| response.headers().contains_key(header::LOCATION)) {
        return no_store(gate.answers.lead(&form, response).await);
    }
    if let Some(error) = error.filter(|_| response.status() == StatusCode::INTERNAL_SERVER_ERROR) {
        set_status(&mut response, &error);
    }
    no_store(response)
}

/// Who calls a server function, for the audit log, which tells of what is refused.
struct Caller {
    control: Control,
    actor: Option<Actor>,
    address: IpAddr,
    path: String,
    reads: bool,
}

impl Caller {
    fn of(control: &Control, request: &Request) -> Self {
        Self {
            control: control.clone(),
            actor: request.extensions().get::<Actor>().cloned(),
            address: client_of(request.extensions()).address,
            path: request.uri().path().to_owned(),
            reads: matches!(*request.method(), Method::GET | Method::HEAD),
        }
    }

    fn note(&self, error: &AdminError) {
        self.control.note_refused_call(self.actor.as_ref(), self.address, &self.path, self.reads, error);
    }
}

/// The request of a server function with nothing in it that the function does not know, and what is to be remembered of
/// it if it is a plain form.
async fn read(request: Request) -> Result<(Request, Option<Form>), Box<Response>> {
    let (parts, body) = request.into_parts();
    // The layers outside have read it whole already.
    let path = parts.uri.path();
    let body = to_bytes(body, largest_form(path)).await;
    let body = body.map_err(|_| Box::new(StatusCode::PAYLOAD_TOO_LARGE.into_response()))?;
    input::check(&parts.method, path, &parts.headers, parts.uri.query().unwrap_or_default(), &body)?;
    let is_form = parts.method != Method::GET && accepts_pages(&parts.headers);
    let form = is_form.then(|| Form::new(path, url::form_urlencoded::parse(&body)));
    Ok((Request::from_parts(parts, Body::from(body)), form))
}

/// The answer is to be a page, not data.
fn accepts_pages(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"))
}

/// The request, with the actor of its session; or the answer, where it may not go on.
fn admit(state: &AppState, mut request: Request) -> Result<Request, Box<Response>> {
    let path = request.uri().path().to_owned();
    let client = client_of(request.extensions());
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if let Some(trimmed) = path.strip_suffix('/').filter(|_| request.method() == Method::GET) {
        return Err(Box::new(Redirect::permanent(trimmed).into_response()));
    }
    // Leptos shows what such an address says as an error of ours.
    if reads && !path.starts_with(FUNCTIONS) && answers::has_error(request.uri().query().unwrap_or_default()) {
        return Err(Box::new(found(&answers::clean(&request.uri().to_string()))));
    }
    // Only a visit redeems the link: previews ask with HEAD first.
    if path == "/admin/setup"
        && request.method() == Method::GET
        && let Some(token) = setup_token(request.uri().query().unwrap_or_default())
    {
        return Err(Box::new(redeem(state, token, client.address)));
    }
    let actor =
        session_token(request.headers(), client.https).and_then(|token| state.control.authenticate(token, &client));
    if let Some(actor) = actor {
        if ["/admin/login", "/admin/login/code"].contains(&path.as_str()) {
            return Err(Box::new(found("/admin")));
        }
        request.extensions_mut().insert(actor);
    } else if path.starts_with(FUNCTIONS) {
        if !OPEN_FUNCTIONS.contains(&path.as_str()) {
            state.control.note_stranger(client.address, &path, "not signed in");
            return Err(Box::new(refuse(request.headers())));
        }
    } else if !OPEN_PAGES.contains(&path.as_str()) {
        let here = request.uri().path_and_query().map_or(path.as_str(), |here| here.as_str());
        return Err(Box::new(found(&login_path(here))));
    }
    Ok(request)
}

/// Where a request comes from. Without the server's note everything is taken for one unknown address, which shares one
/// lock-out.
pub(super) fn client_of(extensions: &Extensions) -> Client {
    extensions.get::<Client>().cloned().unwrap_or_else(|| Client {
        address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        user_agent: String::new(),
        https: false,
    })
}

/// No session: data says so, a plain form goes to the sign-in page and then back to where it was.
fn refuse(headers: &HeaderMap) -> Response {
    if accepts_pages(headers) {
        let page = headers.get(header::REFERER).and_then(|page| page.to_str().ok()?.parse::<axum::http::Uri>().ok());
        let page = page.as_ref().map_or("/admin", |page| page.path());
        return found(&login_path(page));
    }
    let error = AppError(AdminError::Unauthenticated);
    let mut response = (StatusCode::UNAUTHORIZED, Json(error)).into_response();
    response.headers_mut().insert(SERVER_FN_ERROR_HEADER, HeaderValue::from_static("gate"));
    response
}

/// Trades the link's token for a cookie and leads to a clean address, so that the token stays in no history.
fn redeem(state: &AppState, token: &str, address: IpAddr) -> Response {
    match state.control.redeem_setup_token(token) {
        Ok(value) => {
            let mut response = found("/admin/setup");
            if let Some(cookie) = cookie::set_for_links(SETUP_COOKIE, &value) {
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
            response
        }
        Err(error) => {
            state.control.note_refused_call(None, address, "/admin/setup", false, &error);
            found("/admin/setup?link=invalid")
        }
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

/// The answer of a server function, and the error in it.
async fn error_in(response: Response) -> (Response, Option<AppError>) {
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, MAX_ERROR).await.unwrap_or_else(|_| Bytes::new());
    let error = serde_json::from_slice(&bytes).ok();
    (Response::from_parts(parts, Body::from(bytes)), error)
}

/// Puts the status of its error on the answer of a server function.
fn set_status(response: &mut Response, error: &AppError) {
    *response.status_mut() = StatusCode::from_u16(error.0.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if response.status() == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, COME_BACK);
    }
}

/// Pages carry nonces and data of one session: nothing of the app may be kept.
fn no_store(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
