//! T12: verifying takes the same time whatever is wrong with a well-formed key. Samples of all kinds are taken in turns, so
//! that a busy machine disturbs them alike, and compared by Welch's t-test. Many samples show nanoseconds that are not
//! the code's. So the turns have a new order every round: behind a malformed key, which is told early, others are faster.
//! And the key that is sent is the same, from the same place in memory: what is known of it is what differs.

use std::{hint::black_box, mem::swap, time::Instant};

use domain::{
    id::KeyId,
    key::{KeyStatus, SECRET_LENGTH, assemble_key},
};
use testkit::timing::{SUSPICIOUS, Turns, welch};

use super::{tests::snapshot, verify};
use crate::snapshot::KeyEntry;

type Change = fn(&mut KeyEntry);

/// What is wrong with the key, as the one entry of the table says it.
const KINDS: [Change; 5] = [
    |key| key.id = KeyId::new("unknownkeyid").unwrap(),
    |key| key.hash.as_mut().unwrap()[0] ^= 1,
    |key| key.hash.as_mut().unwrap()[31] ^= 1,
    |key| (key.status, key.hash) = (KeyStatus::Revoked, None),
    |key| key.status = KeyStatus::Disabled,
];

/// The largest t of any well-formed kind against the first, and that of a malformed key, which is told early on purpose:
/// whoever sends one knows what is wrong with it.
fn measure() -> (f64, f64) {
    let mut asked = snapshot(|_| ());
    let key = assemble_key(asked.keys.keys().next().unwrap(), &"x".repeat(SECRET_LENGTH));
    assert!(verify(&asked, key.as_bytes(), 1_000).is_some());
    let mut tables = KINDS.map(|change| snapshot(change).keys);
    let mut sent = key.clone().into_bytes();
    let mut times = [const { Vec::new() }; KINDS.len() + 1];
    let mut turns = Turns::<{ KINDS.len() + 1 }>::default();
    for _ in 0..testkit::rounds(10_000, 30_000) {
        for kind in turns.shuffled() {
            sent[0] = if kind == KINDS.len() { b'O' } else { b'o' };
            tables.get_mut(kind).into_iter().for_each(|table| swap(table, &mut asked.keys));
            let started = Instant::now();
            let found = verify(black_box(&asked), black_box(&sent), 1_000);
            times[kind].push(started.elapsed().as_nanos() as f64);
            tables.get_mut(kind).into_iter().for_each(|table| swap(table, &mut asked.keys));
            assert!(found.is_none());
        }
    }
    let [first, others @ .., malformed] = &mut times;
    let largest = others.iter_mut().map(|other| welch(first, other).abs()).fold(0.0, f64::max);
    (largest, welch(first, malformed).abs())
}

#[test]
fn what_is_wrong_with_a_key_cannot_be_told_by_the_time_it_takes() {
    // A leak shows every time; a busy machine does not. That a real difference shows is part of the test.
    let mut tries = Vec::new();
    while tries.len() < 5 {
        let (well_formed, malformed) = measure();
        tries.push((well_formed, malformed));
        if well_formed < SUSPICIOUS && malformed > SUSPICIOUS {
            return;
        }
    }
    panic!("{tries:?}");
}
