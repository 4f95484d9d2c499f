//! TLS of the gateway's own port, with a real client. The pair is the one of the gateway's tests: for `localhost`, signed by
//! itself, valid for a century.

use std::fs;

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::{Certificate, Client, redirect::Policy};
use rustix::process::Signal;

use crate::harness::{DEADLINE, Home, home_with_key, http, until};

const CERTIFICATE: &[u8] = include_bytes!("../../../crates/gateway/src/backend/tests/tls/localhost.cert.der");
const KEY: &[u8] = include_bytes!("../../../crates/gateway/src/backend/tests/tls/localhost.key.der");

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

fn with_pair(home: Home) -> Home {
    fs::write(home.path().join("cert.pem"), pem("CERTIFICATE", CERTIFICATE)).unwrap();
    fs::write(home.path().join("key.pem"), pem("PRIVATE KEY", KEY)).unwrap();
    home.with("TLS_CERT", "cert.pem").with("TLS_KEY", "key.pem")
}

/// Trusts the pair of these tests alone. A new one for every look, so that each does its own handshake.
fn https() -> Client {
    let certificate = Certificate::from_der(CERTIFICATE).unwrap();
    Client::builder()
        .no_proxy()
        .tls_certs_only([certificate])
        .redirect(Policy::none())
        .timeout(DEADLINE)
        .build()
        .unwrap()
}

#[tokio::test]
async fn the_port_speaks_tls_and_tells_those_who_do_not() {
    let (home, key) = home_with_key();
    let home = with_pair(home);
    let server = home.start();
    let url = |path: &str| format!("https://localhost:{}{path}", server.address.port());
    let tags = https().get(url("/api/tags")).bearer_auth(&key).send().await.unwrap();
    assert_eq!(tags.status(), 200);
    assert_eq!(https().get(url("/admin/login")).send().await.unwrap().status(), 200);
    // In plain text: a program is refused, a browser is led over, health checks are answered.
    let plain = http().get(server.url("/api/tags")).bearer_auth(&key).send().await.unwrap();
    assert_eq!(plain.status(), 400);
    assert!(plain.text().await.unwrap().contains("https://"));
    let page = http().get(server.url("/admin/login?x=1")).send().await.unwrap();
    assert_eq!(page.status(), 307);
    assert_eq!(page.headers()["location"].to_str().unwrap(), format!("https://{}/admin/login?x=1", server.address));
    assert_eq!(http().post(server.url("/admin/fn/session/login")).send().await.unwrap().status(), 400);
    assert_eq!(http().get(server.url("/readyz")).send().await.unwrap().status(), 200);
    server.stop();
}

#[tokio::test]
async fn a_pair_that_cannot_be_taken_leaves_the_one_before_it() {
    let home = with_pair(Home::new());
    let server = home.start();
    let url = format!("https://localhost:{}/livez", server.address.port());
    fs::write(home.path().join("key.pem"), "nonsense").unwrap();
    server.signal(Signal::HUP);
    until("the fault is told", || server.log().contains("could not be read again").then_some(()));
    assert_eq!(https().get(&url).send().await.unwrap().status(), 200);
    fs::write(home.path().join("key.pem"), pem("PRIVATE KEY", KEY)).unwrap();
    server.signal(Signal::HUP);
    until("the pair is taken again", || server.log().contains("read again and is in force").then_some(()));
    assert_eq!(https().get(&url).send().await.unwrap().status(), 200);
    server.stop();
}

#[test]
fn halves_that_do_not_fit_are_refused_at_the_start() {
    let home = with_pair(Home::new());
    fs::write(home.path().join("key.pem"), pem("CERTIFICATE", CERTIFICATE)).unwrap();
    for verb in ["check", "serve"] {
        let outcome = home.run(&[verb]);
        assert_eq!(outcome.code, Some(64), "{outcome:?}");
        assert!(outcome.stderr.contains("TLS_KEY: "), "{outcome:?}");
    }
    let half = Home::new().with("TLS_CERT", "cert.pem").run(&["check"]);
    assert!(half.code == Some(64) && half.stderr.contains("TLS_KEY: is missing"), "{half:?}");
}
