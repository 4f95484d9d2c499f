//! Networks and lists of them: who may come in, and where backends may be. And the Network page's view and inputs.

use std::{fmt, net::IpAddr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

use crate::settings::Sourced;

/// Most networks of one list: each request is compared with all of them.
pub const MAX_NETWORKS: usize = 1_000;
/// Says that a list is empty where the environment has one that should not count.
pub const NONE: &str = "none";
/// Bits of an IPv6 prefix before the IPv4 address in `::ffff:a.b.c.d`.
const MAPPED: u8 = 96;

/// Networks in one spelling: IPv4 as IPv4, host bits cleared, each once, in the order given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks(Vec<IpNet>);

impl Networks {
    /// Reads addresses and networks separated by commas, blanks or line breaks; `*` is everybody. The error is one
    /// sentence that names every line at fault.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (mut networks, mut faults) = (Vec::new(), Vec::new());
        let lines = text.lines().count();
        for (index, line) in text.lines().enumerate() {
            for item in line.split([',', ' ', '\t', '\r']).filter(|item| !item.is_empty()) {
                let Some(found) = parse(item) else {
                    let place = if lines > 1 { format!("line {}: ", index + 1) } else { String::new() };
                    faults.push(format!(
                        "{place}{item:?} is no address or network like 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32"
                    ));
                    continue;
                };
                networks.extend(found.into_iter().filter(|network| !networks.contains(network)).collect::<Vec<_>>());
            }
        }
        if networks.len() > MAX_NETWORKS {
            faults.push(format!("a list has at most {MAX_NETWORKS} networks"));
        }
        // A page has no room for the hundredth fault of the same kind.
        faults.truncate(10);
        if faults.is_empty() { Ok(Self(networks)) } else { Err(faults.join("; ")) }
    }

    /// Whether an address is in one of them; an IPv4 address is one in whichever form it is written.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// One a line.
impl fmt::Display for Networks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, network) in self.0.iter().enumerate() {
            let between = if index == 0 { "" } else { "\n" };
            // A whole-length prefix is how an address looks as a network; people wrote the address.
            if network.prefix_len() == network.max_prefix_len() {
                write!(f, "{between}{}", network.addr())?;
            } else {
                write!(f, "{between}{network}")?;
            }
        }
        Ok(())
    }
}

fn parse(item: &str) -> Option<Vec<IpNet>> {
    if item == "*" {
        return Some(vec![Ipv4Net::default().into(), Ipv6Net::default().into()]);
    }
    let bare = item.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(item);
    let network = match bare.parse::<IpAddr>() {
        Ok(address) => IpNet::from(address),
        Err(_) => item.parse().ok()?,
    };
    Some(vec![canonical(network)])
}

/// An IPv4-mapped network as the IPv4 network it is.
fn canonical(network: IpNet) -> IpNet {
    let as_v4 = |network: Ipv6Net| {
        let prefix = network.prefix_len().checked_sub(MAPPED)?;
        Ipv4Net::new(network.addr().to_ipv4_mapped()?, prefix).ok()
    };
    match network.trunc() {
        IpNet::V6(network) => as_v4(network).map_or(IpNet::V6(network), |network| IpNet::V4(network.trunc())),
        network => network,
    }
}

/// Who may come in: everybody but the denied, and where there is a list of the allowed, only they.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddressRules {
    /// Empty: everybody.
    pub allowed: Networks,
    /// Wins over `allowed`.
    pub denied: Networks,
}

impl AddressRules {
    pub fn admits(&self, address: IpAddr) -> bool {
        !self.denied.contains(address) && (self.allowed.is_empty() || self.allowed.contains(address))
    }
}

/// Everything on the Network page. Lists are text, one entry a line; empty is no list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkView {
    pub allowed_ips: Sourced<String>,
    pub denied_ips: Sourced<String>,
    pub admin_allowed_ips: Sourced<String>,
    pub admin_denied_ips: Sourced<String>,
    /// Web origins whose scripts may call the API.
    pub cors_origins: Sourced<String>,
    /// Where backends may be, beside the addresses that none may have.
    pub backend_networks: Sourced<String>,
    /// Days for which browsers that came over TLS refuse plain HTTP; empty says nothing to them, `0` takes it back.
    pub hsts_days: Sourced<String>,
    /// The address this visit comes from, as the lists see it.
    pub your_address: String,
    /// Stands for the settings above: changes when any of them does.
    pub version: String,
}

