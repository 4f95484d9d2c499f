//! T12: verifying takes the same time whatever is wrong with a well-formed key. Samples of all kinds are taken in turns, so
//! that a busy machine disturbs them alike, and compared by Welch's t-test.

use std::{hint::black_box, time::Instant};

use domain::{
    id::KeyId,
    key::{KeyStatus, SECRET_LENGTH, assemble_key},
};

use super::{tests::snapshot, verify};
use crate::snapshot::KeyEntry;

const ROUNDS: usize = 10_000;
fn rounds() -> usize { std::env::var("T12_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(ROUNDS) }
/// The usual threshold of leakage tests.
const SUSPICIOUS: f64 = 4.5;

fn key(id: &str, secret: &str) -> String {
    assemble_key(&KeyId::new(id).unwrap(), secret)
}

/// Welch's t of two samples without their slowest tenths: those are the machine's, not ours.
fn welch(one: &mut [f64], two: &mut [f64]) -> f64 {
    let moments = |sample: &mut [f64]| {
        sample.sort_by(f64::total_cmp);
        let kept = &sample[..sample.len() * 9 / 10];
        let count = kept.len() as f64;
        let mean = kept.iter().sum::<f64>() / count;
        let variance = kept.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0);
        (mean, variance / count)
    };
    let ((mean, error), (other_mean, other_error)) = (moments(one), moments(two));
    (mean - other_mean) / (error + other_error).sqrt()
}

/// The largest t of any well-formed kind against the first, and that of a malformed key, which is told early on purpose:
/// whoever sends one knows what is wrong with it.
fn measure() -> (f64, f64) {
    let known = "x".repeat(SECRET_LENGTH);
    let mut snapshot = snapshot(|_| ());
    let id = snapshot.keys.keys().next().unwrap().clone();
    let revoked_id = KeyId::new("revokedkeyid").unwrap();
    let revoke = |key: &mut KeyEntry| (key.id, key.status, key.hash) = (revoked_id.clone(), KeyStatus::Revoked, None);
    snapshot.keys.extend(super::tests::snapshot(revoke).keys);
    let kinds = [
        key("unknownkeyid", &known),
        key(id.as_str(), &format!("y{}", &known[1..])),
        key(id.as_str(), &format!("{}y", &known[1..])),
        key(revoked_id.as_str(), &known),
        key(id.as_str(), &known).replace("op_", "OP_"),
    ];
    let mut times = [const { Vec::new() }; 5];
    for round in 0..rounds() {
        for turn in 0..kinds.len() {
            let kind = (round + turn) % kinds.len();
            let started = Instant::now();
            let found = verify(black_box(&snapshot), black_box(kinds[kind].as_bytes()), 1_000);
            times[kind].push(started.elapsed().as_nanos() as f64);
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
        tries.push((well_formed, malformed)); eprintln!("{tries:?}");
        if well_formed < SUSPICIOUS && malformed > SUSPICIOUS {
            return;
        }
    }
    panic!("{tries:?}");
}
