//! The server's side of the app: the router for `/admin`, and the only place that reads the context of a request. Rules
//! are not here but in `control`; pages are not here but in `pages`.

mod answers;
mod cookie;
mod gate;
mod input;
mod request;
mod shell;
#[cfg(test)]
mod tests;

use axum::{
    Router,
    body::Body,
    extract::{FromRef, Request as HttpRequest},
    http::{HeaderValue, StatusCode, header},
    middleware,
    response::Response,
    routing::get,
};
use control::{Actor, Control};
use domain::error::AdminError;
use leptos::{config::LeptosOptions, prelude::*};
use leptos_axum::{LeptosRoutes, ResponseOptions};

pub use gate::{SESSION_COOKIE, SESSION_COOKIE_TLS, largest_form, session_token};
pub use request::Request;

use crate::{App, Assets, error::AppError};

/// What the app needs of the server.
#[derive(Clone)]
pub struct AppState {
    pub control: Control,
    pub options: LeptosOptions,
    pub assets: Assets,
}

impl FromRef<AppState> for LeptosOptions {
    fn from_ref(state: &AppState) -> Self {
        state.options.clone()
    }
}

/// Everything under `/admin` but the event stream `/admin/live`: pages, server functions, the set-up link. Expects a
/// `control::Client` in the request's extensions, and origin checks and security headers around it.
pub fn router(state: AppState) -> Router {
    let routes = leptos_axum::generate_route_list(App);
    let page = {
        let assets = state.assets.clone();
        move || shell::shell(assets.clone())
    };
    let not_found = {
        let state = state.clone();
        let provide = move || {
            provide_context(state.clone());
            provide_page_context();
        };
        let render = leptos_axum::render_app_async_with_context(provide, page.clone());
        move |request: HttpRequest| async move {
            let mut response: Response<Body> = render(request).await;
            *response.status_mut() = StatusCode::NOT_FOUND;
            response
        }
    };
    let gate = gate::Gate { app: state.clone(), answers: answers::Answers::default() };
    Router::new()
        .leptos_routes_with_context(&state, routes, provide_page_context, page)
        // Here only so that the gate sees it, which redirects every trailing slash.
        .route("/admin/", get(StatusCode::NOT_FOUND))
        .route("/admin/{*path}", get(not_found))
        .layer(middleware::from_fn_with_state(gate, gate::gate))
        .with_state(state)
}

/// Gives a page its one-time values and its policy. Runs for server functions too, which have no nonce and no page.
fn provide_page_context() {
    let (Some(nonce), Some(response)) = (leptos::nonce::use_nonce(), use_context::<ResponseOptions>()) else { return };
    let policy = format!(
        "default-src 'none'; script-src 'self' 'nonce-{nonce}' 'wasm-unsafe-eval'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data:; \
         font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'"
    );
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        response.insert_header(header::CONTENT_SECURITY_POLICY, policy);
    }
    if let Ok(request) = Request::current() {
        provide_context(request.visit());
    }
}

/// The control plane and who asks it; refused without a session.
pub fn signed_in() -> Result<(Control, Actor), AppError> {
    let request = Request::current()?;
    Ok((request.control().clone(), request.actor()?))
}

/// Answer to a set-up step without the cookie of the set-up link.
pub fn needs_setup_link() -> AppError {
    AppError(AdminError::Forbidden { message: "open the set-up link that the gateway printed when it started".into() })
}
