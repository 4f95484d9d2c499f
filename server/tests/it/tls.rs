//! TLS of the gateway's own port, with a real client. The pair is the one of the gateway's tests: for `localhost`, signed by
//! itself, valid for a century.

use std::fs;

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::{Certificate, Client, header, redirect::Policy};
use rustix::process::Signal;
use testkit::certificates::{Authority, Pair};

use crate::{
    admin::{Admin, NAME, PASSWORD, form, home_with_admin},
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

/// Trusts the pair of these tests alone.
fn https() -> Client {
    trusting(Certificate::from_der(CERTIFICATE).unwrap())
}

/// A new one for every look, so that each does its own handshake.
fn trusting(certificate: Certificate) -> Client {
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

/// Whether the pair on the wire is one of this authority.
async fn is_served(server: &Server, authority: &Authority) -> bool {
    let client = trusting(Certificate::from_pem(authority.pem().as_bytes()).unwrap());
    let answer = client.get(format!("https://localhost:{}/livez", server.address.port())).send().await;
    answer.is_ok_and(|answer| answer.status() == 200)
}

async fn until_served(server: &Server, authority: &Authority) {
    let deadline = std::time::Instant::now() + DEADLINE;
    while !is_served(server, authority).await {
        assert!(std::time::Instant::now() < deadline, "never on the wire; log: {}", server.log());
        tokio::task::yield_now().await;
    }
}

/// T36: without a restart, by the signal and by the change of the files alone.
#[tokio::test]
async fn a_new_pair_is_on_the_wire_after_a_signal_and_after_a_change_of_the_files_alone() {
    let home = Home::new().with("TLS_CERT", "cert.pem").with("TLS_KEY", "key.pem");
    let authorities = [(), (), ()].map(|()| Authority::default());
    let [first, second, third] = &authorities;
    first.pair(&["localhost"]).write(home.path());
    let server = home.start();
    assert!(is_served(&server, first).await && !is_served(&server, second).await);
    second.pair(&["localhost"]).write(home.path());
    server.signal(Signal::HUP);
    until_served(&server, second).await;
    assert!(!is_served(&server, first).await);
    third.pair(&["localhost"]).write(home.path());
    until_served(&server, third).await;
    // Halves of two pairs are none.
    std::fs::write(home.path().join("key.pem"), first.pair(&["localhost"]).key).unwrap();
    let told = server.log().matches("could not be read again").count();
    until("the fault is told", || (server.log().matches("could not be read again").count() > told).then_some(()));
    assert!(is_served(&server, third).await);
    server.stop();
}

/// An administrator who signed in over TLS, with all cookies of that.
struct Secure {
    client: Client,
    base: String,
    cookies: String,
}

impl Secure {
    async fn post(&self, function: &str, fields: &[(&str, &str)]) -> reqwest::Response {
        let request = self.client.post(format!("{}/admin/fn/{function}", self.base)).header("origin", &self.base);
        let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        request.header(header::COOKIE, &self.cookies).body(form(fields)).send().await.unwrap()
    }

    async fn sign_in(server: &Server, authority: &Authority) -> (Self, Vec<String>) {
        let client = trusting(Certificate::from_pem(authority.pem().as_bytes()).unwrap());
        let base = format!("https://localhost:{}", server.address.port());
        let mut secure = Self { client, base, cookies: String::new() };
        let answer = secure.post("session/login", &[("name", NAME), ("password", PASSWORD)]).await;
        assert_eq!(answer.status(), 200);
        let lines = answer.headers().get_all(header::SET_COOKIE).iter();
        let lines: Vec<String> = lines.map(|line| line.to_str().unwrap().to_owned()).collect();
        let pairs = lines.iter().map(|line| line.split(';').next().unwrap());
        secure.cookies = pairs.collect::<Vec<_>>().join("; ");
        (secure, lines)
    }

    async fn page(&self) -> u16 {
        let request = self.client.get(format!("{}/admin/users", self.base)).header(header::COOKIE, &self.cookies);
        request.send().await.unwrap().status().as_u16()
    }
}

fn fields(pair: &Pair) -> [(&'static str, &str); 2] {
    [("certificate", &pair.certificate), ("private_key", &pair.key)]
}

/// T36, T22: the whole way from plain HTTP to cookies that only TLS carries.
#[tokio::test]
async fn an_uploaded_pair_is_on_the_wire_at_once_and_sessions_over_it_are_for_tls_alone() {
    let home = home_with_admin();
    let server = home.start();
    let (first, second) = (Authority::default(), Authority::default());
    let plain = Admin::sign_in(&server).await;
    assert!(!is_served(&server, &first).await);
    plain.call(&server, "network/tls-save", &fields(&first.pair(&["localhost"]))).await;
    assert!(is_served(&server, &first).await);
    let page = http().get(server.url("/admin/login")).send().await.unwrap();
    assert_eq!(page.status(), 307, "plain HTTP is led over");

    let (admin, cookies) = Secure::sign_in(&server, &first).await;
    assert_eq!(admin.page().await, 200);
    for name in ["__Host-op_session", "__Host-op_device"] {
        let line = cookies.iter().find(|line| line.starts_with(&format!("{name}="))).unwrap();
        for part in ["; HttpOnly", "; SameSite=Strict", "; Path=/;", "; Secure"] {
            assert!(format!("{line};").contains(part), "{part} is missing in {name}");
        }
    }
    assert_eq!(cookies.len(), 2, "none without the prefix");
    // The cookie of plain HTTP, which anybody on the network may have read or planted, opens nothing here.
    let stolen = Secure { cookies: plain.cookie.clone(), client: admin.client.clone(), base: admin.base.clone() };
    assert_eq!(stolen.page().await, 303);

    let (good, other) = (second.pair(&["localhost"]), first.pair(&["localhost"]));
    for bad in [
        Pair { certificate: good.certificate.clone(), key: other.key },
        Pair { certificate: "nonsense".into(), key: good.key.clone() },
        second.expired_pair(&["localhost"]),
    ] {
        let refused = admin.post("network/tls-save", &fields(&bad)).await;
        assert!(refused.status().is_client_error(), "{}", refused.status());
        assert!(is_served(&server, &first).await, "the one before stays");
    }
    assert_eq!(admin.post("network/tls-save", &fields(&good)).await.status(), 200);
    assert!(is_served(&server, &second).await && !is_served(&server, &first).await);

    let (admin, _) = Secure::sign_in(&server, &second).await;
    let out = admin.post("session/logout", &[]).await;
    assert_eq!(out.headers()["clear-site-data"], "\"storage\"");
    let cleared = out.headers().get_all(header::SET_COOKIE).iter().map(|line| line.to_str().unwrap());
    let cleared: Vec<&str> = cleared.filter(|line| line.contains("Max-Age=0")).collect();
    assert!(cleared.iter().any(|line| line.starts_with("__Host-op_session=;") && line.contains("; Secure")));
    assert_eq!(admin.page().await, 303);
    server.stop();
}
