//! Keys that end by themselves: when, what is said of it on the pages, and the reminder in the log in time.

use std::{collections::HashMap, sync::Mutex};

use domain::{
    id::{KeyId, UserId},
    key::{KEY_PREFIX, KeyStatus},
    policy::{day_of, format_utc},
};
use store::row::{KeyRow, UserRow};

use crate::{Control, clock::Now, lock::lock, state::State};

const DAY: u64 = 86_400_000;
/// How long before its end a key is pointed at.
const NOTICE: u64 = 14 * DAY;

/// When a key ends by itself: its own policy and its user's both count.
pub(crate) fn end(key: &KeyRow, user: Option<&UserRow>) -> Option<u64> {
    let of_user = user.and_then(|user| user.policy.expires_at);
    match (key.policy.expires_at, of_user) {
        (Some(own), Some(of_user)) => Some(own.min(of_user)),
        (own, of_user) => own.or(of_user),
    }
}

/// Whether a key that works will end soon, and nobody has taken care of it: one with a successor, `by`, is meant to.
pub(crate) fn is_soon(key: &KeyRow, user: Option<&UserRow>, by: Option<&KeyRow>, now: u64) -> bool {
    key.status == KeyStatus::Active
        && by.is_none()
        && user.is_some_and(|user| user.enabled && user.removed_at.is_none())
        && end(key, user).is_some_and(|end| end > now && end - now <= NOTICE)
}

/// What is to be said of a key's end, without full stop.
pub(crate) fn notice(key: &KeyRow, user: Option<&UserRow>, by: Option<&KeyRow>, now: u64) -> Option<String> {
    let end = end(key, user);
    let revoked = key.status == KeyStatus::Revoked;
    if let Some(by) = by.map(|by| &by.id) {
        let rest = match end {
            _ if revoked => String::new(),
            Some(end) if end <= now => format!("; ended {}", written(end)),
            Some(end) => format!(" and works until {}", written(end)),
            None => " and works without an end".to_owned(),
        };
        return Some(format!("replaced by {KEY_PREFIX}{by}{rest}"));
    }
    match end {
        Some(end) if end <= now && !revoked => Some(format!("expired {}", written(end))),
        Some(end) if is_soon(key, user, by, now) => Some(format!("expires {}, on {}", left(end - now), written(end))),
        _ => None,
    }
}

fn written(at: u64) -> String {
    format!("{} UTC", format_utc(at).replace('T', " "))
}

fn left(span: u64) -> String {
    match (span + DAY / 2) / DAY {
        _ if span < DAY => "within a day".to_owned(),
        1 => "in 1 day".to_owned(),
        days => format!("in {days} days"),
    }
}

/// The day of UTC on which each key was last spoken of in the log.
#[derive(Default)]
pub(crate) struct Reminded(Mutex<HashMap<KeyId, u64>>);

impl Reminded {
    /// Those of `soon` that were not spoken of today; from now on they were. The others are forgotten.
    fn due<'s>(&self, soon: Vec<&'s KeyRow>, now: u64) -> Vec<&'s KeyRow> {
        let today = day_of(now);
        let mut days = lock(&self.0);
        let before = std::mem::take(&mut *days);
        *days = soon.iter().map(|key| (key.id.clone(), today)).collect();
        soon.into_iter().filter(|key| before.get(&key.id) != Some(&today)).collect()
    }
}

fn soon(state: &State, now: u64) -> (Vec<&KeyRow>, HashMap<&UserId, &UserRow>) {
    let users: HashMap<_, _> = state.rows.users.iter().map(|user| (&user.id, user)).collect();
    let keys =
        state.rows.keys.iter().filter(|key| is_soon(key, users.get(&key.user).copied(), state.successor(key), now));
    (keys.collect(), users)
}

impl Control {
    /// How many keys end soon.
    pub(crate) fn keys_expiring(&self, now: u64) -> u64 {
        soon(&self.state(), now).0.len() as u64
    }

    /// Says in the log which keys end soon, once a day for each; returns of how many it spoke.
    pub(crate) fn remind_of_expiry(&self, now: Now) -> usize {
        let state = self.state();
        let (keys, users) = soon(&state, now.wall);
        let due = self.0.reminded.due(keys, now.wall);
        for key in &due {
            let user = users.get(&key.user).copied();
            let end = end(key, user).map(written).unwrap_or_default();
            let owner = user.map_or("", |user| user.name.as_str());
            tracing::warn!(key = %format_args!("{KEY_PREFIX}{}", key.id), user = owner, name = key.name, %end, "a key expires soon: rotate it, or give it another end");
        }
        due.len()
    }
}

