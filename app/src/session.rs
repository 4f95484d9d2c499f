//! What the browser's side knows of sessions: that one ended, and where to go back to after signing in. Cookies and their
//! checks are in `ssr`.

use std::sync::OnceLock;

use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    hooks::{use_location, use_navigate},
};

static ENDED: OnceLock<RwSignal<bool>> = OnceLock::new();

/// A server function answered that there is no session. Does nothing on the server, where no watch is ever installed.
pub(crate) fn note_end() {
    if let Some(ended) = ENDED.get() {
        ended.set(true);
    }
}

/// Leads to the sign-in page when a session ends under an open page, and back afterwards. Belongs inside the router, once.
#[component]
pub fn SessionWatch() -> impl IntoView {
    let location = use_location();
    let navigate = use_navigate();
    let ended = RwSignal::new(false);
    Effect::new(move |_| {
        // Effects run in the browser only.
        let _ = ENDED.set(ended);
        if !ended.get() {
            return;
        }
        ended.set(false);
        let here = format!("{}{}", location.pathname.get_untracked(), query(&location.search.get_untracked()));
        if !here.starts_with("/admin/login") {
            navigate(&login_path(&here), NavigateOptions::default());
        }
    });
}

fn query(search: &str) -> String {
    match search.trim_start_matches('?') {
        "" => String::new(),
        search => format!("?{search}"),
    }
}

/// Address of the sign-in page that leads back to `next`.
pub fn login_path(next: &str) -> String {
    match safe_next(next) {
        "/admin" => "/admin/login".to_owned(),
        next => format!("/admin/login?next={}", encode_query_value(next)),
    }
}

/// Address of the page that asks for the code of a second factor, before `next`.
pub fn code_path(next: &str) -> String {
    login_path(next).replacen("/admin/login", "/admin/login/code", 1)
}

/// Address of the page that asks for the password again, before `next`.
pub fn confirm_path(next: &str) -> String {
    format!("/admin/confirm?next={}", encode_query_value(safe_next(next)))
}

/// `next` if it is a page of this app to go to after signing in, else the dashboard. Anything that a browser could take
/// for another origin, or that is no page, is refused.
pub fn safe_next(next: &str) -> &str {
    const HOME: &str = "/admin";
    let Some(rest) = next.strip_prefix(HOME) else { return HOME };
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    let is_page = rest.is_empty() || rest.starts_with(['/', '?', '#']);
    let is_plain = next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let is_odd = path.contains("//") || path.split('/').any(|part| part == "." || part == ".." || part.contains('%'));
    let is_own = ["/login", "/fn", "/live"]
        .iter()
        .any(|own| path.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')));
    // Leptos reads errors out of such a query.
    let is_error = rest.contains("__");
    if is_page && is_plain && !is_odd && !is_own && !is_error { next } else { HOME }
}

/// Percent-encodes everything but unreserved characters and `/`.
pub fn encode_query_value(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' | b'~' | b'/' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_the_app_are_kept() {
        for next in ["/admin", "/admin/users", "/admin/users/abc?x=1", "/admin?x=//y"] {
            assert_eq!(safe_next(next), next);
        }
    }

    #[test]
    fn nothing_leads_out_of_the_app() {
        for next in [
            "",
            "/",
            "https://evil.example/admin",
            "//evil.example/admin",
            "/administrator",
            "/admin//evil.example",
            "/admin/../api/tags",
            "/admin/%2e%2e/x",
            "/admin\\evil",
            "/admin/\r\nx: y",
            "/admin/fn/session/logout",
            "/admin/login?next=/admin/login",
            "/admin/é",
            "/admin/users?__path=x&__err=y",
        ] {
            assert_eq!(safe_next(next), "/admin", "{next}");
        }
    }

    #[test]
    fn the_way_back_is_one_query_value() {
        assert_eq!(login_path("/admin/users?a=1&b=2"), "/admin/login?next=/admin/users%3Fa%3D1%26b%3D2");
        assert_eq!(login_path("/admin"), "/admin/login");
        assert_eq!(code_path("/admin/users"), "/admin/login/code?next=/admin/users");
        assert_eq!(confirm_path("https://evil.example"), "/admin/confirm?next=/admin");
    }
}
