//! One request of the app as server functions and pages see it.

use axum::http::{HeaderName, HeaderValue, header, request::Parts};
use control::{Actor, Client, Control, NewSession, SetupSession};
use domain::{admin::RecoveryCodes, error::AdminError, host::is_loopback, key::CreatedKey};
use leptos::prelude::*;
use leptos_axum::ResponseOptions;
use leptos_router::location::RequestUrl;

use super::{
    AppState, cookie,
    gate::{SESSION_COOKIE, SESSION_COOKIE_TLS, SETUP_COOKIE, client_of},
    shell,
};
use crate::{
    answer::Answer,
    error::AppError,
    session::safe_next,
    visit::{Theme, Visit},
};

/// How long browsers keep the cookie of a known device, and that of a sign-in that waits for its code.
const DEVICE_SECONDS: u32 = 90 * 24 * 3600;
const TICKET_SECONDS: u32 = 300;

/// The request being answered. Read it before the first `await`.
pub struct Request {
    state: AppState,
    parts: Parts,
    response: ResponseOptions,
}

impl Request {
    /// Fails only outside a request.
    pub fn current() -> Result<Self, AppError> {
        match (use_context::<AppState>(), use_context::<Parts>(), use_context::<ResponseOptions>()) {
            (Some(state), Some(parts), Some(response)) => Ok(Self { state, parts, response }),
            _ => Err(AppError::internal("called outside a request")),
        }
    }

    pub fn control(&self) -> &Control {
        &self.state.control
    }

    /// Who is signed in, as the gate found.
    pub fn actor(&self) -> Result<Actor, AppError> {
        self.parts.extensions.get::<Actor>().cloned().ok_or(AppError(AdminError::Unauthenticated))
    }

    pub fn client(&self) -> Client {
        client_of(&self.parts.extensions)
    }

    pub fn header(&self, name: &str) -> Option<String> {
        self.parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
    }

    /// Host and port as the browser knows them.
    pub fn host(&self) -> String {
        self.header("host").or_else(|| self.parts.uri.authority().map(ToString::to_string)).unwrap_or_default()
    }

    /// The visitor came by the set-up link.
    pub fn setup_session(&self) -> Option<SetupSession> {
        cookie::read(&self.parts.headers, SETUP_COOKIE).and_then(|value| self.state.control.setup_session(value))
    }

    /// A form was sent without JavaScript: the answer is a page, not data.
    pub fn is_form(&self) -> bool {
        self.header("accept").is_some_and(|accept| accept.contains("text/html"))
    }

    /// The page that sign-in was asked for: the `next` of the page the form is on.
    pub fn next_page(&self) -> String {
        let next = self
            .header("referer")
            .and_then(|referer| RequestUrl::new(&referer).parse().ok())
            .and_then(|url| url.search_params().get("next"));
        safe_next(next.as_deref().unwrap_or_default()).to_owned()
    }

    /// Gives the browser its session, and makes it a known device.
    pub fn open_session(&self, session: &NewSession) {
        let name = if self.client().https { SESSION_COOKIE_TLS } else { SESSION_COOKIE };
        self.append_cookie(cookie::set(name, &session.token));
        self.know_device(&session.device);
    }

    /// The cookie of an earlier sign-in of this browser.
    pub fn device(&self) -> Option<String> {
        cookie::read(&self.parts.headers, self.device_cookie()).map(str::to_owned)
    }

    /// It outlives sessions: a lock-out by somebody else's guesses does not concern this browser.
    pub fn know_device(&self, value: &str) {
        self.append_cookie(cookie::set_for(self.device_cookie(), value, DEVICE_SECONDS));
    }

    fn device_cookie(&self) -> &'static str {
        if self.client().https { "__Host-op_device" } else { "op_device" }
    }

    /// What stands for a sign-in that waits for its code.
    pub fn ticket(&self) -> Option<String> {
        cookie::read(&self.parts.headers, self.ticket_cookie()).map(str::to_owned)
    }

    pub fn keep_ticket(&self, ticket: &str) {
        self.append_cookie(cookie::set_for(self.ticket_cookie(), ticket, TICKET_SECONDS));
    }

    pub fn close_ticket(&self) {
        self.append_cookie(cookie::clear(self.ticket_cookie()));
    }

    fn ticket_cookie(&self) -> &'static str {
        if self.client().https { "__Host-op_ticket" } else { "op_ticket" }
    }

    /// Removes the cookie and what the browser keeps beside it. Browsers heed the second only on a secure connection.
    pub fn close_session(&self) {
        self.append_cookie(cookie::clear(SESSION_COOKIE));
        if self.client().https {
            self.append_cookie(cookie::clear(SESSION_COOKIE_TLS));
            self.response
                .insert_header(HeaderName::from_static("clear-site-data"), HeaderValue::from_static("\"storage\""));
        }
    }

    pub fn close_setup(&self) {
        self.append_cookie(cookie::clear(SETUP_COOKIE));
    }

    /// Keeps a new key for the page that a plain form is led to. Only that page's HTML will hold it.
    pub fn show_key_on(&self, page: &str, actor: &Actor, key: &CreatedKey) {
        self.state.control.put_flash(actor, key.clone());
        leptos_axum::redirect(&format!("{page}?created=1"));
    }

    /// The same for the recovery codes of a new second factor.
    pub fn show_codes_on(&self, page: &str, actor: &Actor, codes: &RecoveryCodes) {
        self.state.control.put_codes(actor, codes.clone());
        leptos_axum::redirect(&format!("{page}?created=1"));
    }

    /// What the page has to know of this visit before it is drawn.
    pub(super) fn visit(&self) -> Visit {
        let query = self.parts.uri.query().unwrap_or_default();
        let created = query.split('&').any(|pair| pair == "created=1");
        let (actor, control) = (self.actor().ok(), &self.state.control);
        let shown = actor.as_ref().filter(|_| created);
        let key = shown.and_then(|actor| control.take_flash(actor));
        let codes = shown.and_then(|actor| control.take_codes(actor));
        let own_page = self.parts.uri.path() == "/admin/account";
        let factor =
            actor.as_ref().filter(|_| own_page).and_then(|actor| control.second_factor_setup(actor, &self.host()));
        Visit {
            unencrypted: !self.client().https && !is_loopback(&self.host()),
            theme: Theme::from_cookie(cookie::read(&self.parts.headers, Theme::COOKIE)),
            look: control.look(),
            accent: control.accent().map(|accent| shell::accent_css(&accent)),
            key,
            factor,
            codes,
            role: actor.map(|actor| actor.view().role),
            answer: self.parts.extensions.get::<Answer>().cloned(),
        }
    }

    fn append_cookie(&self, value: Option<HeaderValue>) {
        if let Some(value) = value {
            self.response.append_header(header::SET_COOKIE, value);
        }
    }
}
