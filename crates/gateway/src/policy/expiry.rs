//! Ends running requests of keys whose time has come. New ones are refused without this; the check here is one comparison
//! a second while no configuration changes.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::Now;
use crate::{Inner, snapshot::Snapshot};

const EVERY: Duration = Duration::from_secs(1);

pub(crate) async fn watch(inner: &Inner, stop: CancellationToken) {
    let mut next = Next::default();
    while stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
        if next.passed(&inner.fleet.view().snapshot, Now::read(inner.started).unix) {
            inner.signal.raise();
        }
    }
}

/// The expiry that comes next.
#[derive(Default)]
struct Next {
    of: Option<Arc<Snapshot>>,
    at: Option<u64>,
}

impl Next {
    /// Whether a key has expired since the last time this was asked.
    fn passed(&mut self, snapshot: &Arc<Snapshot>, unix: u64) -> bool {
        let passed = self.at.is_some_and(|at| unix >= at);
        if passed || !self.of.as_ref().is_some_and(|of| Arc::ptr_eq(of, snapshot)) {
            let expiries = snapshot.keys.values().filter_map(|key| key.rules.expires_at());
            self.at = expiries.filter(|&at| at > unix).min();
            self.of = Some(Arc::clone(snapshot));
        }
        passed
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use domain::{
        id::{KeyId, UserId},
        key::KeyStatus,
        policy::Policy,
    };

    use super::*;
    use crate::{
        policy::Rules,
        snapshot::{KeyEntry, Pepper, Settings},
    };

    fn snapshot(expiries: &[u64]) -> Arc<Snapshot> {
        let keys = expiries.iter().enumerate().map(|(n, at)| {
            let policy = Policy { expires_at: Some(*at), ..Policy::default() };
            let id = KeyId::new(&format!("{n:012}")).unwrap();
            let entry = KeyEntry {
                id: id.clone(),
                user: UserId::new("useruseruser").unwrap(),
                hash: None,
                status: KeyStatus::Active,
                user_enabled: true,
                limit: None,
                rules: Rules::new(&policy, &Policy::default()),
            };
            (id, Arc::new(entry))
        });
        let (backends, settings) = (Vec::new(), Settings::default());
        Arc::new(Snapshot {
            revision: 1,
            keys: keys.collect::<HashMap<_, _>>(),
            backends,
            settings,
            pepper: Pepper([0; 32]),
        })
    }

    #[test]
    fn each_expiry_is_noticed_once_and_a_new_configuration_at_once() {
        let (first, second) = (snapshot(&[10, 20, 5]), snapshot(&[30]));
        let mut next = Next::default();
        let noticed: Vec<bool> = [6, 9, 10, 11, 25, 26].iter().map(|&unix| next.passed(&first, unix)).collect();
        assert_eq!(noticed, [false, false, true, false, true, false]);
        assert!(!next.passed(&second, 27));
        assert!(next.passed(&second, 30));
        assert!(!next.passed(&second, 31));
    }
}
