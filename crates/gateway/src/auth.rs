//! Who is calling: the one place where an API key, or an administrator that `control` vouches for, becomes a [`Principal`].
//! Nothing but this module can make one, and every later stage asks for it, so a path around authentication does not compile.

mod credential;
mod failures;
#[cfg(test)]
mod timing;

use std::{net::IpAddr, sync::Arc};

use domain::{
    id::KeyId,
    key::{KeyStatus, parse_key},
    limit::RateLimit,
};
use http::request::Parts;
use subtle::{Choice, ConstantTimeEq};

pub(crate) use failures::FailureLimit;

use crate::{
    error::Error,
    insider::Insider,
    policy::Now,
    snapshot::{KeyEntry, Snapshot},
};

/// An authenticated API caller.
pub(crate) struct Principal {
    key: Arc<KeyEntry>,
    /// It came in by a session of the admin pages.
    insider: Option<Insider>,
}

impl Principal {
    /// Whom `control` vouches for.
    pub(crate) fn of_insider(insider: Insider) -> Self {
        Self { key: Arc::clone(insider.entry()), insider: Some(insider) }
    }

    pub(crate) fn insider(&self) -> Option<&Insider> {
        self.insider.as_ref()
    }

    pub(crate) fn key(&self) -> &KeyEntry {
        &self.key
    }

    /// The limit in force for this caller: the key's own, else the default.
    pub(crate) fn limit(&self, default: Option<RateLimit>) -> Option<RateLimit> {
        self.key.limit.or(default)
    }
}

/// Verifies the credential of a request. A failing key counts against `peer`; a valid one is never refused for what
/// others at the same address did, so the count is looked at only after the key failed.
pub(crate) fn authenticate(
    snapshot: &Snapshot,
    parts: &Parts,
    peer: IpAddr,
    failures: &FailureLimit,
    now: Now,
) -> Result<Principal, Error> {
    let key = credential::extract(&parts.headers, parts.uri.query())?.ok_or(Error::MissingKey)?;
    match verify(snapshot, key, now.unix) {
        Some(key) => Ok(Principal { key, insider: None }),
        None => Err(match failures.record(peer, now.mono) {
            Some(retry_after) => Error::TooManyFailures { retry_after },
            None => Error::InvalidKey,
        }),
    }
}

/// Whether requests with this key are served at all at this moment, in Unix milliseconds. Everything is looked at, so that
/// the time does not tell what is wrong.
pub(crate) fn in_force(key: &KeyEntry, unix: u64) -> bool {
    (key.status == KeyStatus::Active) & key.user_enabled & key.hash.is_some() & !key.rules.expired(unix)
}

/// Whether `id` is a key in force in `snapshot`; asked again while its streams run.
pub(crate) fn still_in_force(snapshot: &Snapshot, id: &KeyId, unix: u64) -> bool {
    snapshot.keys.get(id).is_some_and(|key| in_force(key, unix))
}

