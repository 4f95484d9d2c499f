//! Pairs: what fits, what does not, and what stays in force.

use super::*;
use crate::tests::bench;

const DAY: u64 = 24 * 3600 * 1_000;

fn now() -> u64 {
    Now::read().wall
}

fn made(names: &str, at: u64) -> PemPair {
    pair::make(names, at).unwrap_or_else(|fault| panic!("{fault:?}"))
}

fn fault(certificate: &str, key: &str) -> Option<String> {
    let read = Pair::read(certificate.as_bytes(), key.as_bytes()).and_then(|pair| pair.check_time(now()));
    read.err().map(|fault| fault.field)
}

#[test]
fn a_made_pair_fits_and_says_what_it_is_for() {
    let pem = made("nas.lan, 10.0.0.7 [fd00::7]", now());
    let pair = Pair::read(pem.certificate.as_bytes(), pem.key.as_bytes()).ok().unwrap();
    assert!(pair.check_time(now()).is_ok());
    assert_eq!(pair.view.names, ["nas.lan", "10.0.0.7", "fd00::7"]);
    assert!(
        pair.view.self_signed && pair.view.not_after > now() + 800 * DAY && pair.view.not_after < now() + 825 * DAY
    );
    assert_eq!(pair.view.fingerprint.len(), 32 * 3 - 1);
    for bad in ["", " , ", "a b_c", "x/y", "-a", "http://nas.lan", "*.lan"] {
        assert_eq!(pair::make(bad, now()).err().unwrap().field, "names", "{bad}");
    }
}

#[test]
fn pairs_that_do_not_fit_or_do_not_hold_are_refused_by_the_half_at_fault() {
    let (one, two) = (made("a.lan", now()), made("b.lan", now()));
    assert_eq!(fault(&one.certificate, &one.key), None);
    assert_eq!(fault(&one.certificate, &two.key).as_deref(), Some("private_key"));
    assert_eq!(fault(&one.certificate, &one.certificate).as_deref(), Some("private_key"));
    assert_eq!(fault(&one.key, &one.key).as_deref(), Some("certificate"));
    assert_eq!(fault("", &one.key).as_deref(), Some("certificate"));
    let nonsense = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert_eq!(fault(nonsense, &one.key).as_deref(), Some("certificate"));
    let old = made("a.lan", now() - 1_000 * DAY);
    assert_eq!(fault(&old.certificate, &old.key).as_deref(), Some("certificate"));
    let early = made("a.lan", now() + 10 * DAY);
    assert_eq!(fault(&early.certificate, &early.key).as_deref(), Some("certificate"));
    // A chain: the first certificate is the one the key belongs to.
    assert_eq!(fault(&format!("{}{}", one.certificate, two.certificate), &one.key), None);
    assert_eq!(fault(&format!("{}{}", two.certificate, one.certificate), &one.key).as_deref(), Some("private_key"));
}

#[tokio::test]
async fn a_saved_pair_wins_over_files_and_a_bad_one_changes_nothing() {
    let bench = bench().await;
    let (control, actor) = (&bench.control, bench.admin().await);
    let fingerprint = || control.tls(&actor, "nas.lan:8080").in_force.map(|(source, view)| (source, view.fingerprint));
    assert!(control.tls_key().is_none() && fingerprint().is_none());
    let files = made("files.lan", now());
    let bytes = |pem: &PemPair| (pem.certificate.clone().into_bytes(), Zeroizing::new(pem.key.as_bytes().to_vec()));
    control.take_tls_files(Ok(bytes(&files))).unwrap();
    let from_files = fingerprint().unwrap();
    assert_eq!(from_files.0, PairSource::Files);
    // A file that cannot be read, or does not fit: the pair before it stays, and the page says so.
    assert!(control.take_tls_files(Err("TLS_KEY: gone".into())).is_err());
    let mixed = (files.certificate.clone().into_bytes(), Zeroizing::new(made("x", now()).key.as_bytes().to_vec()));
    assert!(control.take_tls_files(Ok(mixed)).is_err());
    assert_eq!(fingerprint().as_ref(), Some(&from_files));
    assert!(control.tls(&actor, "").files_fault.unwrap().contains("private_key"));
    let upload = made("saved.lan", now());
    let wrong = SavePair { certificate: upload.certificate.clone(), private_key: files.key.as_str().into() };
    let refused = control.save_pair(&actor, wrong).await.unwrap_err();
    assert!(refused.field("private_key").is_some(), "{refused}");
    let expired = made("old.lan", now() - 1_000 * DAY);
    let expired = SavePair { certificate: expired.certificate, private_key: expired.key.as_str().into() };
    assert!(control.save_pair(&actor, expired).await.unwrap_err().field("certificate").is_some());
    assert_eq!(fingerprint().as_ref(), Some(&from_files));
    let right = SavePair { certificate: upload.certificate, private_key: upload.key.as_str().into() };
    control.save_pair(&actor, right).await.unwrap();
    assert_eq!(fingerprint().unwrap().0, PairSource::Saved);
    let stored = control.state().setting(KEY).unwrap().to_owned();
    assert!(!stored.contains("PRIVATE KEY"));
    control.make_pair(&actor, MakePair { names: "lan".into() }).await.unwrap();
    assert_eq!(control.tls(&actor, "").in_force.unwrap().1.names, ["lan"]);
    control.remove_pair(&actor).await.unwrap();
    assert_eq!(fingerprint(), Some(from_files));
    assert_eq!(control.tls(&actor, "[::1]:8080").suggested_names, "::1, localhost, 127.0.0.1");
}
