//! The address plan of the one port: which path belongs to whom.

use http::{HeaderMap, Method, header};

use crate::assets::{self, File};

/// Which planes a listener shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planes {
    Both,
    /// The admin plane has a listener of its own; this one knows none of its paths.
    Api,
    /// That listener; it knows no path of the API.
    Admin,
}

/// Whose a request is.
pub enum Route {
    /// `/api/*`, `/v1/*`, `/fortress/*`, and `/` for programs.
    Gateway,
    /// `/admin` and below.
    Admin,
    /// Of the admin plane, for programs.
    Metrics,
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
        // The guard of the pages answers before their router: it would lead on what is nobody's.
        if has_dot_segment(path) {
            return Self::Nothing;
        }
        if is_under(path, "/admin") {
            return Self::Admin;
        }
        match path {
            "/" if reads && accepts_html(headers) => Self::ToAdmin,
            "/" => Self::Gateway,
            "/livez" if reads => Self::Alive,
            "/readyz" if reads => Self::Ready,
            "/metrics" if reads => Self::Metrics,
            "/livez" | "/readyz" | "/metrics" => Self::WrongMethod,
            _ => match assets::find(path) {
                Some(file) if reads => Self::File(file),
                Some(_) => Self::WrongMethod,
                None => Self::Nothing,
            },
        }
    }

    /// The same on a listener that shows only some planes: what belongs to another does not exist.
    pub fn on(planes: Planes, method: &Method, path: &str, headers: &HeaderMap) -> Self {
        let reads = matches!(*method, Method::GET | Method::HEAD);
        let route = Self::of(method, path, headers);
        match (planes, route) {
            (Planes::Api, Self::Admin | Self::Metrics | Self::File(_)) => Self::Nothing,
            (Planes::Api, Self::ToAdmin) => Self::Gateway,
            (Planes::Api, Self::WrongMethod) if path == "/metrics" || assets::find(path).is_some() => Self::Nothing,
            (Planes::Admin, Self::Gateway) if path == "/" && reads => Self::ToAdmin,
            (Planes::Admin, Self::Gateway) => Self::Nothing,
            (_, route) => route,
        }
    }
}

/// The path is one of the data plane's, known or not.
pub fn is_api(path: &str) -> bool {
    ["/api", "/v1", "/fortress"].into_iter().any(|plane| is_under(path, plane))
}

fn is_under(path: &str, root: &str) -> bool {
    path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A segment of the path means "here" or "one up" to somebody, however its dots and slashes are written.
fn has_dot_segment(path: &str) -> bool {
    let spelled = path.to_ascii_lowercase().replace("%2e", ".").replace("%2f", "/").replace("%5c", "/");
    let name = |segment: &str| segment.split(';').next().map(str::to_owned);
    spelled.split(['/', '\\']).any(|segment| matches!(name(segment).as_deref(), Some("." | "..")))
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
        route_on(Planes::Both, method, path, accept)
    }

    fn route_on(planes: Planes, method: Method, path: &str, accept: Option<&'static str>) -> &'static str {
        let headers = accept.map(|accept| (header::ACCEPT, HeaderValue::from_static(accept)));
        match Route::on(planes, &method, path, &HeaderMap::from_iter(headers)) {
            Route::Gateway => "gateway",
            Route::Admin => "admin",
            Route::Metrics => "metrics",
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
            ("/fortress/v1/queue", "gateway"),
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
            ("/metrics", "metrics"),
            ("/metrics/", "nothing"),
            ("/admin/..", "nothing"),
            ("/admin/../api/tags", "nothing"),
            ("/admin/./users", "nothing"),
            ("/admin/%2e%2E/api/tags", "nothing"),
            ("/admin/.%2e%2Fapi/tags", "nothing"),
            ("/admin/..%5capi/tags", "nothing"),
            ("/admin/..;x/api/tags", "nothing"),
            ("/admin/%2e", "nothing"),
            ("/admin/users/..x", "admin"),
            ("/admin/users/.x.", "admin"),
            ("/api/../admin", "gateway"),
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
    fn a_plane_with_a_listener_of_its_own_is_on_no_other() {
        let (api, admin) = (Planes::Api, Planes::Admin);
        for path in ["/admin", "/admin/login", "/admin/fn/x", "/pkg/favicon.svg", "/metrics"] {
            for method in [Method::GET, Method::POST] {
                assert_eq!(route_on(api, method, path, Some("text/html")), "nothing", "{path}");
            }
        }
        for path in ["/api/chat", "/api", "/v1/models", "/v1", "/fortress/v1/queue"] {
            for method in [Method::GET, Method::POST] {
                assert_eq!(route_on(admin, method, path, None), "nothing", "{path}");
            }
        }
        assert_eq!(route_on(api, Method::GET, "/", Some("text/html")), "gateway");
        assert_eq!(route_on(admin, Method::GET, "/", None), "to admin");
        assert_eq!(route_on(admin, Method::GET, "/metrics", None), "metrics");
        assert_eq!(route_on(admin, Method::POST, "/", None), "nothing");
        assert_eq!(route_on(api, Method::GET, "/api/chat", None), "gateway");
        assert_eq!(route_on(admin, Method::POST, "/admin/fn/x", None), "admin");
        for planes in [api, admin] {
            assert_eq!(route_on(planes, Method::GET, "/readyz", None), "ready");
            assert_eq!(route_on(planes, Method::POST, "/livez", None), "wrong method");
        }
    }

    #[test]
    fn health_checks_and_metrics_are_only_read() {
        assert_eq!(route(Method::HEAD, "/metrics", None), "metrics");
        assert_eq!(route(Method::POST, "/metrics", None), "wrong method");
        assert_eq!(route(Method::POST, "/readyz", None), "wrong method");
        assert_eq!(route(Method::DELETE, "/livez", None), "wrong method");
    }
}
