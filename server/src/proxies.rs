//! Who is really calling when a trusted proxy stands in front. Headers count only if the connection comes from such a
//! proxy, and then only as far as the chain is trusted.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The networks of `TRUSTED_PROXIES`.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// The client's address: the right-most one in `X-Forwarded-For` that is no trusted proxy, or the peer itself. Keeps
    /// the peer's port, which means nothing then. `None` where a trusted proxy wrote something else than an address: the
    /// proxy is not who called, and nobody knows who did, so that no list could be kept.
    pub fn client(&self, peer: SocketAddr, headers: &HeaderMap) -> Option<SocketAddr> {
        // IPv4 callers of a dual-stack listener are still IPv4 callers.
        let mut address = peer.ip().to_canonical();
        if self.trusts(address) {
            let lines: Vec<&[u8]> = headers.get_all(FORWARDED_FOR).iter().map(HeaderValue::as_bytes).collect();
            let hops = lines.iter().rev().flat_map(|line| line.rsplit(|byte| *byte == b','));
            // Empty places in a list mean nothing.
            for hop in hops.map(<[u8]>::trim_ascii).filter(|hop| !hop.is_empty()) {
                address = std::str::from_utf8(hop).ok().and_then(parse)?;
                if !self.trusts(address) {
                    break;
                }
            }
        }
        Some(SocketAddr::new(address, peer.port()))
    }

    /// A trusted proxy says that the client's side of the connection is TLS.
    pub fn https(&self, peer: SocketAddr, headers: &HeaderMap) -> bool {
        let said = headers.get_all(FORWARDED_PROTO).iter().next_back().and_then(|value| value.to_str().ok());
        let last = said.and_then(|text| text.rsplit(',').next()).map(str::trim);
        self.trusts(peer.ip().to_canonical()) && last.is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"))
    }

    /// Whether the address is a trusted proxy's.
    pub fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// An address as proxies write it: bare, with a zone, with a port, or in brackets.
fn parse(hop: &str) -> Option<IpAddr> {
    let bare = || {
        let inner = hop.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(hop);
        match inner.split_once('%') {
            Some((address, zone)) if !zone.is_empty() => address.parse().ok().map(IpAddr::V6),
            _ => inner.parse().ok(),
        }
    };
    bare().or_else(|| hop.parse::<SocketAddr>().ok().map(|address| address.ip())).map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(trusted: &[&str], peer: &str, forwarded: &[&'static str]) -> String {
        let proxies = TrustedProxies::new(trusted.iter().map(|text| text.parse().unwrap()).collect());
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append(FORWARDED_FOR, HeaderValue::from_static(line));
        }
        let client = proxies.client(SocketAddr::new(peer.parse().unwrap(), 1), &headers);
        client.map_or_else(|| "nobody knows".to_owned(), |client| client.ip().to_string())
    }

    #[test]
    fn strangers_are_not_believed() {
        assert_eq!(client(&[], "203.0.113.9", &["10.0.0.1"]), "203.0.113.9");
        assert_eq!(client(&["10.0.0.0/8"], "203.0.113.9", &["10.0.0.1"]), "203.0.113.9");
    }

    #[test]
    fn the_right_most_untrusted_address_is_the_client() {
        let proxies = ["10.0.0.0/8"];
        assert_eq!(client(&proxies, "10.0.0.1", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(client(&proxies, "10.0.0.1", &["1.1.1.1, 198.51.100.7, 10.0.0.2"]), "198.51.100.7");
        assert_eq!(client(&proxies, "10.0.0.1", &["1.1.1.1", "198.51.100.7"]), "198.51.100.7");
        assert_eq!(client(&proxies, "10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(client(&proxies, "10.0.0.1", &["", " , "]), "10.0.0.1");
        assert_eq!(client(&proxies, "10.0.0.1", &["198.51.100.7, , 10.0.0.2,"]), "198.51.100.7");
    }

    /// The proxy's own address is on the lists of those who may come in.
    #[test]
    fn what_cannot_be_read_makes_nobody_the_proxy() {
        let proxies = ["10.0.0.0/8"];
        for forwarded in [
            &["unknown"][..],
            &["203.0.113.6, garbage"],
            &["1.1.1.1, unknown, 10.0.0.2"],
            &["\"203.0.113.6\""],
            &["203.0.113.6", "_hidden"],
            &["203.0.113.6%eth0"],
            &["203.0.113.6\u{e9}"],
        ] {
            let mut headers = HeaderMap::new();
            for line in forwarded {
                headers.append(FORWARDED_FOR, HeaderValue::from_bytes(line.as_bytes()).unwrap());
            }
            let proxies = TrustedProxies::new(proxies.iter().map(|text| text.parse().unwrap()).collect());
            assert_eq!(proxies.client("10.0.0.1:1".parse().unwrap(), &headers), None, "{forwarded:?}");
        }
        // Left of the client anybody may have written anything, and a stranger's header is not looked at.
        assert_eq!(client(&proxies, "10.0.0.1", &["garbage, 198.51.100.7, 10.0.0.2"]), "198.51.100.7");
        assert_eq!(client(&proxies, "203.0.113.9", &["garbage"]), "203.0.113.9");
        assert_eq!(client(&proxies, "10.0.0.1", &["fe80::1%eth0"]), "fe80::1");
    }

    #[test]
    fn ports_and_brackets_are_understood() {
        let proxies = ["::1/128"];
        assert_eq!(client(&proxies, "::1", &["198.51.100.7:4711"]), "198.51.100.7");
        assert_eq!(client(&proxies, "::1", &["[2001:db8::1]"]), "2001:db8::1");
        assert_eq!(client(&proxies, "::1", &["[2001:db8::1]:80"]), "2001:db8::1");
        assert_eq!(client(&["127.0.0.0/8"], "::ffff:127.0.0.1", &["::ffff:198.51.100.7"]), "198.51.100.7");
    }

    #[test]
    fn tls_is_believed_of_trusted_proxies_only() {
        let proxies = TrustedProxies::new(vec!["10.0.0.0/8".parse().unwrap()]);
        let headers = HeaderMap::from_iter([(FORWARDED_PROTO, HeaderValue::from_static("https"))]);
        assert!(proxies.https("10.0.0.1:1".parse().unwrap(), &headers));
        assert!(!proxies.https("203.0.113.9:1".parse().unwrap(), &headers));
    }
}
