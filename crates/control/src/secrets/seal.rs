//! Secrets at rest: ChaCha20-Poly1305 with a random nonce, bound to the place they are stored at, so that a sealed value
//! copied into another row does not open.

use chacha20poly1305::{
    ChaCha20Poly1305, Key, Nonce,
    aead::{Aead, KeyInit, Payload},
};
use domain::{
    error::AdminError,
    id::{AdminId, BackendId},
};
use zeroize::Zeroizing;

use crate::{fault::internal, secrets::random};

const VERSION: u8 = 1;
const NONCE_LENGTH: usize = 12;

/// Where a sealed value lives: table, row and field.
pub(crate) struct Place(String);

impl Place {
    pub fn backend_token(id: &BackendId) -> Self {
        Self(format!("backend/{id}/token"))
    }

    /// The shared secret of an administrator's second factor.
    pub fn admin_totp(id: &AdminId) -> Self {
        Self(format!("admin/{id}/totp"))
    }

    pub fn setting(name: &str) -> Self {
        Self(format!("setting/{name}/value"))
    }
}

/// Seals with one key; opens what that or an older one sealed. No Debug.
pub(crate) struct Sealer {
    newest: ChaCha20Poly1305,
    older: Vec<ChaCha20Poly1305>,
}

impl Sealer {
    pub fn new(key: &[u8; 32]) -> Self {
        Self::with_older(key, [])
    }

    pub fn with_older(key: &[u8; 32], older: impl IntoIterator<Item = Zeroizing<[u8; 32]>>) -> Self {
        let cipher = |key: &[u8; 32]| ChaCha20Poly1305::new(&Key::from(*key));
        Self { newest: cipher(key), older: older.into_iter().map(|key| cipher(&key)).collect() }
    }

    /// Version byte, nonce, ciphertext with tag.
    pub fn seal(&self, place: &Place, text: &str) -> Result<Vec<u8>, AdminError> {
        let mut nonce = [0; NONCE_LENGTH];
        random::fill(&mut nonce)?;
        let payload = Payload { msg: text.as_bytes(), aad: place.0.as_bytes() };
        let sealed =
            self.newest.encrypt(&Nonce::from(nonce), payload).map_err(|error| internal("sealing failed", &error))?;
        Ok([&[VERSION], nonce.as_slice(), &sealed].concat())
    }

    /// `None` where the value was not sealed by one of these roots for this place.
    pub fn open(&self, place: &Place, sealed: &[u8]) -> Option<Zeroizing<String>> {
        [&self.newest].into_iter().chain(&self.older).find_map(|cipher| open(cipher, place, sealed))
    }

    /// Whether the newest key sealed it.
    pub fn is_newest(&self, place: &Place, sealed: &[u8]) -> bool {
        open(&self.newest, place, sealed).is_some()
    }
}

fn open(cipher: &ChaCha20Poly1305, place: &Place, sealed: &[u8]) -> Option<Zeroizing<String>> {
    let (&VERSION, rest) = sealed.split_first()? else { return None };
    let (nonce, ciphertext) = rest.split_first_chunk::<NONCE_LENGTH>()?;
    let payload = Payload { msg: ciphertext, aad: place.0.as_bytes() };
    let plain = cipher.decrypt(&Nonce::from(*nonce), payload).ok()?;
    String::from_utf8(plain).ok().map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_value_opens_only_at_its_place_and_unchanged() {
        let sealer = Sealer::new(&[7; 32]);
        let (here, there) = (Place::setting("a"), Place::setting("b"));
        let mut sealed = sealer.seal(&here, "token").unwrap();
        assert_eq!(sealer.open(&here, &sealed).unwrap().as_str(), "token");
        assert!(sealer.open(&there, &sealed).is_none());
        assert!(Sealer::new(&[8; 32]).open(&here, &sealed).is_none());
        assert_ne!(sealer.seal(&here, "token").unwrap(), sealed, "nonces do not repeat");
        for at in 0..sealed.len() {
            sealed[at] ^= 1;
            assert!(sealer.open(&here, &sealed).is_none(), "at {at}");
            sealed[at] ^= 1;
        }
        assert!(sealer.open(&here, &[]).is_none());
    }
}
