//! One value kept from a session's request to its next page. In memory, read once, gone after five minutes.

use std::{collections::HashMap, sync::Mutex, time::Duration};

use domain::key::CreatedKey;
use tokio::time::Instant;

use crate::{Actor, Control, clock::Now, lock::lock};

const VALID: Duration = Duration::from_secs(300);

#[derive(Default)]
pub(crate) struct Flash(Mutex<HashMap<[u8; 32], (CreatedKey, Instant)>>);

impl Flash {
    fn put(&self, session: [u8; 32], key: CreatedKey, now: Instant) {
        lock(&self.0).insert(session, (key, now + VALID));
    }

    fn take(&self, session: &[u8; 32], now: Instant) -> Option<CreatedKey> {
        lock(&self.0).remove(session).filter(|(_, until)| now < *until).map(|(key, _)| key)
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
            created_at: 0,
            last_used_at: None,
            requests: 0,
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
