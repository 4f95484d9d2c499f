//! The addresses that host names had when they last resolved, for the minutes in which no name server answers. They are
//! checked anew by whoever connects.

use std::{
    collections::HashMap,
    io,
    net::IpAddr,
    sync::Mutex,
    time::{Duration, Instant},
};

use crate::backend::lock;

/// How long a name's last addresses stand in for an answer.
const GOOD_FOR: Duration = Duration::from_secs(300);
/// How long a name with known addresses may take to resolve.
const PATIENCE: Duration = Duration::from_secs(1);
/// Names that are remembered.
const MOST: usize = 4_096;

#[derive(Debug)]
pub(super) struct Names {
    patience: Duration,
    known: Mutex<HashMap<String, (Instant, Vec<IpAddr>)>>,
}

impl Names {
    pub(super) fn new() -> Self {
        Self { patience: PATIENCE, known: Mutex::default() }
    }

    /// What `answer` says of `host`, or what it said last where it fails, is empty or late. `None` where there is neither.
    pub(super) async fn resolve(
        &self,
        host: &str,
        now: Instant,
        answer: impl Future<Output = io::Result<Vec<IpAddr>>>,
    ) -> Option<Vec<IpAddr>> {
        let known = lock(&self.known)
            .get(host)
            .filter(|(since, _)| now.saturating_duration_since(*since) < GOOD_FOR)
            .map(|(_, addresses)| addresses.clone());
        let found = match known {
            Some(_) => tokio::time::timeout(self.patience, answer).await.ok().and_then(Result::ok),
            None => answer.await.ok(),
        };
        match found.filter(|addresses| !addresses.is_empty()) {
            Some(addresses) => {
                self.remember(host, now, &addresses);
                Some(addresses)
            }
            None => known,
        }
    }

    fn remember(&self, host: &str, now: Instant, addresses: &[IpAddr]) {
        let mut known = lock(&self.known);
        if let Some(entry) = known.get_mut(host) {
            entry.0 = now;
            entry.1.clear();
            entry.1.extend_from_slice(addresses);
            return;
        }
        if known.len() >= MOST {
            known.retain(|_, (since, _)| now.saturating_duration_since(*since) < GOOD_FOR);
        }
        if known.len() < MOST {
            known.insert(host.to_owned(), (now, addresses.to_vec()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(text: &str) -> Vec<IpAddr> {
        text.split_whitespace().map(|ip| ip.parse().unwrap()).collect()
    }

    async fn says(names: &Names, now: Instant, text: &str) -> Option<Vec<IpAddr>> {
        names.resolve("gpu", now, async { Ok(addresses(text)) }).await
    }

    async fn fails(names: &Names, now: Instant) -> Option<Vec<IpAddr>> {
        names.resolve("gpu", now, async { Err(io::ErrorKind::NotFound.into()) }).await
    }

    /// R08.
    #[tokio::test]
    async fn a_name_keeps_its_last_addresses_for_a_while_when_it_does_not_resolve() {
        let (names, start) = (Names::new(), Instant::now());
        assert_eq!(fails(&names, start).await, None);
        assert_eq!(says(&names, start, "10.0.0.1").await, Some(addresses("10.0.0.1")));
        let soon = start + GOOD_FOR - Duration::from_millis(1);
        assert_eq!(fails(&names, soon).await, Some(addresses("10.0.0.1")));
        assert_eq!(says(&names, soon, "").await, Some(addresses("10.0.0.1")), "an empty answer is none");
        assert_eq!(fails(&names, start + GOOD_FOR).await, None, "a failure does not prolong them");
        assert_eq!(names.resolve("other", start, async { Err(io::ErrorKind::NotFound.into()) }).await, None);
    }

    #[tokio::test]
    async fn a_change_counts_at_once() {
        let (names, start) = (Names::new(), Instant::now());
        assert_eq!(says(&names, start, "10.0.0.1 10.0.0.2").await, Some(addresses("10.0.0.1 10.0.0.2")));
        assert_eq!(says(&names, start, "10.0.0.3").await, Some(addresses("10.0.0.3")));
        assert_eq!(fails(&names, start).await, Some(addresses("10.0.0.3")));
    }

    #[tokio::test]
    async fn a_hung_name_server_delays_a_known_name_by_its_patience_only() {
        let (names, start) = (Names { patience: Duration::from_millis(1), ..Names::new() }, Instant::now());
        assert_eq!(says(&names, start, "10.0.0.1").await, Some(addresses("10.0.0.1")));
        let hung = names.resolve("gpu", start, std::future::pending());
        assert_eq!(hung.await, Some(addresses("10.0.0.1")));
    }

    #[tokio::test]
    async fn what_is_remembered_is_bounded() {
        let (names, start) = (Names::new(), Instant::now());
        for number in 0..MOST + 9 {
            names.resolve(&number.to_string(), start, async { Ok(addresses("10.0.0.1")) }).await;
        }
        assert_eq!(lock(&names.known).len(), MOST);
        names.resolve("later", start + GOOD_FOR, async { Ok(addresses("10.0.0.1")) }).await;
        assert_eq!(lock(&names.known).len(), 1);
    }
}
