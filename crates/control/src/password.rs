//! Passwords: what is accepted, and hashing with argon2id. Hashing takes 64 MiB and a good part of a second, so only two
//! run at a time, a few wait, and the rest is told to come back: logins cannot exhaust the machine.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use argon2::{
    Algorithm, Argon2, Params, PasswordHash, PasswordVerifier, Version,
    password_hash::{PasswordHasher, SaltString},
};
use domain::error::AdminError;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::{fault::internal, secrets::random};

/// Passwords too common to be accepted, one a line in lower case, only those of eight and more characters: the 4,000 most
/// common of them in Django's list (see NOTICE), and this project's own, which know of years, roles and products.
const COMMON: &str = include_str!("password/common.txt");
const MIN_LENGTH: usize = 8;
const MAX_LENGTH: usize = 128;
const MEMORY_KIB: u32 = 64 * 1024;
const ROUNDS: u32 = 3;
/// Hashes computed at the same time, and callers that may wait for one.
const PARALLEL: usize = 2;
const QUEUE: usize = 8;
/// Verified for unknown accounts, so that they take as long as known ones. No password has this hash.
const DUMMY: &str = "$argon2id$v=19$m=65536,t=3,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Refuses what is too short, too long or too common. The message says the rule, never the password.
pub fn check_password(password: &str) -> Result<(), String> {
    let length = password.chars().count();
    if length < MIN_LENGTH {
        return Err(format!("must be at least {MIN_LENGTH} characters"));
    }
    if length > MAX_LENGTH {
        return Err(format!("must be at most {MAX_LENGTH} characters"));
    }
    let lower = Zeroizing::new(password.to_lowercase());
    let first = lower.chars().next();
    if COMMON.lines().any(|common| common == lower.as_str()) || lower.chars().all(|letter| Some(letter) == first) {
        return Err("is one of the most common passwords: take another".into());
    }
    Ok(())
}

/// What a look at a password found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Right,
    /// Right, but hashed with weaker parameters than today's.
    RightButWeak,
    Wrong,
}

/// Computes hashes on blocking threads, a bounded number at a time.
pub(crate) struct Hasher {
    queue: Arc<Semaphore>,
    running: Arc<Semaphore>,
    computed: Arc<AtomicU64>,
}

impl Hasher {
    pub fn new() -> Self {
        Self {
            queue: Arc::new(Semaphore::new(PARALLEL + QUEUE)),
            running: Arc::new(Semaphore::new(PARALLEL)),
            computed: Arc::default(),
        }
    }

    /// Hashes computed since the start.
    #[cfg(test)]
    pub fn computed(&self) -> u64 {
        self.computed.load(Ordering::SeqCst)
    }

    /// The PHC string of a password.
    pub async fn hash(&self, password: &str) -> Result<String, AdminError> {
        let mut salt = [0; 16];
        random::fill(&mut salt)?;
        let password = Zeroizing::new(password.to_owned());
        self.run(move |argon2| {
            let salt = SaltString::encode_b64(&salt)?;
            Ok(argon2.hash_password(password.as_bytes(), &salt)?.to_string())
        })
        .await
    }

