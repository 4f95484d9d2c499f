//! How many keys failed lately from an address. It slows guessing and keeps the log readable; it never decides about a
//! valid key. Memory is bounded whatever addresses an attacker owns.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use domain::address::network;

/// Failures an address may have in a minute before its answers turn from 401 into 429.
pub(crate) const PER_MINUTE: u32 = 100;
const WINDOW_MS: u64 = 60_000;
/// Addresses kept apart. When there are more, new ones share one count.
const ADDRESSES: usize = 16_384;

/// Failed keys by address, /64 for IPv6.
#[derive(Default)]
pub(crate) struct FailureLimit(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    by_address: HashMap<IpAddr, Window>,
    others: Window,
    swept_at: u64,
}

#[derive(Default, Clone, Copy)]
struct Window {
    since: u64,
    failures: u32,
}

impl FailureLimit {
    /// Counts a failure. `Some(seconds)` says the address is over its limit and when it may fail again.
    pub(crate) fn record(&self, address: IpAddr, now: u64) -> Option<u64> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = &mut *counts;
        let address = network(address);
        if counts.by_address.len() >= ADDRESSES && now >= counts.swept_at + 1_000 {
            counts.swept_at = now;
            counts.by_address.retain(|_, window| now < window.since + WINDOW_MS);
        }
        let full = counts.by_address.len() >= ADDRESSES && !counts.by_address.contains_key(&address);
        let window = if full { &mut counts.others } else { counts.by_address.entry(address).or_default() };
        if window.failures == 0 || now >= window.since + WINDOW_MS {
            *window = Window { since: now, failures: 0 };
        }
        window.failures = window.failures.saturating_add(1);
        let left = (window.since + WINDOW_MS).saturating_sub(now);
        (window.failures > PER_MINUTE).then(|| left.div_ceil(1_000).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(limit: &FailureLimit, address: &str, times: u32, now: u64) -> Option<u64> {
        (0..times).fold(None, |_, _| limit.record(address.parse().unwrap(), now))
    }

    #[test]
    fn an_address_is_slowed_after_its_share_and_forgiven_after_a_minute() {
        let limit = FailureLimit::default();
        assert_eq!(fail(&limit, "192.0.2.1", PER_MINUTE, 1_000), None);
        assert_eq!(fail(&limit, "192.0.2.1", 1, 31_000), Some(30));
        assert_eq!(fail(&limit, "::ffff:192.0.2.1", 1, 31_000), Some(30));
        assert_eq!(fail(&limit, "192.0.2.2", 1, 31_000), None);
        assert_eq!(fail(&limit, "192.0.2.1", 1, 61_000), None);
    }

    #[test]
    fn addresses_of_one_ipv6_network_count_together() {
        let limit = FailureLimit::default();
        assert_eq!(fail(&limit, "2001:db8:1:2::1", PER_MINUTE, 0), None);
        assert!(fail(&limit, "2001:db8:1:2:ffff::9", 1, 0).is_some());
        assert_eq!(fail(&limit, "2001:db8:1:3::1", 1, 0), None);
    }

    #[test]
    fn memory_is_bounded() {
        let limit = FailureLimit::default();
        for n in 0..40_000_u32 {
            limit.record(IpAddr::V4(n.into()), 0);
        }
        assert!(limit.0.lock().unwrap().by_address.len() <= ADDRESSES);
    }
}
