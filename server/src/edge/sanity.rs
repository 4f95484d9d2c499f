//! Requests that are refused whoever they are for: too large in their head, ambiguous about their host, or asking for
//! something that is no plain HTTP/1 exchange. hyper has already refused more than 100 header lines (431) and bad framing:
//! `Transfer-Encoding` in HTTP/1.0, a last coding other than `chunked` and contradicting lengths get 400, and of
//! `Transfer-Encoding` beside `Content-Length` it takes the former, forgets the latter and closes the connection.

use http::{HeaderMap, Method, Request, StatusCode, Version, header, uri::Authority};

/// Longest request target.
const MAX_TARGET: usize = 8 * 1024;
/// Largest sum of header names and values.
const MAX_HEADERS: usize = 32 * 1024;

/// Status and sentence of the refusal, if there is one.
pub fn fault<B>(request: &Request<B>) -> Option<(StatusCode, &'static str)> {
    let (uri, headers) = (request.uri(), request.headers());
    if uri.path_and_query().map_or(0, |target| target.as_str().len()) > MAX_TARGET {
        return Some((StatusCode::URI_TOO_LONG, "the address is longer than 8 KiB"));
    }
    if headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum::<usize>() > MAX_HEADERS {
        return Some((StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "the headers are larger than 32 KiB"));
    }
    if *request.method() == Method::CONNECT || uri.authority().is_some() {
        return Some((StatusCode::BAD_REQUEST, "this is no forward proxy: send a path, not a whole address"));
    }
    if headers.contains_key(header::UPGRADE) && !is_harmless_upgrade(headers) {
        return Some((StatusCode::BAD_REQUEST, "upgrades are not offered here"));
    }
    if !is_plainly_framed(headers) {
        return Some((StatusCode::BAD_REQUEST, "no transfer coding but `chunked` is understood here"));
    }
    if !host_is_sound(request.version(), headers) {
        return Some((StatusCode::BAD_REQUEST, "one valid Host header is needed"));
    }
    None
}

/// An offer of HTTP/2 over plain TCP, which curl and Java's client make by default, is ignored as HTTP allows.
fn is_harmless_upgrade(headers: &HeaderMap) -> bool {
    headers.get_all(header::UPGRADE).iter().all(|value| value.as_bytes().eq_ignore_ascii_case(b"h2c"))
}

/// hyper takes any list of codings that ends in `chunked`, and would pass on a body that is still coded.
fn is_plainly_framed(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let first = codings.next();
    first.is_none_or(|coding| coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked"))
        && codings.next().is_none()
}

fn host_is_sound(version: Version, headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) => version == Version::HTTP_10,
        (Some(host), None) => host.to_str().is_ok_and(|text| is_plain_authority(text) || is_authority(text)),
        _ => false,
    }
}

/// A name or an IPv4 address, perhaps with a port. Nearly every request has that, and a whole parse would copy it.
fn is_plain_authority(text: &str) -> bool {
    let (host, port) = text.split_once(':').unwrap_or((text, ""));
    let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    let is_port = port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    !host.is_empty() && host.bytes().all(is_of_name) && (port.is_empty() || is_port)
}

fn is_authority(text: &str) -> bool {
    text.parse::<Authority>().is_ok_and(|authority| {
        let (text, host) = (authority.as_str(), authority.host());
        // User information would stand before the host, and what follows it may be no port.
        let port = text.strip_prefix(host).filter(|rest| !host.is_empty() && !rest.contains('@'));
        port.is_some_and(|port| matches!(port, "" | ":") || authority.port_u16().is_some())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(build: impl FnOnce(http::request::Builder) -> http::request::Builder) -> Option<u16> {
        let request = build(Request::builder().uri("/api/tags")).body(()).unwrap();
        fault(&request).map(|(status, _)| status.as_u16())
    }

    #[test]
    fn exactly_one_sound_host() {
        assert_eq!(status(|r| r.header("host", "a:1")), None);
        assert_eq!(status(|r| r.header("host", "[::1]:8080")), None);
        assert_eq!(status(|r| r.header("host", "a:")), None);
        assert_eq!(status(|r| r), Some(400));
        assert_eq!(status(|r| r.version(Version::HTTP_10)), None);
        assert_eq!(status(|r| r.header("host", "a").header("host", "a")), Some(400));
        for host in [
            "a/?", "a#", "x@a", "x:y@a", "a@a:1", "", "a b", ":1", "a:b", "a:1:2", "a:99999", "[::1", "[::1]x",
            "[::1]:x",
        ] {
            assert_eq!(status(|r| r.header("host", host)), Some(400), "{host}");
        }
    }

    /// The short way takes nothing that the whole parse would not.
    #[test]
    fn what_looks_plain_is_an_authority() {
        let hosts = ["a", "a.b-c.", "127.0.0.1", "9", "-", ".", "A_b", "a+b", "[::1]", "", "ä"];
        let ports =
            ["", ":", ":0", ":80", ":65535", ":65536", ":+1", ":-1", ":1x", ":00000000080", ":1:2", ": 1", "@b:1"];
        let mut plain = 0;
        for text in hosts.iter().flat_map(|host| ports.iter().map(move |port| format!("{host}{port}"))) {
            plain += u32::from(is_plain_authority(&text));
            assert!(!is_plain_authority(&text) || is_authority(&text), "{text}");
        }
        assert_eq!(plain, 6 * 6, "names and addresses with sound ports go the short way");
    }

    #[test]
    fn chunked_is_the_one_transfer_coding() {
        for (codings, verdict) in [
            (&["chunked"][..], None),
            (&["Chunked "], None),
            (&["gzip, chunked"], Some(400)),
            (&["chunked, chunked"], Some(400)),
            (&["identity", "chunked"], Some(400)),
            (&["chunked", "chunked"], Some(400)),
        ] {
            let named = status(|r| {
                codings.iter().fold(r.header("host", "a"), |r, coding| r.header("transfer-encoding", *coding))
            });
            assert_eq!(named, verdict, "{codings:?}");
        }
    }

    #[test]
    fn heads_are_bounded() {
        let long = format!("/api/{}", "a".repeat(MAX_TARGET));
        assert_eq!(status(|r| r.uri(long).header("host", "a")), Some(414));
        assert_eq!(status(|r| r.header("host", "a").header("x", "a".repeat(MAX_HEADERS))), Some(431));
    }

    #[test]
    fn nothing_but_plain_requests() {
        assert_eq!(status(|r| r.uri("http://evil.test/api/tags").header("host", "a")), Some(400));
        assert_eq!(status(|r| r.method("CONNECT").uri("a:1").header("host", "a")), Some(400));
        assert_eq!(status(|r| r.header("host", "a").header("upgrade", "websocket")), Some(400));
        assert_eq!(status(|r| r.header("host", "a").header("upgrade", "h2c")), None);
    }
}
