//! T12: verifying takes the same time whatever is wrong with a well-formed key. Samples of all kinds are taken in turns, so
//! that a busy machine disturbs them alike, and compared by Welch's t-test. Many samples show nanoseconds that are not
//! the code's. So the turns have a new order every round: behind a malformed key, which is told early, others are faster.
//! And the key that is sent is the same, from the same place in memory: what is known of it is what differs. Where that
//! lies costs nanoseconds too, so the places change hands now and then.

use std::{hint::black_box, mem::swap, time::Instant};

use domain::{
    id::KeyId,
    key::{KeyStatus, SECRET_LENGTH, assemble_key},
};
use testkit::timing::{Apart, SUSPICIOUS, Turns, welch};

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

/// Rounds between two new sets of tables.
const MOVE: usize = 256;

/// The part of the time that a difference must be to count. Unoptimised code shows up to a thousandth, ten or so of 17,000
/// nanoseconds, in processes whose memory happened to lie so; a dummy record in place of an unknown key shows 40.
const SMALLEST: f64 = 0.0015;

/// How far each well-formed kind is from the first, and a malformed key, which is told early on purpose: whoever sends one
/// knows what is wrong with it.
fn measure() -> (Vec<Apart>, Apart) {
    let mut asked = snapshot(|_| ());
    let key = assemble_key(asked.keys.keys().next().unwrap(), &"x".repeat(SECRET_LENGTH));
    assert!(verify(&asked, key.as_bytes(), 1_000).is_some());
    let mut tables = KINDS.map(|_| None);
    let mut sent = key.clone().into_bytes();
    let mut times = [const { Vec::new() }; KINDS.len() + 1];
    let mut turns = Turns::<{ KINDS.len() + 1 }>::default();
    for round in 0..testkit::rounds(10_000, 30_000) {
        if round % MOVE == 0 {
            // What was freed is taken again, by another kind as a rule.
            tables.fill_with(|| None);
            for kind in turns.shuffled() {
                tables.get_mut(kind).into_iter().for_each(|table| *table = Some(snapshot(KINDS[kind]).keys));
            }
        }
        for kind in turns.shuffled() {
            sent[0] = if kind == KINDS.len() { b'O' } else { b'o' };
            let mut table = tables.get_mut(kind).and_then(Option::as_mut);
            table.iter_mut().for_each(|table| swap(*table, &mut asked.keys));
            let started = Instant::now();
            let found = verify(black_box(&asked), black_box(&sent), 1_000);
            times[kind].push(started.elapsed().as_nanos() as f64);
            table.into_iter().for_each(|table| swap(table, &mut asked.keys));
            assert!(found.is_none());
        }
    }
    let [first, others @ .., malformed] = &mut times;
    (others.iter_mut().map(|other| welch(other, first)).collect(), welch(malformed, first))
}

/// A difference that is neither chance nor too small to matter.
fn shows(apart: &Apart) -> bool {
    apart.t.abs() > SUSPICIOUS && apart.part.abs() > SMALLEST
}

#[test]
fn what_is_wrong_with_a_key_cannot_be_told_by_the_time_it_takes() {
    // A leak shows every time; a busy machine does not. That a real difference shows is part of the test.
    let mut tries = Vec::new();
    while tries.len() < 5 {
        let (well_formed, malformed) = measure();
        if !well_formed.iter().any(shows) && shows(&malformed) {
            return;
        }
        tries.push((well_formed, malformed));
    }
    panic!("{tries:?}");
}
