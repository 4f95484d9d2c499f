//! Under which host names the admin pages are offered. A page of another site can point its own name at this machine
//! (DNS rebinding) and then speaks to us with a same-origin request; its name gives it away.

use std::net::IpAddr;

use axum::http::uri::Authority;
use domain::host::is_loopback;
use url::Url;

/// `host` is an address, this machine, or in the list; any name goes while the list is empty.
pub fn is_allowed(host: &str, allowed: &[String]) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host();
    if is_address(name) || is_loopback(name) || allowed.is_empty() {
        return true;
    }
    allowed
        .iter()
        .filter_map(|origin| Url::parse(origin).ok())
        .any(|origin| origin.host_str().is_some_and(|known| known.eq_ignore_ascii_case(name)))
}

/// An IP literal: nobody can point one elsewhere.
fn is_address(name: &str) -> bool {
    name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_must_be_listed_once_there_is_a_list() {
        let allowed = ["https://llm.example".to_owned(), "http://nas.lan:8080".to_owned()];
        for host in [
            "llm.example",
            "LLM.example:8443",
            "nas.lan:8080",
            "10.0.0.5:8080",
            "[::1]:8080",
            "localhost:1",
            "127.0.0.1",
        ] {
            assert!(is_allowed(host, &allowed), "{host}");
        }
        for host in ["evil.test", "llm.example.evil.test", "xllm.example", "", "a b", "llm.example/"] {
            assert!(!is_allowed(host, &allowed), "{host}");
        }
        assert!(is_allowed("anything.lan", &[]));
        assert!(!is_allowed("", &[]));
    }
}
