//! Everything derived from the one root secret: the pepper of API keys, the key that seals secrets at rest, and the value
//! that tells whether a database belongs to this root. No type here implements Debug or Serialize.

pub(crate) mod random;
pub(crate) mod root;
pub(crate) mod seal;

use base64::{Engine, engine::general_purpose::STANDARD};
use gateway::snapshot::Pepper;
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use root::Root;
use seal::Sealer;

/// The subkeys in use.
pub(crate) struct Secrets {
    pepper: Pepper,
    sealer: Sealer,
    check: String,
}

impl Secrets {
    /// Derives the subkeys; each has its own label, so none tells anything about another.
    pub fn derive(root: &Root) -> Self {
        let hkdf = Hkdf::<Sha256>::new(Some(b"ollama-fortress/v1"), root.bytes());
        let subkey = |label: &str| {
            let mut key = [0; 32];
            // Expanding to 32 bytes cannot exceed HKDF's bound of 255 blocks.
            let _ = hkdf.expand(label.as_bytes(), &mut key);
            key
        };
        let check = hmac_sha256(&subkey("check"), b"this database belongs to this secret");
        Self { pepper: Pepper(subkey("pepper")), sealer: Sealer::new(&subkey("seal")), check: STANDARD.encode(check) }
    }

    pub fn pepper(&self) -> Pepper {
        self.pepper.clone()
    }

    pub fn sealer(&self) -> &Sealer {
        &self.sealer
    }

    /// What is stored so that a wrong root is noticed at start; tells nothing about the root.
    pub fn check_value(&self) -> &str {
        &self.check
    }

    /// The stored form of an API key, as the gateway computes it.
    pub fn hash_key(&self, key: &str) -> [u8; 32] {
        self.pepper.hash(key)
    }
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
