//! TLS of the gateway's own port, with a real client. The pair is the one of the gateway's tests: for `localhost`, signed by
//! itself, valid for a century.

use std::fs;

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::{Certificate, Client, redirect::Policy};
use rustix::process::Signal;

use crate::{
    admin::{Admin, home_with_admin},
    harness::{DEADLINE, Home, Server, home_with_key, http, until},
};

pub const CERTIFICATE: &[u8] = include_bytes!("../../../crates/gateway/src/backend/tests/tls/localhost.cert.der");
const KEY: &[u8] = include_bytes!("../../../crates/gateway/src/backend/tests/tls/localhost.key.der");

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

pub fn with_pair(home: Home) -> Home {
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

/// What an answer tells browsers about plain HTTP.
fn hsts(answer: &reqwest::Response) -> Option<&str> {
    answer.headers().get("strict-transport-security").map(|value| value.to_str().unwrap())
}

#[tokio::test]
async fn browsers_are_told_to_keep_to_tls_only_over_tls_and_only_if_it_is_wished() {
    let home = with_pair(home_with_admin());
    let key = {
        home.ok(&["user", "add", "ada"]);
        home.ok(&["key", "create", "--user", "ada", "--name", "laptop"])
    };
    let server = home.start();
    let paths = ["/api/tags", "/api/nothing", "/admin/login", "/admin", "/pkg/favicon.svg", "/livez", "/nothing"];
    let ask = async |server: &Server, path: &str| {
        let url = format!("https://localhost:{}{path}", server.address.port());
        https().get(url).bearer_auth(&key).send().await.unwrap()
    };
    for path in paths {
        assert_eq!(hsts(&ask(&server, path).await), None, "{path}: off unless wished");
    }
    server.stop();

    let home = home.with("HSTS_DAYS", "2");
    let server = home.start();
    for path in paths {
        assert_eq!(hsts(&ask(&server, path).await), Some("max-age=172800"), "{path}");
        let plain = http().get(server.url(path)).bearer_auth(&key).send().await.unwrap();
        assert_eq!(hsts(&plain), None, "{path} in plain text");
    }
    server.stop();
}

#[tokio::test]
async fn how_long_browsers_keep_to_tls_is_a_setting_that_counts_at_once_and_can_be_taken_back() {
    let home = home_with_admin().with("TRUSTED_PROXIES", "127.0.0.1");
    let server = home.start();
    let admin = Admin::sign_in(&server).await;
    let told = async |proto: &str| {
        let answer = http().get(server.url("/admin/login")).header("x-forwarded-proto", proto).send().await.unwrap();
        hsts(&answer).map(str::to_owned)
    };
    assert_eq!(told("https").await, None);
    for (typed, expected) in [("365", Some("max-age=31536000")), ("0", Some("max-age=0")), ("", None)] {
        admin.call(&server, "network/save", &[("hsts_days", typed)]).await;
        assert_eq!(told("https").await.as_deref(), expected, "{typed:?} behind a proxy that ends TLS");
        assert_eq!(told("http").await, None);
    }
    for bad in ["-1", "731", "1.5", "always"] {
        let answer = admin.post(&server, "network/save", &[("hsts_days", bad), ("denied_ips", "10.0.0.0/8")]);
        let answer = answer.send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_client_error() && text.contains("hsts_days") && text.contains("from 0 to 730"), "{text}");
    }
    let network = admin.get(&server, "/admin/fn/network/get").send().await.unwrap().text().await.unwrap();
    assert!(!network.contains("10.0.0.0"), "nothing half-saved: {network}");
    server.stop();
    let wrong = home.with("HSTS_DAYS", "forever").run(&["check"]);
    assert!(wrong.code == Some(64) && wrong.stderr.contains("HSTS_DAYS: must be a whole number"), "{wrong:?}");
}
