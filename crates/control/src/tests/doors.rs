//! Who is still let in while somebody guesses: known devices, and the bound over everybody.

use domain::admin::ChangePassword;
use futures_util::future::join_all;

use super::*;

async fn try_in(bench: &Bench, password: &str, from: &str, device: Option<&str>) -> Option<NewSession> {
    match bench.control.sign_in(guess("root", password), &client(from), device).await {
        Ok(SignedIn::In(session)) => Some(session),
        _ => None,
    }
}

#[tokio::test]
async fn guesses_from_everywhere_lock_strangers_out_and_never_a_known_device() {
    let bench = bench().await;
    bench.admin().await;
    let device = try_in(&bench, PASSWORD, "10.0.0.1", None).await.unwrap().device;
    for host in 1..=5 {
        assert!(try_in(&bench, "guess", &format!("10.9.0.{host}"), None).await.is_none());
    }
    assert!(try_in(&bench, PASSWORD, "10.9.9.9", None).await.is_none());
    // From another address, and from the one the guesses came from.
    for from in ["192.0.2.77", "10.9.0.1"] {
        assert!(try_in(&bench, PASSWORD, from, Some(&device)).await.is_some(), "{from}");
    }
    assert!(try_in(&bench, PASSWORD, "10.9.9.9", Some("made up")).await.is_none());
}

#[tokio::test]
async fn a_known_device_has_five_tries_too_however_many_at_once() {
    let bench = bench().await;
    let device = bench.new_admin().await.device;
    let before = bench.control.0.hasher.computed();
    let tries = (0..200).map(|number| {
        let (from, device, bench) = (format!("10.{number}.0.1"), device.clone(), &bench);
        async move { try_in(bench, "guess", &from, Some(&device)).await.is_none() }
    });
    assert!(join_all(tries).await.into_iter().all(|refused| refused));
    assert!(bench.control.0.hasher.computed() - before <= 5);
    assert!(try_in(&bench, PASSWORD, "10.0.0.1", Some(&device)).await.is_none(), "its own count is full");
    assert!(try_in(&bench, PASSWORD, "10.0.0.1", None).await.is_some(), "which is nobody else's");
}

#[tokio::test]
async fn a_changed_password_makes_devices_strangers_but_the_one_that_changed_it() {
    let bench = bench().await;
    let session = bench.new_admin().await;
    let change = ChangePassword { current: PASSWORD.into(), password: "another fine phrase".into() };
    let fresh = bench.control.change_password(&session.actor, change).await.unwrap();
    for host in 1..=5 {
        assert!(try_in(&bench, "guess", &format!("10.9.0.{host}"), None).await.is_none());
    }
    assert!(try_in(&bench, "another fine phrase", "10.0.0.1", Some(&session.device)).await.is_none());
    assert!(try_in(&bench, "another fine phrase", "10.0.0.1", Some(&fresh)).await.is_some());
}

#[tokio::test]
async fn everybody_together_may_guess_a_hundred_times_whatever_they_guess_at() {
    let bench = bench().await;
    let device = bench.new_admin().await.device;
    for number in 0..100 {
        let input = guess(&format!("account {number}"), "guess");
        let from = client(&format!("10.1.{number}.1"));
        // Reserved as a login reserves it; a hundred hashes would take a minute.
        let guesser = crate::attempts::Guesser::Stranger { account: input.name, address: from.address };
        assert!(bench.control.reserve_try(&guesser).await.is_some(), "{number}");
    }
    assert!(try_in(&bench, PASSWORD, "192.0.2.1", None).await.is_none());
    assert!(try_in(&bench, PASSWORD, "192.0.2.1", Some(&device)).await.is_some());
}
