//! The counting alone, with the time as an argument.

use super::*;

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn stranger(account: &str, from: &str) -> Guesser {
    Guesser::Stranger { account: account.into(), address: address(from) }
}

fn fail(attempts: &Attempts, account: &str, from: &str, now: Instant) -> bool {
    attempts.reserve(&stranger(account, from), now).is_some()
}

#[test]
fn five_failures_lock_the_account_from_every_new_address() {
    let (attempts, now) = (Attempts::default(), Instant::now());
    for host in 1..=5 {
        assert!(fail(&attempts, "Ada", &format!("10.0.0.{host}"), now));
    }
    assert!(!fail(&attempts, " ada ", "10.0.0.9", now), "case and blanks make no other account");
    assert!(fail(&attempts, "bob", "10.0.0.9", now));
}

#[test]
fn five_failures_lock_the_address_for_every_account() {
    let (attempts, now) = (Attempts::default(), Instant::now());
    for account in 0..5 {
        assert!(fail(&attempts, &account.to_string(), "2001:db8:1:2::1", now));
    }
    assert!(!fail(&attempts, "x", "2001:db8:1:2:ffff::9", now), "the same /64");
    assert!(fail(&attempts, "x", "2001:db8:1:3::1", now));
}

#[test]
fn an_ipv4_address_written_as_ipv6_is_the_same() {
    let (attempts, now) = (Attempts::default(), Instant::now());
    for account in 0..5 {
        assert!(fail(&attempts, &account.to_string(), "::ffff:10.0.0.1", now));
    }
    assert!(!fail(&attempts, "x", "10.0.0.1", now));
}

#[test]
fn the_lock_ends_after_five_minutes() {
    let (attempts, now) = (Attempts::default(), Instant::now());
    for _ in 0..5 {
        assert!(fail(&attempts, "ada", "10.0.0.1", now));
    }
    assert!(!fail(&attempts, "ada", "10.0.0.1", now + WINDOW - Duration::from_millis(1)));
    assert!(fail(&attempts, "ada", "10.0.0.1", now + WINDOW));
}

#[test]
fn a_refused_try_does_not_lengthen_the_lock() {
    let (attempts, now) = (Attempts::default(), Instant::now());
    for second in 0..600 {
        fail(&attempts, "ada", "10.0.0.1", now + Duration::from_secs(second));
    }
    assert!(fail(&attempts, "ada", "10.0.0.1", now + Duration::from_secs(600)));
}

#[test]
fn success_clears_and_a_released_try_does_not_count() {
    let (attempts, now) = (Attempts::default(), Instant::now());
    for _ in 0..4 {
        assert!(fail(&attempts, "ada", "10.0.0.1", now));
    }
    for _ in 0..20 {
        let busy = attempts.reserve(&stranger("ada", "10.0.0.1"), now).unwrap();
        attempts.release(busy);
    }
    let right = attempts.reserve(&stranger("ada", "10.0.0.1"), now).unwrap();
    attempts.succeeded(right);
    for _ in 0..5 {
        assert!(fail(&attempts, "ada", "10.0.0.1", now));
    }
    assert!(!fail(&attempts, "ada", "10.0.0.1", now));
}

#[test]
fn an_attack_from_elsewhere_does_not_lock_out_an_address_that_signed_in_before() {
    let (attempts, now) = (Attempts::default(), Instant::now());
    let right = attempts.reserve(&stranger("ada", "10.0.0.1"), now).unwrap();
    attempts.succeeded(right);
    for host in 1..=5 {
        assert!(fail(&attempts, "ada", &format!("10.9.0.{host}"), now));
    }
    assert!(!fail(&attempts, "ada", "10.9.0.9", now));
    assert!(fail(&attempts, "ada", "10.0.0.1", now));
}

#[test]
fn memory_is_bounded_and_a_flood_of_addresses_unlocks_nobody() {
    let (attempts, now) = (Attempts::default(), Instant::now());
    for _ in 0..5 {
        assert!(fail(&attempts, "ada", "10.0.0.1", now));
    }
    for host in 0..6_000u32 {
        let from = IpAddr::from((0x0b00_0000 + host).to_be_bytes());
        attempts.reserve(&Guesser::Stranger { account: host.to_string(), address: from }, now);
    }
    assert!(lock(&attempts.inner).failures.len() <= CAPACITY);
    assert!(!fail(&attempts, "ada", "10.9.9.9", now));
    attempts.prune(now + WINDOW);
    assert!(lock(&attempts.inner).failures.is_empty());
}

