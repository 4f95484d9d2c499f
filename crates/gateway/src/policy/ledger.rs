//! The meters of all keys and users that have quotas. They belong to key and user, outlive snapshots, and are forgotten
//! with them.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use domain::{
    id::{KeyId, UserId},
    policy::{PartyStanding, Standing},
};

use super::{
    Now, Rules,
    exceeded::{Exceeded, Quota, Whose},
    meter::{Empty, Held, Meter},
    rules::Quotas,
};
use crate::snapshot::{KeyEntry, Snapshot};

/// What a key has used before the gateway was started, in the present day and month of UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spend {
    pub key: KeyId,
    pub user: UserId,
    /// Prompt and answer tokens.
    pub day_tokens: u64,
    pub month_tokens: u64,
    /// Milliseconds that backends worked today.
    pub gpu_ms: u64,
}

/// A meter in use by requests.
#[derive(Clone)]
pub(super) struct Shared(Arc<Mutex<Meter>>);

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, Meter> {
        // Every change of a meter is whole when its lock is let go.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Meters by id.
struct Book<K>(Mutex<HashMap<K, Shared>>);

impl<K> Default for Book<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Hash + Eq + Clone> Book<K> {
    fn lock(&self) -> MutexGuard<'_, HashMap<K, Shared>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self, id: &K, now: Now) -> Shared {
        let mut meters = self.lock();
        match meters.get(id) {
            Some(meter) => meter.clone(),
            None => {
                let meter = Shared(Arc::new(Mutex::new(Meter::new(now))));
                meters.insert(id.clone(), meter.clone());
                meter
            }
        }
    }

    fn standing(&self, id: &K, quotas: &Quotas, now: Now) -> PartyStanding {
        let meter = self.lock().get(id).cloned();
        match meter {
            Some(meter) => meter.lock().standing(quotas, now),
            None => Meter::new(now).standing(quotas, now),
        }
    }

    fn retain(&self, keep: impl Fn(&K) -> bool) {
        self.lock().retain(|id, meter| Arc::strong_count(&meter.0) > 1 || keep(id));
    }
}

#[derive(Default)]
pub(crate) struct Ledger {
    keys: Book<KeyId>,
    users: Book<UserId>,
}

impl Ledger {
    /// Takes a place among the requests that run at once, for the key and for its user.
    pub(crate) fn enter(&self, key: &KeyEntry, now: Now) -> Result<Slots, Exceeded> {
        let Some((of_key, of_user)) = key.rules.quotas() else { return Ok(Slots::default()) };
        let mut slots = Slots { rules: key.rules.clone(), key: None, user: None };
        if of_key.any() {
            let meter = self.keys.open(&key.id, now);
            meter.lock().enter(of_key).map_err(|empty| exceeded(empty, Whose::Key))?;
            slots.key = Some(meter);
        }
        if of_user.any() {
            let meter = self.users.open(&key.user, now);
            // A refusal here drops `slots`, and with it the key's place.
            meter.lock().enter(of_user).map_err(|empty| exceeded(empty, Whose::User))?;
            slots.user = Some(meter);
        }
        Ok(slots)
    }

    /// Takes over what was used before.
    pub(crate) fn seed(&self, spent: &[Spend], now: Now) {
        let mut users: HashMap<&UserId, (u64, u64, u64)> = HashMap::new();
        for spend in spent {
            let Spend { day_tokens, month_tokens, gpu_ms, .. } = *spend;
            self.keys.open(&spend.key, now).lock().seed(day_tokens, month_tokens, gpu_ms, now);
            let sum = users.entry(&spend.user).or_default();
            for (sum, more) in [(&mut sum.0, day_tokens), (&mut sum.1, month_tokens), (&mut sum.2, gpu_ms)] {
                *sum = sum.saturating_add(more);
            }
        }
        for (user, (day_tokens, month_tokens, gpu_ms)) in users {
            self.users.open(user, now).lock().seed(day_tokens, month_tokens, gpu_ms, now);
        }
    }

    /// Where a key and its user stand; the request window is not this module's.
    pub(crate) fn standing(&self, key: &KeyEntry, now: Now) -> Standing {
        let (of_key, of_user) = key.rules.quotas().map(|(key, user)| (*key, *user)).unwrap_or_default();
        Standing {
            window: None,
            key: self.keys.standing(&key.id, &of_key, now),
            user: self.users.standing(&key.user, &of_user, now),
        }
    }

    /// Forgets keys and users that are gone and of which nothing runs.
    pub(crate) fn follow(&self, snapshot: &Snapshot) {
        self.keys.retain(|id| snapshot.keys.contains_key(id));
        let users: std::collections::HashSet<&UserId> = snapshot.keys.values().map(|key| &key.user).collect();
        self.users.retain(|id| users.contains(id));
    }
}

fn exceeded(empty: Empty, whose: Whose) -> Exceeded {
    let Empty { quota, limit, retry_ms } = empty;
    let limit = if quota == Quota::GpuDay { limit / 1_000 } else { limit };
    Exceeded { quota, whose, limit, retry_after: retry_ms.div_ceil(1_000).max(1) }
}

/// A request's places among those that run at once. Dropped it gives them back, so it belongs into the response body.
#[derive(Default)]
pub(crate) struct Slots {
    rules: Rules,
    key: Option<Shared>,
    user: Option<Shared>,
}

impl Slots {
    /// The body has to be read for an estimate.
    pub(crate) fn has_budget(&self) -> bool {
        self.rules.quotas().is_some_and(|(key, user)| key.budgets() || user.budgets())
    }

    /// Reserves `tokens` and some of the backends' time in every budget, or says which one has nothing left and changes
    /// nothing. What is held belongs to [`Slots::meters`] in their order.
    pub(super) fn reserve(&self, tokens: u64, now: Now) -> Result<[Held; 2], Exceeded> {
        // Always the key before its user, so that no two requests wait for each other.
        let Some((of_key, of_user)) = self.rules.quotas() else { return Ok(Default::default()) };
        let mut key = self.key.as_ref().map(Shared::lock);
        let mut user = self.user.as_ref().map(Shared::lock);
        for (meter, quotas, whose) in [(&mut key, of_key, Whose::Key), (&mut user, of_user, Whose::User)] {
            if let Some(meter) = meter {
                meter.check(quotas, now).map_err(|empty| exceeded(empty, whose))?;
            }
        }
        Ok([&mut key, &mut user].map(|meter| meter.as_mut().map(|meter| meter.reserve(tokens)).unwrap_or_default()))
    }

    /// The meters, for what outlives this.
    pub(super) fn meters(&self) -> [Option<Shared>; 2] {
        [self.key.clone(), self.user.clone()]
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        for meter in [&self.key, &self.user].into_iter().flatten() {
            meter.lock().leave();
        }
    }
}
