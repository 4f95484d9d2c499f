//! Everything derived from the one root secret: the pepper of API keys, the key that seals secrets at rest, and the value
//! that tells whether a database belongs to this root. No type here implements Debug or Serialize. Which roots there are
//! is `ring`'s business, how another one takes over `rotate`'s.

pub(crate) mod random;
pub(crate) mod reseal;
pub(crate) mod ring;
pub(crate) mod root;
pub(crate) mod rotate;
pub(crate) mod seal;

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use domain::error::AdminError;
use gateway::snapshot::Pepper;
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use root::Root;
use seal::{Place, Sealer};

/// Setting that tells which root the database is sealed with; tells nothing about the root.
pub(crate) const CHECK: &str = "mark.secret_check";
/// Setting with the pepper of the first root, sealed, once another one took over.
pub(crate) const PEPPER: &str = "mark.pepper";

/// The subkeys in use.
pub(crate) struct Secrets {
    pepper: Pepper,
    seal: Zeroizing<[u8; 32]>,
    sealer: Arc<Sealer>,
    device: Zeroizing<[u8; 32]>,
    check: String,
}

impl Secrets {
    /// Derives the subkeys; each has its own label, so none tells anything about another.
    pub fn derive(root: &Root) -> Self {
        let seal = subkey(root, "seal");
        Self {
            pepper: Pepper(*subkey(root, "pepper")),
            sealer: Arc::new(Sealer::new(&seal)),
            seal,
            device: subkey(root, "device"),
            check: check_of(root),
        }
    }

    /// The same that also opens what other roots sealed.
    pub fn with_older<'a>(self, roots: impl Iterator<Item = &'a Root>) -> Self {
        let older = roots.map(|root| subkey(root, "seal"));
        Self { sealer: Arc::new(Sealer::with_older(&self.seal, older)), ..self }
    }

    /// The same with the pepper that the stored hashes were made with.
    pub fn with_pepper(self, pepper: Pepper) -> Self {
        Self { pepper, ..self }
    }

    pub fn pepper(&self) -> Pepper {
        self.pepper.clone()
    }

    /// The pepper as it is stored.
    pub fn sealed_pepper(&self) -> Result<String, AdminError> {
        let text = Zeroizing::new(STANDARD.encode(self.pepper.0));
        Ok(STANDARD.encode(self.sealer.seal(&Place::setting(PEPPER), &text)?))
    }

    /// And back; `None` if this root did not seal it.
    pub fn open_pepper(&self, sealed: &str) -> Option<Pepper> {
        let text = self.sealer.open(&Place::setting(PEPPER), &STANDARD.decode(sealed).ok()?)?;
        STANDARD.decode(text.as_bytes()).ok()?.try_into().ok().map(Pepper)
    }

    pub fn sealer(&self) -> Arc<Sealer> {
        Arc::clone(&self.sealer)
    }

    /// What is stored so that a wrong root is noticed at start; tells nothing about the root.
    pub fn check_value(&self) -> &str {
        &self.check
    }

    /// Tells that a device's cookie is one of ours.
    pub fn device_mac(&self, text: &[u8]) -> [u8; 32] {
        hmac_sha256(&self.device, text)
    }

    /// The stored form of an API key, as the gateway computes it.
    pub fn hash_key(&self, key: &str) -> [u8; 32] {
        self.pepper.hash(key)
    }
}

fn subkey(root: &Root, label: &str) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    // Expanding to 32 bytes cannot exceed HKDF's bound of 255 blocks.
    let _ = Hkdf::<Sha256>::new(Some(b"ollama-fortress/v1"), root.bytes()).expand(label.as_bytes(), key.as_mut_slice());
    key
}

/// The value under [`CHECK`] of a database that belongs to this root.
pub(crate) fn check_of(root: &Root) -> String {
    STANDARD.encode(hmac_sha256(&subkey(root, "check"), b"this database belongs to this secret"))
}

fn hmac_sha256(key: &[u8; 32], message: &[u8]) -> [u8; 32] {
    // HMAC takes keys of every length, so this never falls back to zeroes.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; 32] };
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// The stored form of a random token: it has 256 bits, so a plain hash is enough.
pub(crate) fn token_hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// Compares without telling by its time where two hashes differ.
pub(crate) fn same_hash(left: &[u8; 32], right: &[u8; 32]) -> bool {
    left.ct_eq(right).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subkeys_differ_from_each_other_and_between_roots() {
        let (one, two) = (Secrets::derive(&Root::of_text("a")), Secrets::derive(&Root::of_text("b")));
        assert_ne!(one.pepper.0, two.pepper.0);
        assert_ne!(one.check, two.check);
        assert_ne!(STANDARD.encode(one.pepper.0), one.check);
        assert_eq!(one.check, Secrets::derive(&Root::of_text("a")).check);
    }

    #[test]
    fn a_key_hash_is_hmac_of_the_whole_key_under_the_pepper() {
        let secrets = Secrets::derive(&Root::of_text("a"));
        let mut mac = Hmac::<Sha256>::new_from_slice(&secrets.pepper().0).unwrap();
        mac.update(b"op_whole");
        assert!(mac.verify_slice(&secrets.hash_key("op_whole")).is_ok());
    }
}