    /// Compares a password with a stored hash; `None` does the same work for an account that does not exist.
    pub async fn verify(&self, password: &str, stored: Option<&str>) -> Result<Verdict, AdminError> {
        let password = Zeroizing::new(password.to_owned());
        let known = stored.is_some();
        let stored = stored.unwrap_or(DUMMY).to_owned();
        self.run(move |argon2| {
            let parsed = PasswordHash::new(&stored)?;
            match argon2.verify_password(password.as_bytes(), &parsed) {
                Ok(()) if !known => Ok(Verdict::Wrong),
                Ok(()) if is_weak(&parsed) => Ok(Verdict::RightButWeak),
                Ok(()) => Ok(Verdict::Right),
                Err(argon2::password_hash::Error::Password) => Ok(Verdict::Wrong),
                Err(error) => Err(error),
            }
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Argon2<'static>) -> Result<T, argon2::password_hash::Error> + Send + 'static,
    ) -> Result<T, AdminError> {
        let place = Arc::clone(&self.queue).try_acquire_owned().map_err(|_| AdminError::Busy)?;
        let permit = Arc::clone(&self.running).acquire_owned().await.map_err(|_| AdminError::Busy)?;
        let computed = Arc::clone(&self.computed);
        let done = tokio::task::spawn_blocking(move || {
            // The permits go with the work: a caller that goes away does not make room for another hash.
            let _held = (place, permit);
            computed.fetch_add(1, Ordering::SeqCst);
            let params = Params::new(MEMORY_KIB, ROUNDS, 1, None).map_err(argon2::password_hash::Error::from)?;
            work(&Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
        });
        done.await
            .map_err(|error| internal("hashing was cut off", &error))?
            .map_err(|error| internal("hashing failed", &error))
    }
}

fn is_weak(hash: &PasswordHash<'_>) -> bool {
    let lower = |name: &str, wanted: u32| hash.params.get_decimal(name).is_none_or(|value| value < wanted);
    hash.algorithm.as_str() != "argon2id" || lower("m", MEMORY_KIB) || lower("t", ROUNDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_long_and_common_passwords_are_refused() {
        // The last three are the 2,986th, 2,993rd and 2,995th of those that are long enough.
        for bad in ["seven77", "Password1", "aaaaaaaaaaaa", &"é".repeat(129), "Peanut12", "a1A2a3A4a5", "webster1"] {
            let message = check_password(bad).unwrap_err();
            assert!(!message.contains(bad), "{message}");
        }
        for good in ["correct horse battery staple", "eight-8x", &"xyz".repeat(42)] {
            assert_eq!(check_password(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn the_common_list_is_lower_case_without_doubles_and_holds_nothing_that_is_too_short_anyway() {
        assert!(COMMON.lines().count() >= 4_000);
        for line in COMMON.lines() {
            assert!(line.chars().count() >= MIN_LENGTH && line == line.to_lowercase().trim(), "{line}");
        }
        assert!(COMMON.lines().is_sorted_by(|one, next| one < next), "each once");
    }

    #[tokio::test]
    async fn a_hash_verifies_its_own_password_only() {
        let hasher = Hasher::new();
        let hash = hasher.hash("correct horse").await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=65536,t=3,p=1$"), "{hash}");
        assert_eq!(hasher.verify("correct horse", Some(&hash)).await, Ok(Verdict::Right));
        assert_eq!(hasher.verify("correct horsf", Some(&hash)).await, Ok(Verdict::Wrong));
    }

    #[tokio::test]
    async fn an_unknown_account_costs_a_hash_and_is_wrong() {
        let hasher = Hasher::new();
        assert_eq!(hasher.verify("correct horse", None).await, Ok(Verdict::Wrong));
        assert_eq!(hasher.computed(), 1);
    }

    #[tokio::test]
    async fn a_hash_with_lower_parameters_asks_to_be_renewed() {
        let weak = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(19 * 1024, 2, 1, None).unwrap());
        let salt = SaltString::encode_b64(&[1; 16]).unwrap();
        let hash = weak.hash_password(b"correct horse", &salt).unwrap().to_string();
        assert_eq!(Hasher::new().verify("correct horse", Some(&hash)).await, Ok(Verdict::RightButWeak));
    }

    #[tokio::test]
    async fn beyond_the_queue_callers_are_told_to_come_back() {
        let hasher = Arc::new(Hasher::new());
        let calls: Vec<_> = (0..30)
            .map(|_| {
                let hasher = Arc::clone(&hasher);
                tokio::spawn(async move { hasher.verify("correct horse", None).await })
            })
            .collect();
        let mut busy = 0;
        for call in calls {
            busy += usize::from(call.await.unwrap() == Err(AdminError::Busy));
        }
        assert!(busy >= 1);
        assert_eq!(hasher.computed() + busy as u64, 30);
    }
}
