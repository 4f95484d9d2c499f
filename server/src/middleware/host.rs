//! Under which host names the admin pages are offered. A page of another site can point its own name at this machine
//! (DNS rebinding) and then speaks to us with a same-origin request; its name gives it away.

use std::net::IpAddr;

use axum::http::uri::Authority;
use url::Url;

/// `host` is an address, this machine, or in the list; any name goes while the list is empty.
pub fn is_allowed(host: &str, allowed: &[String]) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host();
    if is_address(name) || is_localhost(name) || allowed.is_empty() {
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

fn is_localhost(name: &str) -> bool {
    name.eq_ignore_ascii_case("localhost") || name.to_ascii_lowercase().ends_with(".localhost")
}

/// The name can only mean this machine.
pub fn is_loopback(name: &str) -> bool {
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    address.map_or_else(|_| is_localhost(name), |address| address.to_canonical().is_loopback())
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

    #[test]
    fn loopback_is_this_machine_only() {
        for name in ["localhost", "LOCALHOST", "127.0.0.1", "127.8.8.8", "[::1]"] {
            assert!(is_loopback(name), "{name}");
        }
        for name in ["10.0.0.1", "localhost.evil.test", "[::2]", "0.0.0.0"] {
            assert!(!is_loopback(name), "{name}");
        }
    }
}
