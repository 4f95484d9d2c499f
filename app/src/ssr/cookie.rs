//! Reading and writing the app's cookies. Their names say whether TLS protects them.

use axum::http::{HeaderMap, HeaderValue, header};

/// Path that all cookies but the `__Host-` one are bound to.
const PATH: &str = "/admin";

/// The value of the first cookie called `name`.
pub(super) fn read<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))
}

/// A `Set-Cookie` value that scripts cannot read and other sites cannot send; it ends with the browser. `__Host-` names
/// demand `Secure` and the path `/`.
pub(super) fn set(name: &str, value: &str) -> Option<HeaderValue> {
    line(name, value, "Strict", "")
}

/// Like [`set`], but the browser sends it along when a link on another site's page leads here: the set-up link may be
/// clicked in a web terminal, and its redirect has to find the cookie.
pub(super) fn set_for_links(name: &str, value: &str) -> Option<HeaderValue> {
    line(name, value, "Lax", "")
}

/// Like [`set`], but the browser keeps it for so many seconds.
pub(super) fn set_for(name: &str, value: &str, seconds: u32) -> Option<HeaderValue> {
    line(name, value, "Strict", &format!("; Max-Age={seconds}"))
}

/// A `Set-Cookie` value that removes the cookie.
pub(super) fn clear(name: &str) -> Option<HeaderValue> {
    line(name, "", "Strict", "; Max-Age=0")
}

fn line(name: &str, value: &str, same_site: &str, more: &str) -> Option<HeaderValue> {
    let (path, secure) = if name.starts_with("__Host-") { ("/", "; Secure") } else { (PATH, "") };
    let mut value =
        HeaderValue::from_str(&format!("{name}={value}; HttpOnly; SameSite={same_site}; Path={path}{secure}{more}"))
            .ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_among_others_by_its_whole_name() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=1; xop_session=no; op_session=yes=="));
        assert_eq!(read(&headers, "op_session"), Some("yes=="));
        assert_eq!(read(&headers, "session"), None);
    }

    #[test]
    fn cookies_are_out_of_reach_of_scripts_and_other_sites() {
        let plain = set("op_session", "v").unwrap();
        assert_eq!(plain.to_str().unwrap(), "op_session=v; HttpOnly; SameSite=Strict; Path=/admin");
        let host = set("__Host-op_session", "v").unwrap();
        assert_eq!(host.to_str().unwrap(), "__Host-op_session=v; HttpOnly; SameSite=Strict; Path=/; Secure");
        let link = set_for_links("op_setup", "v").unwrap();
        assert_eq!(link.to_str().unwrap(), "op_setup=v; HttpOnly; SameSite=Lax; Path=/admin");
        let kept = set_for("__Host-op_device", "v", 60).unwrap();
        assert_eq!(kept.to_str().unwrap(), "__Host-op_device=v; HttpOnly; SameSite=Strict; Path=/; Secure; Max-Age=60");
        assert!(set("op_session", "a\r\nb").is_none());
    }
}
