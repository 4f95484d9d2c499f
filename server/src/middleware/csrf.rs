//! Whether a request that the session cookie vouches for was really made by one of our own pages. `SameSite` does not
//! separate ports or schemes, so it is only the second line.

use axum::http::{HeaderMap, HeaderName, Method, header, uri::Authority};
use domain::host::is_loopback;
use url::Url;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// The event stream is a GET, but what it carries is for our pages only.
const STREAM: &str = "/admin/live";

/// What a request says about where it comes from and where it goes.
pub struct Source<'a> {
    pub host: &'a str,
    /// The browser's side of the connection is TLS.
    pub https: bool,
    pub headers: &'a HeaderMap,
}

/// The reason for a refusal is for people; it tells nothing a caller does not know.
pub fn check(method: &Method, path: &str, source: &Source<'_>, allowed: &[String]) -> Result<(), &'static str> {
    let site = single(source.headers, &SEC_FETCH_SITE)?;
    if matches!(*method, Method::GET | Method::HEAD) {
        let foreign = path == STREAM && site.is_some_and(|site| site != "same-origin");
        return if foreign { Err("the event stream is for the admin pages only") } else { Ok(()) };
    }
    match site {
        Some("same-origin") => return Ok(()),
        Some(_) => return Err("this form was sent from another site"),
        // Browsers leave it out where a page is no secure context: by host name over plain HTTP.
        None => {}
    }
    match single(source.headers, &header::ORIGIN)? {
        Some(origin) if is_own(origin, source, allowed) => Ok(()),
        Some(_) => Err(
            "this form was sent from another site, or the address in the browser is not among the public addresses (PUBLIC_URL)",
        ),
        None => Err("a browser says where a form comes from; this request does not"),
    }
}

/// The one value of a header; several are a refusal, because nobody can say which one a check should believe.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, &'static str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| "this request contradicts itself"),
        _ => Err("this request contradicts itself"),
    }
}

fn is_own(origin: &str, source: &Source<'_>, allowed: &[String]) -> bool {
    // A listed address that speaks TLS by now is still that address.
    let twin = origin.strip_prefix("https://").filter(|_| source.https);
    if allowed.iter().any(|known| known == origin || (twin.is_some() && known.strip_prefix("http://") == twin)) {
        return true;
    }
    let (Ok(origin), Ok(host)) = (Url::parse(origin), source.host.parse::<Authority>()) else { return false };
    let scheme = if source.https { "https" } else { "http" };
    let port = host.port_u16().unwrap_or(if source.https { 443 } else { 80 });
    let same = origin.scheme() == scheme
        && origin.host_str().is_some_and(|name| name.eq_ignore_ascii_case(host.host()))
        && origin.port_or_known_default() == Some(port);
    // Before there is a list, the address the browser used must do; and on this machine itself always: a wrong list must
    // not lock the administrator out.
    same && (allowed.is_empty() || is_loopback(host.host()))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn post(host: &str, pairs: &[(&'static str, &'static str)], allowed: &[&str]) -> bool {
        verdict(Method::POST, "/admin/fn/users/add", host, pairs, allowed)
    }

    fn verdict(
        method: Method,
        path: &str,
        host: &str,
        pairs: &[(&'static str, &'static str)],
        allowed: &[&str],
    ) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let allowed: Vec<String> = allowed.iter().map(|&origin| origin.to_owned()).collect();
        check(&method, path, &Source { host, https: false, headers: &headers }, &allowed).is_ok()
    }

    #[test]
    fn what_the_browser_says_about_the_site_counts_first() {
        assert!(post("a:1", &[("sec-fetch-site", "same-origin")], &[]));
        for site in ["cross-site", "same-site", "none", ""] {
            assert!(!post("a:1", &[("sec-fetch-site", site), ("origin", "http://a:1")], &[]), "{site}");
        }
        assert!(!post("a:1", &[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")], &[]));
    }

    #[test]
    fn without_it_the_origin_must_be_the_host() {
        assert!(post("nas.lan:8080", &[("origin", "http://nas.lan:8080")], &[]));
        assert!(post("NAS.lan", &[("origin", "http://nas.lan")], &[]));
        for origin in ["https://nas.lan:8080", "http://nas.lan", "http://nas.lan:8081", "http://evil.test", "null", ""]
        {
            assert!(!post("nas.lan:8080", &[("origin", origin)], &[]), "{origin}");
        }
        assert!(!post("nas.lan:8080", &[], &[]));
        assert!(!post("nas.lan:8080", &[("origin", "http://nas.lan:8080"), ("origin", "http://evil.test")], &[]));
    }

    #[test]
    fn a_list_is_exact_and_this_machine_stays_in() {
        let allowed = ["https://llm.example"];
        assert!(post("127.0.0.1:8080", &[("origin", "https://llm.example")], &allowed));
        assert!(post("127.0.0.1:8080", &[("origin", "http://127.0.0.1:8080")], &allowed));
        assert!(post("localhost:8080", &[("origin", "http://localhost:8080")], &allowed));
        for origin in [
            "http://127.0.0.1:3000",
            "http://llm.example",
            "https://llm.example.evil.test",
            "https://x.llm.example",
            "null",
        ] {
            assert!(!post("127.0.0.1:8080", &[("origin", origin)], &allowed), "{origin}");
        }
        assert!(!post("nas.lan:8080", &[("origin", "http://nas.lan:8080")], &allowed));
    }

    #[test]
    fn reading_is_free_but_for_the_event_stream() {
        assert!(verdict(Method::GET, "/admin", "a:1", &[("sec-fetch-site", "cross-site")], &[]));
        assert!(verdict(Method::GET, STREAM, "a:1", &[("sec-fetch-site", "same-origin")], &[]));
        assert!(verdict(Method::GET, STREAM, "a:1", &[], &[]));
        assert!(!verdict(Method::GET, STREAM, "a:1", &[("sec-fetch-site", "same-site")], &[]));
        assert!(!verdict(Method::DELETE, "/admin", "a:1", &[], &[]));
    }
}