#[cfg(test)]
mod tests {
    use domain::policy::Policy;

    use super::*;

    const NOW: u64 = 1_795_343_400_000;

    fn user(expires_at: Option<u64>) -> UserRow {
        UserRow {
            id: UserId::new("uuuuuuuuuuuu").unwrap(),
            name: "ada".into(),
            enabled: true,
            created_at: 0,
            removed_at: None,
            policy: Policy { expires_at, ..Policy::default() },
            remarks: Default::default(),
        }
    }

    fn key(expires_at: Option<u64>) -> KeyRow {
        KeyRow {
            id: KeyId::new("kkkkkkkkkkkk").unwrap(),
            user: UserId::new("uuuuuuuuuuuu").unwrap(),
            name: "laptop".into(),
            status: KeyStatus::Active,
            hash: Some([1; 32]),
            last_four: "abcd".into(),
            limit: None,
            policy: Policy { expires_at, ..Policy::default() },
            created_at: 0,
            remarks: Default::default(),
            replaced_by: None,
        }
    }

    #[test]
    fn the_earlier_end_of_key_and_user_counts() {
        assert_eq!(end(&key(Some(5)), Some(&user(Some(3)))), Some(3));
        assert_eq!(end(&key(None), Some(&user(Some(3)))), Some(3));
        assert_eq!(end(&key(Some(5)), Some(&user(None))), Some(5));
        assert_eq!(end(&key(None), None), None);
    }

    #[test]
    fn a_key_is_pointed_at_from_fourteen_days_before_its_end() {
        let soon = |key: &KeyRow| is_soon(key, Some(&user(None)), None, NOW);
        assert!(soon(&key(Some(NOW + NOTICE))) && soon(&key(Some(NOW + 1))));
        assert!(!soon(&key(Some(NOW + NOTICE + 1))) && !soon(&key(Some(NOW))) && !soon(&key(None)));
        assert!(!soon(&KeyRow { status: KeyStatus::Disabled, ..key(Some(NOW + 1)) }));
        assert!(!is_soon(&key(Some(NOW + 1)), Some(&user(None)), Some(&key(None)), NOW));
        assert!(!is_soon(&key(Some(NOW + 1)), Some(&UserRow { enabled: false, ..user(None) }), None, NOW));
        assert!(is_soon(&key(None), Some(&user(Some(NOW + 1))), None, NOW));
    }

    #[test]
    fn every_end_is_told_in_words() {
        let told = |key: &KeyRow| notice(key, Some(&user(None)), None, NOW);
        assert_eq!(told(&key(None)), None);
        assert_eq!(told(&key(Some(NOW + 30 * DAY))), None);
        assert_eq!(told(&key(Some(NOW + 3 * DAY))).as_deref(), Some("expires in 3 days, on 2026-11-25 10:30 UTC"));
        assert_eq!(told(&key(Some(NOW + 1))).as_deref(), Some("expires within a day, on 2026-11-22 10:30 UTC"));
        assert_eq!(told(&key(Some(NOW))).as_deref(), Some("expired 2026-11-22 10:30 UTC"));
        let other = KeyRow { id: KeyId::new("nnnnnnnnnnnn").unwrap(), ..key(None) };
        let replaced = |key: &KeyRow| notice(key, Some(&user(None)), Some(&other), NOW);
        let by = "replaced by op_nnnnnnnnnnnn";
        assert_eq!(replaced(&key(Some(NOW + DAY))), Some(format!("{by} and works until 2026-11-23 10:30 UTC")));
        assert_eq!(replaced(&key(Some(NOW))), Some(format!("{by}; ended 2026-11-22 10:30 UTC")));
        let revoked = KeyRow { status: KeyStatus::Revoked, ..key(Some(NOW + DAY)) };
        assert_eq!(replaced(&revoked).as_deref(), Some(by));
        assert_eq!(told(&KeyRow { status: KeyStatus::Revoked, ..key(Some(NOW)) }), None);
    }

    #[test]
    fn a_key_is_spoken_of_once_a_day() {
        let (reminded, key) = (Reminded::default(), key(Some(NOW + DAY)));
        assert_eq!(reminded.due(vec![&key], NOW).len(), 1);
        assert_eq!(reminded.due(vec![&key], NOW + 1_000).len(), 0);
        assert_eq!(reminded.due(vec![&key], NOW + DAY).len(), 1);
        assert_eq!(reminded.due(Vec::new(), NOW + DAY).len(), 0);
        assert_eq!(reminded.due(vec![&key], NOW + DAY).len(), 1, "it came back");
    }
}
