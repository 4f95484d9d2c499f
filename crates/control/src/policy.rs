//! Policies of keys and users: reading what was typed, what is in force for a key, and what keys have used so far, which
//! the gateway has to know whenever a key or a user is given a budget.

use std::{
    collections::{HashMap, HashSet},
    sync::Mutex,
};

use domain::{
    error::AdminError,
    id::{KeyId, UserId},
    key::KeyStanding,
    key::KeyStatus,
    policy::{Policy, PolicyInput, day_begins, day_of, format_utc, month_begins, month_of},
    usage::UsageRecord,
    user::UserRef,
};
use gateway::{Spend, snapshot::Rules};
use store::{Store, StoreError};

use crate::{Actor, Control, Inner, clock::Now, lock::lock, state::State};

/// Reads a policy that takes the place of `before`. A time of expiry that has passed may stay, but not be typed anew.
pub(crate) fn read(input: &PolicyInput, before: &Policy, now: u64) -> Result<Policy, AdminError> {
    let kept = before.expires_at.filter(|&at| input.expires_at.trim() == format_utc(at));
    let mut input = input.clone();
    if kept.is_some() {
        input.expires_at.clear();
    }
    let policy = Policy::from_input(&input, now).map_err(|fields| AdminError::Invalid { fields })?;
    Ok(Policy { expires_at: kept.or(policy.expires_at), ..policy })
}

/// What is in force for keys, by the policies of their users.
pub(crate) struct Users<'s>(HashMap<&'s UserId, &'s Policy>);

impl<'s> Users<'s> {
    pub fn of(state: &'s State) -> Self {
        Self(state.rows.users.iter().map(|user| (&user.id, &user.policy)).collect())
    }

    pub fn rules(&self, user: &UserId, key: &Policy) -> Rules {
        match self.0.get(user) {
            Some(of_user) => Rules::new(key, of_user),
            None => Rules::new(key, &Policy::default()),
        }
    }
}

/// Tokens and time of keys in the present day and month of UTC.
#[derive(Default)]
pub(crate) struct Spending(Mutex<Book>);

#[derive(Default)]
struct Book {
    /// What was used before this process has been read from the store. Until the first budget there is no need to.
    loaded: bool,
    keys: HashMap<KeyId, Used>,
}

#[derive(Clone)]
struct Used {
    user: UserId,
    day: u64,
    day_tokens: u64,
    day_gpu_us: u64,
    month: u64,
    month_tokens: u64,
}

impl Used {
    fn new(user: UserId, at: u64) -> Self {
        Self { user, day: day_of(at), day_tokens: 0, day_gpu_us: 0, month: month_of(at), month_tokens: 0 }
    }

    /// Goes on to a later day or month, of which nothing is known yet.
    fn advance(&mut self, at: u64) {
        if day_of(at) > self.day {
            (self.day, self.day_tokens, self.day_gpu_us) = (day_of(at), 0, 0);
        }
        if month_of(at) > self.month {
            (self.month, self.month_tokens) = (month_of(at), 0);
        }
    }

    fn add(&mut self, at: u64, tokens: u64, gpu_us: u64) {
        self.advance(at);
        if day_of(at) == self.day {
            self.day_tokens = self.day_tokens.saturating_add(tokens);
            self.day_gpu_us = self.day_gpu_us.saturating_add(gpu_us);
        }
        if month_of(at) == self.month {
            self.month_tokens = self.month_tokens.saturating_add(tokens);
        }
    }
}

impl Spending {
    pub fn absorb(&self, records: &[UsageRecord]) {
        let mut book = lock(&self.0);
        if !book.loaded {
            return;
        }
        for record in records {
            let tokens = record.prompt_tokens.unwrap_or(0).saturating_add(record.completion_tokens.unwrap_or(0));
            if tokens > 0 || record.gpu_us > 0 {
                let used =
                    book.keys.entry(record.key.clone()).or_insert_with(|| Used::new(record.user.clone(), record.at));
                used.add(record.at, tokens, record.gpu_us);
            }
        }
    }

    /// Reads what the store knows of this month, once. Of what is on its way there at this very moment, at most two seconds
    /// are missed; no budget was in force for them.
    async fn load(&self, store: &Store, now: u64) -> Result<(), StoreError> {
        if lock(&self.0).loaded {
            return Ok(());
        }
        let (day, month) = (day_begins(day_of(now)), month_begins(month_of(now)));
        let end = now.saturating_add(1);
        let (earlier, today) = (store.spent(month, day).await?, store.spent(day, end).await?);
        let mut book = lock(&self.0);
        if !std::mem::replace(&mut book.loaded, true) {
            let rows = earlier.into_iter().map(|row| (month, row)).chain(today.into_iter().map(|row| (day, row)));
            for (at, row) in rows {
                let used = book.keys.entry(row.key).or_insert_with(|| Used::new(row.user, now));
                used.add(at, row.tokens, row.gpu_us);
            }
        }
        Ok(())
    }

