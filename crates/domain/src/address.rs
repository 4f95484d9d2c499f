//! Which addresses are one caller, for everything that counts by address.

use std::net::{IpAddr, Ipv6Addr};

/// The address that counts stand under: IPv4 whole, also where it is written as IPv6; of IPv6 its /64, which is what one
/// customer gets, so that nobody has more than one count.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_caller_is_one_network() {
        for (address, expected) in [
            ("192.0.2.1", "192.0.2.1"),
            ("192.0.2.2", "192.0.2.2"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("127.0.0.1", "127.0.0.1"),
            ("2001:db8:1:2::1", "2001:db8:1:2::"),
            ("2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::"),
            ("2001:db8:1:3::1", "2001:db8:1:3::"),
            ("2001:db9:1:2::1", "2001:db9:1:2::"),
            ("fe80::1", "fe80::"),
            ("::1", "::"),
        ] {
            let found = network(address.parse().unwrap());
            assert_eq!(found, expected.parse::<IpAddr>().unwrap(), "{address}");
            assert_eq!(network(found), found, "{address} twice");
        }
    }
}
