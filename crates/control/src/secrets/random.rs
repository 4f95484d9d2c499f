//! Random ids, key secrets and tokens from the operating system. No generator of our own, no modulo bias.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{
    error::AdminError,
    id::{BASE62, ID_LENGTH, InvalidId},
    key::SECRET_LENGTH,
};
use zeroize::Zeroizing;

use crate::fault::internal;

/// Fills `bytes` from the operating system.
pub(crate) fn fill(bytes: &mut [u8]) -> Result<(), AdminError> {
    getrandom::fill(bytes).map_err(|error| internal("no random numbers", &error))
}

/// `length` base62 characters, each equally likely: bytes of 248 and more are thrown away, since 256 is no multiple of 62.
fn base62(length: usize) -> Result<String, AdminError> {
    let mut text = String::with_capacity(length);
    let mut bytes = Zeroizing::new([0; 64]);
    while text.len() < length {
        fill(bytes.as_mut_slice())?;
        let usable = bytes.iter().filter(|&&byte| byte < 248).take(length - text.len());
        text.extend(usable.map(|&byte| char::from(BASE62[usize::from(byte % 62)])));
    }
    Ok(text)
}

/// A fresh id of the wanted type.
pub(crate) fn id<T: TryFrom<String, Error = InvalidId>>() -> Result<T, AdminError> {
    T::try_from(base62(ID_LENGTH)?).map_err(|error| internal("an id was malformed", &error))
}

/// The secret part of an API key, 256 bits.
pub(crate) fn key_secret() -> Result<Zeroizing<String>, AdminError> {
    base62(SECRET_LENGTH).map(Zeroizing::new)
}

/// A token of 256 bits for cookies and the set-up link, URL-safe.
pub(crate) fn token() -> Result<String, AdminError> {
    let mut bytes = Zeroizing::new([0; 32]);
    fill(bytes.as_mut_slice())?;
    Ok(URL_SAFE_NO_PAD.encode(bytes.as_slice()))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_character_of_a_secret_is_equally_likely() {
        let mut counts = [0f64; 62];
        let rounds = 2_000;
        for _ in 0..rounds {
            for byte in key_secret().unwrap().bytes() {
                counts[BASE62.iter().position(|&known| known == byte).unwrap()] += 1.0;
            }
        }
        let expected = f64::from(rounds) * SECRET_LENGTH as f64 / 62.0;
        let chi: f64 = counts.iter().map(|count| (count - expected).powi(2) / expected).sum();
        // 61 degrees of freedom: a fair source exceeds 140 once in ten million runs; a plain modulo gives over 1,000.
        assert!(chi < 140.0, "chi-square {chi}");
    }

    #[test]
    fn ids_and_tokens_do_not_repeat() {
        let ids: HashSet<domain::id::KeyId> = (0..5_000).map(|_| id().unwrap()).collect();
        let tokens: HashSet<String> = (0..5_000).map(|_| token().unwrap()).collect();
        assert_eq!((ids.len(), tokens.len()), (5_000, 5_000));
        assert!(tokens.iter().all(|token| token.len() == 43));
    }
}
