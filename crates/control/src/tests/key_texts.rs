//! T13: the texts of keys, by the hundred thousand.

use std::collections::HashSet;

use domain::{
    id::{BASE62, ID_LENGTH, KeyId},
    key::{SECRET_LENGTH, assemble_key, parse_key},
};

use crate::secrets::random;

/// Chi-square of 61 degrees of freedom that one of the 55 places of a fair source exceeds in one run of 400,000. A plain
/// modulo gives more than 190 from the smallest number of keys on.
const UNFAIR: f64 = 140.0;

#[test]
fn keys_never_repeat_are_fair_in_every_place_and_carry_their_checksum() {
    let count = testkit::rounds(30_000, 1_000_000);
    let mut ids = HashSet::with_capacity(count);
    let mut secrets = HashSet::with_capacity(count);
    let mut places = vec![[0_u32; 128]; ID_LENGTH + SECRET_LENGTH];
    for _ in 0..count {
        let (id, secret) = (random::id::<KeyId>().unwrap(), random::key_secret().unwrap());
        let text = assemble_key(&id, &secret);
        assert_eq!(parse_key(&text).unwrap(), id.as_str());
        for (place, byte) in places.iter_mut().zip(id.as_str().bytes().chain(secret.bytes())) {
            place[usize::from(byte)] += 1;
        }
        assert!(ids.insert(id) && secrets.insert(secret.as_str().to_owned()), "a second one of {text}");
    }
    let expected = count as f64 / 62.0;
    for (place, counts) in places.iter().enumerate() {
        let chi: f64 =
            BASE62.iter().map(|&byte| (f64::from(counts[usize::from(byte)]) - expected).powi(2) / expected).sum();
        assert!(chi < UNFAIR, "place {place}: chi-square {chi}");
        assert_eq!(counts.iter().map(|&number| number as usize).sum::<usize>(), count, "nothing but base62");
    }
    // Any letter that is changed is noticed before anybody looks for the key.
    let text = assemble_key(&random::id().unwrap(), &random::key_secret().unwrap());
    for at in 0..text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[at] = if bytes[at] == b'x' { b'y' } else { b'x' };
        assert!(parse_key(&String::from_utf8(bytes).unwrap()).is_err(), "place {at}");
    }
}