/// The same work whatever is wrong with a well-formed key: an unknown one is compared with a hash that no key has.
fn verify(snapshot: &Snapshot, key: &[u8], unix: u64) -> Option<Arc<KeyEntry>> {
    let text = std::str::from_utf8(key).ok()?;
    let id = parse_key(text).ok()?;
    let hash = snapshot.pepper.hash(text);
    let entry = snapshot.keys.get(id);
    let stored = entry.and_then(|entry| entry.hash);
    let same = hash[..].ct_eq(&stored.unwrap_or([0; 32])[..]);
    let usable = Choice::from(u8::from(entry.is_some_and(|entry| in_force(entry, unix))));
    if bool::from(same & usable) { entry.cloned() } else { None }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use domain::{
        id::{KeyId, UserId},
        key::{SECRET_LENGTH, assemble_key},
        policy::Policy,
    };
    use http::Request;

    use super::*;
    use crate::snapshot::{Pepper, Rules, Settings};

    const NOW: Now = Now { mono: 5, unix: 1_000 };
    const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn key_text(id: &str, letter: &str) -> String {
        assemble_key(&KeyId::new(id).unwrap(), &letter.repeat(SECRET_LENGTH))
    }

    pub(super) fn snapshot(change: impl Fn(&mut KeyEntry)) -> Snapshot {
        let pepper = Pepper([7; 32]);
        let mut entry = KeyEntry {
            id: KeyId::new("0123456789ab").unwrap(),
            user: UserId::new("uuuuuuuuuuuu").unwrap(),
            hash: Some(pepper.hash(&key_text("0123456789ab", "x"))),
            status: KeyStatus::Active,
            user_enabled: true,
            limit: None,
            rules: Rules::default(),
        };
        change(&mut entry);
        let keys = HashMap::from([(entry.id.clone(), Arc::new(entry))]);
        Snapshot { revision: 1, keys, backends: Vec::new(), settings: Settings::default(), pepper }
    }

    fn ask(snapshot: &Snapshot, headers: &[(&str, &str)]) -> Result<Principal, Error> {
        let mut request = Request::get("/api/tags");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        authenticate(snapshot, &parts, PEER, &FailureLimit::default(), NOW)
    }

    #[test]
    fn a_good_key_is_known_through_either_header_and_any_case_of_the_scheme() {
        let (snapshot, key) = (snapshot(|_| ()), key_text("0123456789ab", "x"));
        for scheme in ["Bearer", "bearer", "BEARER"] {
            assert!(ask(&snapshot, &[("authorization", &format!("{scheme} {key}"))]).is_ok(), "{scheme}");
        }
        assert!(ask(&snapshot, &[("x-api-key", &key)]).is_ok());
        let bearer = format!("Bearer {key}");
        assert!(ask(&snapshot, &[("x-api-key", &key), ("authorization", &bearer)]).is_ok());
    }

    #[test]
    fn unusable_keys_are_one_error() {
        let good = format!("Bearer {}", key_text("0123456789ab", "x"));
        let wrong = format!("Bearer {}", key_text("0123456789ab", "y"));
        let unknown = format!("Bearer {}", key_text("zzzzzzzzzzzz", "x"));
        let active = snapshot(|_| ());
        for value in [&wrong, &unknown, "Bearer nonsense", "Basic dXNlcjpwYXNz", "Bearer", &good["Bearer ".len()..]] {
            assert_eq!(ask(&active, &[("authorization", value)]).err(), Some(Error::InvalidKey), "{value}");
        }
        type Change = fn(&mut KeyEntry);
        let expiring = |at| Rules::new(&Policy { expires_at: Some(at), ..Policy::default() }, &Policy::default());
        let ahead = snapshot(|key| key.rules = expiring(NOW.unix + 1));
        assert!(ask(&ahead, &[("authorization", &good)]).is_ok());
        let past = snapshot(|key| key.rules = expiring(NOW.unix));
        assert_eq!(ask(&past, &[("authorization", &good)]).err(), Some(Error::InvalidKey));
        let changes: [Change; 4] = [
            |key| key.status = KeyStatus::Disabled,
            |key| key.status = KeyStatus::Revoked,
            |key| key.user_enabled = false,
            |key| key.hash = None,
        ];
        for change in changes {
            assert_eq!(ask(&snapshot(change), &[("authorization", &good)]).err(), Some(Error::InvalidKey));
        }
        assert_eq!(ask(&active, &[]).err(), Some(Error::MissingKey));
    }

    #[test]
    fn a_zero_hash_is_no_back_door() {
        let snapshot = snapshot(|key| key.hash = None);
        let unknown = format!("Bearer {}", key_text("zzzzzzzzzzzz", "x"));
        assert_eq!(ask(&snapshot, &[("authorization", &unknown)]).err(), Some(Error::InvalidKey));
    }

    #[test]
    fn two_different_credentials_are_a_bad_request() {
        let (snapshot, key) = (snapshot(|_| ()), key_text("0123456789ab", "x"));
        let bearer = format!("Bearer {key}");
        let both = [("authorization", bearer.as_str()), ("x-api-key", "other")];
        assert_eq!(ask(&snapshot, &both).err(), Some(Error::TwoCredentials));
        let twice = [("authorization", bearer.as_str()), ("authorization", "Bearer other")];
        assert_eq!(ask(&snapshot, &twice).err(), Some(Error::TwoCredentials));
    }

    #[test]
    fn a_valid_key_is_served_from_an_address_that_failed_too_often() {
        let (snapshot, failures) = (snapshot(|_| ()), FailureLimit::default());
        let parts = |value: &str| Request::get("/").header("authorization", value).body(()).unwrap().into_parts().0;
        let (bad, good) = (parts("Bearer bad"), parts(&format!("Bearer {}", key_text("0123456789ab", "x"))));
        for _ in 0..failures::PER_MINUTE {
            assert_eq!(authenticate(&snapshot, &bad, PEER, &failures, NOW).err(), Some(Error::InvalidKey));
        }
        assert!(matches!(authenticate(&snapshot, &bad, PEER, &failures, NOW), Err(Error::TooManyFailures { .. })));
        assert!(authenticate(&snapshot, &good, PEER, &failures, NOW).is_ok());
    }

    proptest::proptest! {
        #[test]
        fn no_mutation_of_the_header_is_taken_for_a_key(bytes in proptest::collection::vec(0x20_u8..=0xff, 0..120)) {
            proptest::prop_assume!(!bytes.contains(&0x7f));
            let value = http::HeaderValue::from_bytes(&bytes).unwrap();
            let (parts, ()) = Request::get("/").header("authorization", value).body(()).unwrap().into_parts();
            let answer = authenticate(&snapshot(|_| ()), &parts, PEER, &FailureLimit::default(), NOW);
            proptest::prop_assert!(answer.is_err());
        }
    }
}
