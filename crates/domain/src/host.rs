//! Host names as requests and addresses carry them.

use std::net::IpAddr;

/// The host, with or without a port, can only mean this machine: a loopback address (also as an IPv4-mapped one), or
/// `localhost` and the names below it, which browsers never look up elsewhere.
pub fn is_loopback(host: &str) -> bool {
    let Some(name) = without_port(host) else { return false };
    match name.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => {
            let name = name.to_ascii_lowercase();
            name == "localhost" || name.strip_suffix(".localhost").is_some_and(|label| !label.is_empty())
        }
    }
}

/// The name or address without brackets and port, `None` where what stands behind it is no port.
fn without_port(host: &str) -> Option<&str> {
    let is_port = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if let Some(rest) = host.strip_prefix('[') {
        let (address, behind) = rest.split_once(']')?;
        return (behind.is_empty() || behind.strip_prefix(':').is_some_and(is_port)).then_some(address);
    }
    match host.split_once(':') {
        // A bare IPv6 address has more than one colon.
        Some((_, rest)) if rest.contains(':') => Some(host),
        Some((name, port)) => is_port(port).then_some(name),
        None => Some(host),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_this_machine_only() {
        for host in [
            "localhost",
            "LOCALHOST:8080",
            "x.localhost",
            "a.B.LocalHost:1",
            "127.0.0.1",
            "127.8.8.8:8080",
            "::1",
            "[::1]",
            "[::1]:8080",
            "[::ffff:127.0.0.1]:8080",
            "::ffff:127.0.0.1",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            ".localhost",
            "localhost.evil.test",
            "xlocalhost",
            "gateway.lan:8080",
            "127.0.0.1.evil.test",
            "127.0.0.1:80:80",
            "localhost:x",
            "localhost:1@evil.test",
            "[::1",
            "[::1]x",
            "[::2]",
            "[fe80::1]:8080",
            "[::ffff:10.0.0.1]",
            "0.0.0.0",
            "192.168.1.2",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
