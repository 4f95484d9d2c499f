//! Under which host names the admin pages are offered. A page of another site can point its own name at this machine
//! (DNS rebinding) and then speaks to us with a same-origin request; its name gives it away.

use std::net::IpAddr;

use axum::http::uri::Authority;
use domain::host::is_loopback;
use url::Url;

/// `host` is an address, this machine, or in the list. While the list is empty it is the name of this `machine`, and
/// before the set-up any name goes: whoever comes then needs the link that only the machine's owner has seen.
pub fn is_allowed(host: &str, allowed: &[String], machine: Option<&str>, is_set_up: bool) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host();
    if is_address(name) || is_loopback(name) {
        return true;
    }
    if allowed.is_empty() {
        return !is_set_up || machine.is_some_and(|machine| is_machine(name, machine));
    }
    allowed
        .iter()
        .filter_map(|origin| Url::parse(origin).ok())
        .any(|origin| origin.host_str().is_some_and(|known| known.eq_ignore_ascii_case(name)))
}

/// The name people on the network were told, also as multicast DNS has it. Nobody outside can make a page under either.
fn is_machine(name: &str, machine: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let machine = machine.to_ascii_lowercase();
    name == machine || name.strip_suffix(".local").is_some_and(|name| name == machine)
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
            assert!(is_allowed(host, &allowed, None, true), "{host}");
        }
        for host in ["evil.test", "llm.example.evil.test", "xllm.example", "", "a b", "llm.example/"] {
            assert!(!is_allowed(host, &allowed, Some("xllm.example"), true), "{host}");
        }
    }

    #[test]
    fn without_a_list_a_name_is_this_machines_or_comes_before_the_set_up() {
        for host in ["anything.lan", "evil.test:8080"] {
            assert!(is_allowed(host, &[], Some("box"), false), "{host}");
            assert!(!is_allowed(host, &[], Some("box"), true), "{host}");
        }
        for host in ["box", "BOX:8080", "box.local", "10.0.0.5", "[fd00::1]:1", "localhost", "x.localhost:8080"] {
            assert!(is_allowed(host, &[], Some("Box"), true), "{host}");
        }
        assert!(!is_allowed("box.evil.test", &[], Some("box"), true));
        assert!(!is_allowed("", &[], Some("box"), false));
    }
}
