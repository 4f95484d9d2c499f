//! T23: neither what a failing sign-in says nor the work it makes tells whether the account exists. Hashes and tries are
//! counted; the time on a processor is compared by Welch's t-test, over the two threads that a sign-in runs on here.

use std::{fs, time::Duration};

use testkit::timing::{SUSPICIOUS, Turns, welch};

use super::*;
use crate::{attempts::Guesser, command::Command};

/// A wrong password, an account that does not exist, one that is disabled with its right password, and, told early on
/// purpose, one that is locked.
const KINDS: [(&str, &str); 4] =
    [("root", "wrong guess"), ("nobody", "wrong guess"), ("gone", PASSWORD), ("locked", PASSWORD)];
const LOCKED: usize = 3;

/// Nanoseconds that the calling thread was on a processor; `None` where the kernel does not count them.
fn on_processor() -> Option<u64> {
    fs::read_to_string("/proc/thread-self/schedstat").ok()?.split(' ').next()?.parse().ok()
}

/// The same of this thread and of the only one that hashes.
async fn spent() -> Option<u64> {
    Some(tokio::task::spawn_blocking(on_processor).await.unwrap()? + on_processor()?)
}

async fn populated() -> Bench {
    let bench = bench().await;
    bench.admin().await;
    for name in ["gone", "locked"] {
        let create = Command::AdminCreate { name: name.into(), password: PASSWORD.into(), role: None };
        bench.control.execute(create).await.unwrap();
    }
    bench.control.execute(Command::AdminSetEnabled { name: "gone".into(), enabled: false }).await.unwrap();
    bench
}

/// No try is remembered but those that lock the one account.
fn lock_anew(bench: &Bench) {
    let attempts = &bench.control.0.attempts;
    attempts.prune(later(Duration::from_secs(3_600)).instant);
    for host in 1..=5 {
        let guesser =
            Guesser::Stranger { account: "locked".into(), address: client(&format!("10.9.9.{host}")).address };
        assert!(attempts.reserve(&guesser, Now::read().instant).is_some());
    }
}

/// One failing sign-in of a kind, from an address of its own: answer, hashes, nanoseconds.
async fn fail(bench: &Bench, kind: usize) -> (AdminError, u64, Option<f64>) {
    let (name, password) = KINDS[kind];
    let client = client(&format!("10.0.0.{kind}"));
    let (hashes, before) = (bench.control.0.hasher.computed(), spent().await);
    let error = bench.control.login(guess(name, password), &client).await.err().unwrap();
    let time = spent().await.zip(before).map(|(after, before)| (after - before) as f64);
    (error, bench.control.0.hasher.computed() - hashes, time)
}

/// The largest t of any hashing kind against the first, and that of the locked account; `None` without a kernel that counts.
async fn measure(bench: &Bench) -> Option<(f64, f64)> {
    let mut times = [const { Vec::new() }; KINDS.len()];
    let mut turns = Turns::<{ KINDS.len() }>::default();
    for _ in 0..testkit::rounds(12, 40) {
        lock_anew(bench);
        for kind in turns.shuffled() {
            let (error, hashes, time) = fail(bench, kind).await;
            assert_eq!((error.status(), hashes), (401, u64::from(kind != LOCKED)), "{:?}", KINDS[kind]);
            times[kind].extend(time);
        }
    }
    if times[0].is_empty() {
        return None;
    }
    let [first, others @ .., locked] = &mut times;
    let largest = others.iter_mut().map(|other| welch(first, other).t.abs()).fold(0.0, f64::max);
    Some((largest, welch(first, locked).t.abs()))
}

#[test]
fn whether_an_account_exists_cannot_be_told_by_the_work_of_a_sign_in() {
    // One thread hashes, so that its time can be asked for.
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().max_blocking_threads(1).thread_keep_alive(Duration::from_secs(3_600));
    runtime.build().unwrap().block_on(async {
        let bench = populated().await;
        // A leak shows every time; a busy machine does not. That a real difference shows is part of the test.
        let mut tries = Vec::new();
        while tries.len() < 5 {
            let (hashing, locked) = measure(&bench).await.expect(
                "this kernel does not count the time of threads (/proc/thread-self/schedstat, CONFIG_SCHED_INFO)",
            );
            tries.push((hashing, locked));
            if hashing < SUSPICIOUS && locked > SUSPICIOUS {
                return;
            }
        }
        panic!("{tries:?}");
    });
}

#[tokio::test]
async fn accounts_that_do_not_exist_or_are_disabled_lock_like_others_and_say_the_same() {
    let bench = populated().await;
    let mut answers = Vec::new();
    for (number, (name, _)) in KINDS.into_iter().enumerate() {
        bench.control.0.attempts.prune(later(Duration::from_secs(3_600)).instant);
        for host in 0..7 {
            let before = bench.control.0.hasher.computed();
            let client = client(&format!("10.1.{number}.{host}"));
            answers.push(bench.control.login(guess(name, "wrong guess"), &client).await.err().unwrap());
            assert_eq!(bench.control.0.hasher.computed() - before, u64::from(host < 5), "{name} {host}");
        }
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
}