    /// What the keys of these users have used, as of `now`.
    fn of(&self, users: &HashSet<&UserId>, now: u64) -> Vec<Spend> {
        let book = lock(&self.0);
        let used = book.keys.iter().filter(|(_, used)| users.contains(&used.user));
        used.map(|(key, used)| {
            let mut used = used.clone();
            used.advance(now);
            Spend {
                key: key.clone(),
                user: used.user,
                day_tokens: used.day_tokens,
                month_tokens: used.month_tokens,
                gpu_ms: used.day_gpu_us / 1_000,
            }
        })
        .collect()
    }
}

/// Users with a budget of their own or with a key that has one.
fn with_budgets(state: &State) -> HashSet<&UserId> {
    let users = state.users().filter(|user| user.policy.has_budget()).map(|user| &user.id);
    let keys = state.rows.keys.iter().filter(|key| key.status != KeyStatus::Revoked && key.policy.has_budget());
    users.chain(keys.map(|key| &key.user)).collect()
}

impl Inner {
    /// Before a state with budgets is put in force. A store that cannot be read stops nothing: the counts then begin
    /// with this process.
    pub async fn know_spending(&self, state: &State) {
        if !with_budgets(state).is_empty()
            && let Err(error) = self.usage.spending.load(&self.store, Now::read().wall).await
        {
            tracing::warn!(%error, "what keys have used before is unknown; their budgets count from now on");
        }
    }

    /// Tells the gateway what was used of every budget in `state`. It takes the larger of its own count and this.
    pub fn seed_spending(&self, state: &State) {
        let users = with_budgets(state);
        if !users.is_empty() {
            self.gateway.seed_spend(&self.usage.spending.of(&users, Now::read().wall));
        }
    }
}

impl Control {
    /// Where the keys of a user that are not revoked stand at this moment, in the order of the page.
    pub fn standings(&self, _actor: &Actor, input: &UserRef) -> Result<Vec<KeyStanding>, AdminError> {
        let state = self.state();
        let user = state.user(&input.id)?;
        Ok(self.standings_of(&state, &user.id))
    }

    pub(crate) fn standings_of(&self, state: &State, user: &UserId) -> Vec<KeyStanding> {
        let keys = state.keys_of(user).filter(|key| key.status != KeyStatus::Revoked);
        let standing = |id: &KeyId| Some(KeyStanding { id: id.clone(), standing: self.0.gateway.standing(id)? });
        keys.filter_map(|key| standing(&key.id)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-30T23:59:59Z.
    const LAST_SECOND: u64 = 1_796_083_199_000;

    #[test]
    fn what_is_used_counts_for_its_own_day_and_month() {
        let mut used = Used::new(UserId::new("uuuuuuuuuuuu").unwrap(), LAST_SECOND);
        used.add(LAST_SECOND, 5, 7);
        used.add(LAST_SECOND - 86_400_000, 10, 70);
        assert_eq!((used.day_tokens, used.day_gpu_us, used.month_tokens), (5, 7, 15));
        used.add(LAST_SECOND + 1_000, 1, 2);
        assert_eq!((used.day_tokens, used.day_gpu_us, used.month_tokens), (1, 2, 1));
        used.add(LAST_SECOND, 100, 100);
        assert_eq!((used.day_tokens, used.month_tokens), (1, 1), "a late record of yesterday is not today's");
    }

    #[test]
    fn a_passed_expiry_may_stay_and_not_be_typed() {
        let before = Policy { expires_at: Some(1_000_000_000_000), ..Policy::default() };
        let mut input = PolicyInput { concurrent: "3".into(), ..PolicyInput::from(&before) };
        let changed = read(&input, &before, LAST_SECOND).unwrap();
        assert_eq!((changed.expires_at, changed.concurrent), (before.expires_at, Some(3)));
        assert!(read(&input, &Policy::default(), LAST_SECOND).unwrap_err().field("expires_at").is_some());
        input.expires_at = String::new();
        assert_eq!(read(&input, &before, LAST_SECOND).unwrap().expires_at, None);
    }
}