/// Saves the page. Every field as typed; empty means back to environment or default, `none` an empty list. All is
/// validated before anything is saved; faults name the field as it is called here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SaveNetwork {
    pub allowed_ips: String,
    pub denied_ips: String,
    pub admin_allowed_ips: String,
    pub admin_denied_ips: String,
    pub cors_origins: String,
    pub backend_networks: String,
    pub hsts_days: String,
    /// Not empty: save even where the administrator's own address will not get in any more.
    pub confirm: String,
    /// `NetworkView::version` of what the form showed; empty saves over whatever is there.
    pub version: String,
}

impl SaveNetwork {
    /// Every field that people fill in, in the page's order.
    pub const FIELDS: [&str; 8] = [
        "allowed_ips",
        "denied_ips",
        "admin_allowed_ips",
        "admin_denied_ips",
        "cors_origins",
        "backend_networks",
        "hsts_days",
        "confirm",
    ];
    /// What is confirmed is confirmed once.
    pub const UNKEPT: [&str; 1] = ["confirm"];
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(text: &str) -> Networks {
        Networks::parse(text).unwrap()
    }

    fn admits(allowed: &str, denied: &str, address: &str) -> bool {
        let rules = AddressRules { allowed: networks(allowed), denied: networks(denied) };
        rules.admits(address.parse().unwrap())
    }

    #[test]
    fn the_list_of_fields_is_whole() {
        crate::tests::assert_fields(&SaveNetwork::default(), &[&SaveNetwork::FIELDS, &["version"]]);
    }

    #[test]
    fn a_list_has_one_spelling() {
        let text = "10.1.2.3/8, 192.0.2.7\n::ffff:192.0.2.7 ::ffff:172.16.0.0/108\r\n[2001:db8::1]\n\n2001:db8:1::5/48,10.0.0.0/8";
        let read = networks(text);
        assert_eq!(read.to_string(), "10.0.0.0/8\n192.0.2.7\n172.16.0.0/12\n2001:db8::1\n2001:db8:1::/48");
        assert_eq!(networks(&read.to_string()), read);
        assert_eq!(networks("*").to_string(), "0.0.0.0/0\n::/0");
        assert!(networks(" ,\n ").is_empty());
    }

    #[test]
    fn every_line_at_fault_is_named() {
        let fault = Networks::parse("10.0.0.0/8\n10.0.0.300\nok.example\n::1\nfe80::1%eth0").unwrap_err();
        for part in ["line 2: \"10.0.0.300\"", "line 3: \"ok.example\"", "line 5: \"fe80::1%eth0\""] {
            assert!(fault.contains(part), "{fault}");
        }
        assert!(!fault.contains("line 1") && !fault.contains("line 4"), "{fault}");
        for bad in ["10.0.0.0/33", "::/129", "10.0.0", "010.0.0.1", "1/8", "10.0.0.1-10.0.0.9", "[::1", "none"] {
            assert!(Networks::parse(bad).is_err(), "{bad}");
        }
        let many: String = (0..=MAX_NETWORKS).map(|n| format!("10.{}.{}.0/24\n", n / 256, n % 256)).collect();
        assert!(Networks::parse(&many).is_err());
    }

    #[test]
    fn deny_wins_and_an_empty_list_lets_everybody_in() {
        for (allowed, denied, address, expected) in [
            ("", "", "192.0.2.7", true),
            ("", "192.0.2.0/24", "192.0.2.7", false),
            ("", "192.0.2.0/24", "::ffff:192.0.2.7", false),
            ("", "::ffff:192.0.2.7", "192.0.2.7", false),
            ("", "192.0.2.0/24", "192.0.3.7", true),
            ("10.0.0.0/8", "", "10.255.0.1", true),
            ("10.0.0.0/8", "", "::ffff:10.255.0.1", true),
            ("10.0.0.0/8", "", "11.0.0.1", false),
            ("10.0.0.0/8", "10.0.0.5", "10.0.0.5", false),
            ("10.0.0.5", "10.0.0.0/8", "10.0.0.5", false),
            ("2001:db8::/32", "", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "", "2001:db9::1", false),
            ("::/0", "", "10.0.0.1", false),
            ("*", "", "10.0.0.1", true),
            ("*", "", "2001:db8::1", true),
            ("", "*", "::1", false),
            ("", "0.0.0.0/0", "::1", true),
        ] {
            assert_eq!(admits(allowed, denied, address), expected, "{allowed:?} {denied:?} {address}");
        }
    }
}
