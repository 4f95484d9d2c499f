//! How many connections there may be, in all and from one address, so that one caller's idle connections leave room for
//! the others.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use domain::address::network;

/// Largest numbers of connections at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub all: u32,
    /// From one IPv4 address or one IPv6 /64.
    pub per_address: u32,
}

/// The places of all listeners together; cheap to clone.
#[derive(Clone)]
pub struct Places(Arc<Inner>);

struct Inner {
    limits: Limits,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    all: u32,
    by_address: HashMap<IpAddr, u32>,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    All,
    Address,
}

/// One connection's place; free again when this is dropped.
pub struct Place {
    places: Arc<Inner>,
    address: IpAddr,
}

impl Places {
    pub fn new(limits: Limits) -> Self {
        Self(Arc::new(Inner { limits, taken: Mutex::default() }))
    }

    /// Connections now.
    pub fn taken(&self) -> u32 {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner).all
    }

    /// A place for a connection from `address`. With `shared` (a trusted proxy, behind which many callers are) only the
    /// number of all counts.
    pub fn take(&self, address: IpAddr, shared: bool) -> Result<Place, Full> {
        let address = network(address);
        let mut taken = self.0.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.all >= self.0.limits.all {
            return Err(Full::All);
        }
        let own = taken.by_address.get(&address).copied().unwrap_or(0);
        if own >= self.0.limits.per_address && !shared {
            return Err(Full::Address);
        }
        taken.all += 1;
        taken.by_address.insert(address, own + 1);
        Ok(Place { places: Arc::clone(&self.0), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all = taken.all.saturating_sub(1);
        if let Some(own) = taken.by_address.get_mut(&self.address) {
            *own -= 1;
            if *own == 0 {
                taken.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(places: &Places, address: &str, shared: bool) -> Result<Place, Full> {
        places.take(address.parse().unwrap(), shared)
    }

    #[test]
    fn one_address_leaves_places_for_others_and_a_freed_place_is_free() {
        let places = Places::new(Limits { all: 5, per_address: 2 });
        let first = take(&places, "192.0.2.1", false).unwrap();
        let _second = take(&places, "::ffff:192.0.2.1", false).unwrap();
        assert_eq!(take(&places, "192.0.2.1", false).err(), Some(Full::Address));
        let _other = take(&places, "192.0.2.2", false).unwrap();
        drop(first);
        let _again = take(&places, "192.0.2.1", false).unwrap();
        assert_eq!(take(&places, "192.0.2.1", false).err(), Some(Full::Address));
    }

    #[test]
    fn of_ipv6_the_network_of_one_customer_counts() {
        let places = Places::new(Limits { all: 9, per_address: 1 });
        let _one = take(&places, "2001:db8:1:2::1", false).unwrap();
        assert_eq!(take(&places, "2001:db8:1:2:ffff::9", false).err(), Some(Full::Address));
        let _other = take(&places, "2001:db8:1:3::1", false).unwrap();
    }

    #[test]
    fn a_trusted_proxy_is_many_callers_but_all_together_are_bounded() {
        let places = Places::new(Limits { all: 3, per_address: 1 });
        let kept: Vec<Place> = (0..3).map(|_| take(&places, "10.0.0.1", true).unwrap()).collect();
        assert_eq!(take(&places, "192.0.2.1", false).err(), Some(Full::All));
        assert_eq!(take(&places, "10.0.0.1", true).err(), Some(Full::All));
        drop(kept);
        assert!(places.0.taken.lock().unwrap().by_address.is_empty());
        assert!(take(&places, "192.0.2.1", false).is_ok());
    }
}
