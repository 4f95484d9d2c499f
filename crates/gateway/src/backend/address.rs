//! Which IP addresses no backend may have, whatever anybody configures.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why a host name or address cannot be connected to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AddressError {
    #[error("the host name does not resolve")]
    Dns,
    #[error("{0} is not an address a backend may have")]
    Forbidden(IpAddr),
    #[error("{0} is outside the networks that backends may be in (BACKEND_NETWORKS, or the Network page)")]
    Outside(IpAddr),
    #[error("this host name is not one a backend may have")]
    Metadata,
}

/// Link-local (cloud metadata lives there), multicast, reserved ones and "this network". Loopback and private ranges are
/// where backends are, so they are allowed.
pub(crate) fn is_forbidden(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_forbidden_v4(ip),
        IpAddr::V6(ip) => is_forbidden_v6(ip),
    }
}

fn is_forbidden_v4(ip: Ipv4Addr) -> bool {
    /// Metadata services that are not link-local: Alibaba's, Oracle's, Azure's.
    const METADATA: [Ipv4Addr; 3] =
        [Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(192, 0, 0, 192), Ipv4Addr::new(168, 63, 129, 16)];
    METADATA.contains(&ip) || ip.is_link_local() || ip.is_multicast() || ip.octets()[0] >= 240 || ip.octets()[0] == 0
}

fn is_forbidden_v6(ip: Ipv6Addr) -> bool {
    const METADATA: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
    if ip.is_loopback() {
        return false;
    }
    ip.is_unspecified()
        || ip.is_multicast()
        || ip.is_unicast_link_local()
        || ip == METADATA
        || embedded_v4(ip).is_some_and(is_forbidden_v4)
}

/// The IPv4 address that an IPv6 one stands for: mapped, compatible, NAT64, 6to4.
fn embedded_v4(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = ip.segments();
    let join = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match [a, b, c, d, e, f] {
        [0, 0, 0, 0, 0, 0xffff | 0] | [0x64, 0xff9b, 0, 0, 0, 0] => Some(join(g, h)),
        [0x2002, ..] => Some(join(b, c)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_and_link_local_are_forbidden_in_every_spelling() {
        for ip in [
            "169.254.169.254",
            "169.254.0.1",
            "0.0.0.0",
            "0.1.2.3",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "::",
            "fe80::1",
            "febf::1",
            "ff02::1",
            "fd00:ec2::254",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "64:ff9b::169.254.169.254",
            "2002:a9fe:a9fe::1",
        ] {
            assert!(is_forbidden(ip.parse().unwrap()), "{ip}");
        }
    }

    #[test]
    fn loopback_and_private_ranges_are_where_backends_live() {
        for ip in [
            "127.0.0.1",
            "::1",
            "10.0.0.7",
            "192.168.1.2",
            "172.16.0.1",
            "100.64.0.9",
            "fd00::7",
            "8.8.8.8",
            "::ffff:10.0.0.1",
        ] {
            assert!(!is_forbidden(ip.parse().unwrap()), "{ip}");
        }
    }
}
