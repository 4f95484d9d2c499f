//! The address plan of the one port: which path belongs to whom.

use http::{HeaderMap, Method, header};

use crate::assets::{self, File};

/// Whose a request is.
pub enum Route {
    /// `/api/*`, `/v1/*`, and `/` for programs.
    Gateway,
    /// `/admin` and below.
    Admin,
    /// `/` for browsers.
    ToAdmin,
    Alive,
    Ready,
    /// A file of the admin pages.
    File(File),
    /// A known address that is only read.
    WrongMethod,
    Nothing,
}

impl Route {
    pub fn of(method: &Method, path: &str, headers: &HeaderMap) -> Self {
        let reads = matches!(*method, Method::GET | Method::HEAD);
        if is_api(path) {
            return Self::Gateway;
        }
        if is_under(path, "/admin") {
            return Self::Admin;
        }
        match path {
            "/" if reads && accepts_html(headers) => Self::ToAdmin,
            "/" => Self::Gateway,
            "/livez" if reads => Self::Alive,
            "/readyz" if reads => Self::Ready,
            "/livez" | "/readyz" => Self::WrongMethod,
            _ => match assets::find(path) {
                Some(file) if reads => Self::File(file),
                Some(_) => Self::WrongMethod,
                None => Self::Nothing,
            },
        }
    }
}

/// The path is one of the data plane's, known or not.
pub fn is_api(path: &str) -> bool {
    is_under(path, "/api") || is_under(path, "/v1")
}

fn is_under(path: &str, root: &str) -> bool {
    path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The caller is a browser that wants a page. `*/*`, which programs send, does not count.
fn accepts_html(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::ACCEPT).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|item| {
        let mut parts = item.split(';').map(str::trim);
        let is_html = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("text/html"));
        is_html
            && !parts
                .any(|parameter| matches!(parameter.replace(' ', "").as_str(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn route(method: Method, path: &str, accept: Option<&'static str>) -> &'static str {
        let headers = accept.map(|accept| (header::ACCEPT, HeaderValue::from_static(accept)));
        match Route::of(&method, path, &HeaderMap::from_iter(headers)) {
            Route::Gateway => "gateway",
            Route::Admin => "admin",
            Route::ToAdmin => "to admin",
            Route::Alive => "alive",
            Route::Ready => "ready",
            Route::File(_) => "file",
            Route::WrongMethod => "wrong method",
            Route::Nothing => "nothing",
        }
    }

    #[test]
    fn prefixes_are_whole_segments() {
        for (path, expected) in [
            ("/api/chat", "gateway"),
            ("/api", "gateway"),
            ("/v1/models", "gateway"),
            ("/admin", "admin"),
            ("/admin/users/x", "admin"),
            ("/apis", "nothing"),
            ("/administrator", "nothing"),
            ("/v10/models", "nothing"),
            ("//api/chat", "nothing"),
            ("/%61dmin", "nothing"),
            ("/admin;x", "nothing"),
            ("/ADMIN", "nothing"),
            ("/livez", "alive"),
            ("/readyz", "ready"),
            ("/metrics", "nothing"),
            ("*", "nothing"),
        ] {
            assert_eq!(route(Method::GET, path, None), expected, "{path}");
        }
    }

    #[test]
    fn the_root_tells_browsers_from_programs() {
        assert_eq!(route(Method::GET, "/", None), "gateway");
        assert_eq!(route(Method::HEAD, "/", Some("*/*")), "gateway");
        assert_eq!(route(Method::GET, "/", Some("application/xhtml+xml, text/html;q=0.9")), "to admin");
        assert_eq!(route(Method::GET, "/", Some("text/html;q=0, */*")), "gateway");
        assert_eq!(route(Method::POST, "/", Some("text/html")), "gateway");
    }

    #[test]
    fn health_checks_are_only_read() {
        assert_eq!(route(Method::POST, "/readyz", None), "wrong method");
        assert_eq!(route(Method::DELETE, "/livez", None), "wrong method");
    }
}
