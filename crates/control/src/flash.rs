//! One value kept from a session's request to its next page. In memory, read once, gone after five minutes.

use std::{collections::HashMap, sync::Mutex, time::Duration};

use domain::{admin::RecoveryCodes, key::CreatedKey};
use tokio::time::Instant;

use crate::{Actor, Control, clock::Now, lock::lock};

const VALID: Duration = Duration::from_secs(300);

/// By session.
pub(crate) struct Flash<T>(Mutex<HashMap<[u8; 32], (T, Instant)>>);

impl<T> Default for Flash<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Flash<T> {
    fn put(&self, session: [u8; 32], value: T, now: Instant) {
        lock(&self.0).insert(session, (value, now + VALID));
    }

    fn take(&self, session: &[u8; 32], now: Instant) -> Option<T> {
        lock(&self.0).remove(session).filter(|(_, until)| now < *until).map(|(value, _)| value)
    }

    pub fn prune(&self, now: Instant) {
        lock(&self.0).retain(|_, (_, until)| now < *until);
    }
}

impl Control {
    /// Keeps a value for the session's next page (a form without JavaScript answers by redirect, and a key must not be
    /// in a URL).
    pub fn put_flash(&self, actor: &Actor, key: CreatedKey) {
        self.0.flash.put(actor.token_hash, key, Now::read().instant);
    }

    pub fn take_flash(&self, actor: &Actor) -> Option<CreatedKey> {
        self.0.flash.take(&actor.token_hash, Now::read().instant)
    }

    /// The same for the recovery codes of a new second factor.
    pub fn put_codes(&self, actor: &Actor, codes: RecoveryCodes) {
        self.0.codes.put(actor.token_hash, codes, Now::read().instant);
    }

    pub fn take_codes(&self, actor: &Actor) -> Option<RecoveryCodes> {
        self.0.codes.take(&actor.token_hash, Now::read().instant)
    }
}

#[cfg(test)]
mod tests {
    use domain::{
        id::{KeyId, UserId},
        key::{KeyStatus, KeyView},
    };

    use super::*;

    fn key() -> CreatedKey {
        let view = KeyView {
            id: KeyId::new("kkkkkkkkkkkk").unwrap(),
            user_id: UserId::new("uuuuuuuuuuuu").unwrap(),
            user: "u".into(),
            name: "n".into(),
            status: KeyStatus::Active,
            last_four: "abcd".into(),
            limit: None,
            policy: Default::default(),
            shown: None,
            created_at: 0,
            last_used_at: None,
            requests: 0,
            unlisted: false,
            last_address: None,
            remarks: Default::default(),
            replaced_by: None,
            notice: None,
        };
        CreatedKey { token: "op_…".into(), view }
    }

    #[test]
    fn a_flash_is_read_once_by_its_session_within_five_minutes() {
        let (flash, now) = (Flash::default(), Instant::now());
        flash.put([1; 32], key(), now);
        assert!(flash.take(&[2; 32], now).is_none());
        assert!(flash.take(&[1; 32], now).is_some());
        assert!(flash.take(&[1; 32], now).is_none());
        flash.put([1; 32], key(), now);
        assert!(flash.take(&[1; 32], now + VALID).is_none());
    }
}
