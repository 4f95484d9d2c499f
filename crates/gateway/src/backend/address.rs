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

/// Metadata services that are not link-local: Alibaba's, Oracle's, Azure's.
const METADATA_V4: [Ipv4Addr; 3] =
    [Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(192, 0, 0, 192), Ipv4Addr::new(168, 63, 129, 16)];

fn is_forbidden_v4(ip: Ipv4Addr) -> bool {
    METADATA_V4.contains(&ip) || ip.is_link_local() || ip.is_multicast() || ip.octets()[0] >= 240 || ip.octets()[0] == 0
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
        || embedded_v4(ip).into_iter().flatten().any(is_forbidden_v4)
        || local_nat64(ip).into_iter().flatten().any(|ip| ip.is_link_local() || METADATA_V4.contains(&ip))
}

fn join(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from((u32::from(high) << 16) | u32::from(low))
}

/// The IPv4 addresses that an IPv6 one stands for: mapped, compatible, NAT64 (also the first reading of a local one),
/// 6to4, Teredo with its server and its client, which is written inverted.
fn embedded_v4(ip: Ipv6Addr) -> [Option<Ipv4Addr>; 2] {
    let [a, b, c, d, e, f, g, h] = ip.segments();
    match [a, b, c, d, e, f] {
        [0, 0, 0, 0, 0, 0xffff | 0] | [0x64, 0xff9b, 0, 0, 0, 0] | [0x64, 0xff9b, 1, ..] => [Some(join(g, h)), None],
        [0x2002, ..] => [Some(join(b, c)), None],
        [0x2001, 0, ..] => [Some(join(c, d)), Some(join(!g, !h))],
        _ => [None; 2],
    }
}

/// What an address of the local NAT64 network (RFC 8215) stands for where the prefix is not one of 96 bits: RFC 6052 puts
/// the IPv4 address behind 48, 56 or 64 bits then and around the ninth byte, and nobody tells which. So these readings
/// forbid only what can hardly be meant otherwise.
fn local_nat64(ip: Ipv6Addr) -> [Option<Ipv4Addr>; 3] {
    let o = ip.octets();
    if !matches!(ip.segments(), [0x64, 0xff9b, 1, ..]) {
        return [None; 3];
    }
    [[o[6], o[7], o[9], o[10]], [o[7], o[9], o[10], o[11]], [o[9], o[10], o[11], o[12]]].map(|v4| Some(v4.into()))
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
            "64:ff9b:1::169.254.169.254",
            "64:ff9b:1:abcd::169.254.169.254",
            "64:ff9b:1:a9fe:a9:fe00::",
            "64:ff9b:1:a9:fe:a9fe::",
            "64:ff9b:1:0:a9:fea9:fe00:0",
            "2001:0:a9fe:a9fe::1",
            "2001:0:808:808:0:0:5601:5601",
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
            "64:ff9b:1::10.0.0.5",
            "2001:0:808:808::f5ff:fffa",
            "2001:db8::1",
        ] {
            assert!(!is_forbidden(ip.parse().unwrap()), "{ip}");
        }
    }
}