#[test]
fn everybody_together_has_a_hundred_tries_and_somebody_who_succeeds_does_not_clear_them() {
    let (attempts, now) = (Attempts::default(), Instant::now());
    let tries = (0..200).filter(|host| fail(&attempts, &format!("account {host}"), &format!("10.1.{host}.1"), now));
    assert_eq!(tries.count(), IN_ALL);
    assert!(!fail(&attempts, "ada", "10.9.9.9", now));
    assert!(fail(&attempts, "ada", "10.9.9.9", now + WINDOW));
    let own = attempts.reserve(&stranger("bob", "10.8.8.8"), now + WINDOW).unwrap();
    attempts.succeeded(own);
    let left = (0..200).filter(|host| fail(&attempts, &format!("a {host}"), &format!("10.2.{host}.1"), now + WINDOW));
    assert_eq!(left.count(), IN_ALL - 1, "the try that succeeded is taken back, the one of ada stays");
}

#[test]
fn a_known_device_and_a_session_have_five_tries_of_their_own_whatever_others_do() {
    let (attempts, now) = (Attempts::default(), Instant::now());
    for host in 0..200 {
        fail(&attempts, "ada", &format!("10.1.{host}.1"), now);
    }
    assert!(!fail(&attempts, "ada", "10.9.9.9", now));
    for known in [Guesser::Device([1; 16]), Guesser::Device([2; 16]), Guesser::SignedIn("ada".into())] {
        for _ in 0..FAILURES {
            assert!(attempts.reserve(&known, now).is_some(), "{known:?}");
        }
        assert!(attempts.reserve(&known, now).is_none(), "{known:?}");
        assert!(attempts.reserve(&known, now + WINDOW).is_some(), "{known:?}");
    }
}

#[test]
fn what_redis_closed_is_closed_for_its_time_and_no_longer() {
    let (attempts, now) = (Attempts::default(), Instant::now());
    let ms = Duration::from_millis;
    let closed = |account: &str, at: Instant| {
        let reservation = attempts.reserve(&stranger(account, "10.0.0.1"), at).unwrap();
        let closed = attempts.was_closed(&reservation, at);
        attempts.release(reservation);
        closed
    };
    let told = |account: &str, full_for: &[i64]| {
        let reservation = attempts.reserve(&stranger(account, "10.0.0.1"), now).unwrap();
        attempts.hear(&reservation, full_for, now);
        attempts.release(reservation);
    };
    told("ada", &[2_000, 0, 0]);
    assert!(closed("ada", now) && closed("Ada", now + ms(1_999)));
    assert!(!closed("ada", now + ms(2_000)) && !closed("bob", now));
    told("ada", &[0, 0, 0]);
    assert!(!closed("ada", now), "Redis has the last word");
    told("ada", &[i64::MAX, i64::MIN]);
    assert!(closed("ada", now + WINDOW - ms(1)) && !closed("ada", now + WINDOW), "whatever Redis says");
    attempts.forget("ada");
    assert!(!closed("ada", now));
    told("ada", &[2_000, 0, 0]);
    let right = attempts.reserve(&stranger("ada", "10.0.0.1"), now).unwrap();
    attempts.succeeded(right);
    assert!(!closed("ada", now));
}

#[test]
fn what_redis_closed_takes_no_more_memory_than_its_bound() {
    let (attempts, now) = (Attempts::default(), Instant::now());
    for number in 0..CAPACITY + 10 {
        let until = now + Duration::from_millis(number as u64 + 1);
        lock(&attempts.inner).hear_of(counter(&[&number.to_be_bytes()]), now, until);
    }
    let inner = lock(&attempts.inner);
    assert_eq!(inner.closed.len(), CAPACITY);
    assert!(inner.closed.contains_key(&counter(&[&(CAPACITY + 9).to_be_bytes()])), "those that end first go first");
}
