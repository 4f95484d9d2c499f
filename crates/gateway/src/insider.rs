//! A caller without an API key: an administrator who asks through the admin pages. It goes the way of every request from
//! admission on; only who it is was found out elsewhere, by the session. Nobody but `control` makes one, out of an actor,
//! and only requests for the endpoints named here can be asked with it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use domain::{
    endpoint::Endpoint,
    id::{KeyId, UserId},
    key::KeyStatus,
    policy::Policy,
};

use crate::snapshot::{KeyEntry, Rules};

/// Who asks, for as long as its session lives; clones are the same caller.
#[derive(Clone)]
pub struct Insider(Arc<Inside>);

struct Inside {
    /// What admission, queue and usage know the caller by. No key has this id, and it has no hash to be found by.
    entry: Arc<KeyEntry>,
    ended: AtomicBool,
}

impl Insider {
    /// A caller that usage knows as this key of this user.
    pub fn new(key: KeyId, user: UserId) -> Self {
        // Whoever sees the fleet's pages may know which backend answered.
        let policy = Policy { topology: true, ..Policy::default() };
        let entry = KeyEntry {
            id: key,
            user,
            hash: None,
            status: KeyStatus::Active,
            user_enabled: true,
            limit: None,
            rules: Rules::new(&policy, &Policy::default()),
        };
        Self(Arc::new(Inside { entry: Arc::new(entry), ended: AtomicBool::new(false) }))
    }

    pub(crate) fn entry(&self) -> &Arc<KeyEntry> {
        &self.0.entry
    }

    pub(crate) fn end(&self) {
        self.0.ended.store(true, Ordering::SeqCst);
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.0.ended.load(Ordering::SeqCst)
    }
}

/// What an insider may ask for. Management of models is not among it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InsideCall {
    Chat,
    Embed,
}

impl InsideCall {
    pub(crate) fn endpoint(self) -> Endpoint {
        match self {
            Self::Chat => Endpoint::Chat,
            Self::Embed => Endpoint::Embed,
        }
    }
}
