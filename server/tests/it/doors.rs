//! Who may come in: lists of addresses, the admin pages' own listener, names of the host. Addresses of callers are those
//! that a trusted proxy on this machine tells.

use reqwest::{Method, StatusCode};

use crate::{
    admin::{Admin, home_with_admin},
    harness::{Home, Server, home_with_key, http},
};

/// Asks as the proxy on this machine does for a client at `address`.
async fn from(server: &Server, path: &str, address: &str, key: &str) -> (StatusCode, String) {
    let request = http().get(server.url(path)).bearer_auth(key).header("x-forwarded-for", address);
    let answer = request.send().await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}

/// T09.
#[tokio::test]
async fn lists_keep_addresses_out_before_any_key_or_session_is_looked_at() {
    let (home, key) = home_with_key();
    let home = home
        .with("TRUSTED_PROXIES", "127.0.0.1")
        .with("ALLOWED_IPS", "192.0.2.0/24, 2001:db8::/32")
        .with("DENIED_IPS", "192.0.2.66")
        .with("ADMIN_DENIED_IPS", "192.0.2.0/24");
    let server = home.start();
    for (address, api, admin, health) in [
        ("192.0.2.7", 200, 403, 200),
        ("192.0.2.66", 403, 403, 403),
        ("::ffff:192.0.2.66", 403, 403, 403),
        ("::ffff:192.0.2.7", 200, 403, 200),
        // Not allowed is not denied: health checkers need not be among the users.
        ("198.51.100.1", 403, 200, 200),
        ("2001:db8::9", 200, 200, 200),
        // The right-most address that is no trusted proxy counts.
        ("192.0.2.7, 192.0.2.66", 403, 403, 403),
        ("192.0.2.66, 192.0.2.7", 200, 403, 200),
    ] {
        assert_eq!(from(&server, "/api/tags", address, &key).await.0, api, "{address}");
        assert_eq!(from(&server, "/admin/login", address, &key).await.0, admin, "{address}");
        for path in ["/livez", "/readyz"] {
            assert_eq!(from(&server, path, address, "").await.0, health, "{path} {address}");
        }
        let file = from(&server, "/pkg/favicon.svg", address, &key).await.0;
        assert_eq!(file, admin, "{address}");
    }
    // No key, a wrong key: the list answers first, in the caller's dialect, and names the address it saw.
    let (status, body) = from(&server, "/api/tags", "192.0.2.66", "nonsense").await;
    assert_eq!(
        (status.as_u16(), body.as_str()),
        (403, r#"{"error":"requests from 192.0.2.66 are not accepted here"}"#)
    );
    let (status, body) = from(&server, "/v1/models", "192.0.2.66", "nonsense").await;
    assert!(status == 403 && body.starts_with(r#"{"error":{"message":"requests from 192.0.2.66"#), "{body}");
    let (status, body) = from(&server, "/admin", "192.0.2.66", "").await;
    assert_eq!((status.as_u16(), body.as_str()), (403, "requests from 192.0.2.66 are not accepted here"));
    server.stop();
}

/// What a proxy writes in place of an address: its own is on the lists of those who may come in.
/// T09.
#[tokio::test]
async fn a_caller_whom_the_proxy_does_not_name_is_nobody() {
    let (home, key) = home_with_key();
    let home = home.with("TRUSTED_PROXIES", "127.0.0.1").with("ALLOWED_IPS", "127.0.0.0/8, 192.0.2.7");
    let server = home.start();
    for (address, status) in [
        ("unknown", 400),
        ("garbage", 400),
        ("192.0.2.7, garbage", 400),
        ("\"192.0.2.7\"", 400),
        ("garbage, 192.0.2.7", 200),
        ("203.0.113.6", 403),
        ("", 200),
    ] {
        let (found, body) = from(&server, "/api/tags", address, &key).await;
        assert_eq!(found, status, "{address}: {body}");
        assert_eq!(body.contains("X-Forwarded-For"), status == 400, "{body}");
        assert_eq!(from(&server, "/admin/login", address, "").await.0, if status == 400 { 400 } else { 200 });
    }
    server.stop();
}

/// T09.
#[tokio::test]
async fn a_header_of_a_stranger_opens_no_door() {
    let (home, key) = home_with_key();
    let home = home.with("DENIED_IPS", "127.0.0.0/8").with("ALLOWED_IPS", "192.0.2.7, 127.0.0.1");
    let server = home.start();
    for address in ["192.0.2.7", "::ffff:192.0.2.7", ""] {
        assert_eq!(from(&server, "/api/tags", address, &key).await.0, 403, "{address}");
    }
    server.stop();
}

#[tokio::test]
async fn admin_pages_with_a_listener_of_their_own_are_on_no_other() {
    let (home, key) = home_with_key();
    let home = home.with("ADMIN_LISTEN", "localhost:0");
    let mut server = home.start();
    let line = server.line();
    let admin =
        line.strip_prefix("The admin pages are at http://").and_then(|rest| rest.strip_suffix("/admin")).unwrap();
    let link = server.line();
    assert!(link.contains(&format!(" http://{admin}/admin/setup?token=")), "{link}");
    let status = async |method: Method, url: String| {
        let request = http().request(method, url).bearer_auth(&key).header("accept", "text/html");
        request.header("sec-fetch-site", "same-origin").send().await.unwrap().status().as_u16()
    };
    for path in
        ["/admin", "/admin/login", "/admin/live", "/admin/fn/session/login", "/admin/setup?token=x", "/pkg/favicon.svg"]
    {
        for method in [Method::GET, Method::POST] {
            assert_eq!(status(method, server.url(path)).await, 404, "{path}");
        }
        assert_ne!(status(Method::GET, format!("http://{admin}{path}")).await, 404, "{path}");
    }
    for path in ["/api/tags", "/v1/models", "/api/chat", "/api"] {
        assert_eq!(status(Method::GET, format!("http://{admin}{path}")).await, 404, "{path}");
    }
    assert_eq!(status(Method::GET, server.url("/api/tags")).await, 200);
    assert_eq!(status(Method::GET, server.url("/")).await, 200);
    assert_eq!(status(Method::GET, format!("http://{admin}/")).await, 302);
    for base in [format!("http://{}", server.address), format!("http://{admin}")] {
        assert_eq!(status(Method::GET, format!("{base}/livez")).await, 200);
        assert_eq!(status(Method::GET, format!("{base}/readyz")).await, 200);
    }
    server.stop();
}

#[tokio::test]
async fn after_the_set_up_only_known_names_lead_to_the_admin_pages() {
    let home = Home::new();
    let server = home.start();
    let page = async |server: &Server, host: &str| {
        let answer = http().get(server.url("/admin/login")).header("host", host).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    assert_ne!(page(&server, "evil.test").await.0, 421, "the set-up link is protection enough");
    assert_eq!(home.run_with("correct horse battery", &["admin", "create", "root", "--password-stdin"]).code, Some(0));
    let (status, text) = page(&server, "evil.test:8080").await;
    assert!(status == 421 && text.contains("PUBLIC_URL=http://evil.test:8080"), "{text}");
    for host in ["127.0.0.1", "localhost:1", "10.9.8.7:8080", "[::1]"] {
        assert_eq!(page(&server, host).await.0, 200, "{host}");
    }
    server.stop();
}

/// T09: whoever shuts himself out is asked first, with the address he comes from, and has a way back in on the machine.
#[tokio::test]
async fn whoever_locked_himself_out_comes_back_in_by_a_reset_on_a_running_server_and_a_stopped_one() {
    let home = home_with_admin();
    let mut server = home.start();
    for stopped in [false, true] {
        let admin = Admin::sign_in(&server).await;
        let pages = async |server: &Server| {
            [admin.status(server, "/admin/login").await, admin.status(server, "/admin/users").await]
        };
        let asked = admin.post(&server, "network/save", &[("admin_denied_ips", "127.0.0.1")]).send().await.unwrap();
        let (status, text) = (asked.status(), asked.text().await.unwrap());
        let fault = r#""field":"confirm","message":""#;
        assert!(status.is_client_error() && text.contains(fault) && text.contains("127.0.0.1"), "{status} {text}");
        assert_eq!(pages(&server).await[1], 200, "nothing is saved before it is confirmed");
        let confirmed = [("admin_denied_ips", "127.0.0.1"), ("denied_ips", "192.0.2.1"), ("confirm", "yes")];
        admin.call(&server, "network/save", &confirmed).await;
        assert_eq!(pages(&server).await, [403, 403]);
        assert_eq!(http().get(server.url("/api/tags")).send().await.unwrap().status(), 401, "the API is another list");
        if stopped {
            server.stop();
            assert_eq!(home.ok(&["settings", "reset"]), "");
            server = home.start();
        } else {
            assert_eq!(home.ok(&["settings", "reset"]), "");
        }
        assert_eq!(pages(&server).await[1], 200, "the session is still good");
        let network = admin.get(&server, "/admin/fn/network/get").send().await.unwrap().text().await.unwrap();
        assert!(!network.contains("192.0.2.1"), "all lists are reset: {network}");
    }
    server.stop();
}

#[tokio::test]
async fn a_reset_of_all_settings_takes_those_of_the_settings_page_too() {
    let home = home_with_admin();
    let server = home.start();
    let admin = Admin::sign_in(&server).await;
    admin.call(&server, "settings/save", &[("requests", "1"), ("minutes", "1")]).await;
    home.ok(&["user", "add", "ada"]);
    let key = home.ok(&["key", "create", "--user", "ada", "--name", "laptop"]);
    let call = async || from(&server, "/api/tags", "", &key).await.0.as_u16();
    assert_eq!([call().await, call().await], [200, 429]);
    home.ok(&["settings", "reset"]);
    assert_eq!(call().await, 429, "those of the Network page only");
    home.ok(&["settings", "reset", "all"]);
    assert_eq!([call().await, call().await], [200, 200]);
    assert_eq!(home.run(&["settings", "reset", "everything"]).code, Some(64));
    server.stop();
}

/// T24.
#[tokio::test]
async fn only_listed_origins_hear_that_they_may_call_the_api() {
    const ALLOWED: &str = "https://app.example.com";
    let (home, key) = home_with_key();
    let home = home.with("CORS_ORIGINS", ALLOWED);
    let server = home.start();
    let ask = async |method: Method, path: &str, origin: &str, preflight: bool, key: &str| {
        let mut request = http().request(method, server.url(path)).header("origin", origin).bearer_auth(key);
        if preflight {
            request = request.header("access-control-request-method", "POST");
            request = request.header("access-control-request-headers", "authorization, content-type");
        }
        request.send().await.unwrap()
    };
    let header = |answer: &reqwest::Response, name: &str| {
        answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
    };
    for origin in [
        "https://evil.test",
        "null",
        ALLOWED,
        "https://app.example.com.evil.test",
        "https://sub.app.example.com",
        "https://app.example.com:8443",
        "http://app.example.com",
    ] {
        let listed = origin == ALLOWED;
        let expected = if listed { ALLOWED } else { "" };
        for key in [key.as_str(), "nonsense"] {
            let answer = ask(Method::GET, "/api/tags", origin, false, key).await;
            assert_eq!(header(&answer, "access-control-allow-origin"), expected, "{origin}");
            assert_eq!(header(&answer, "vary"), "origin", "{origin}");
            assert_eq!(header(&answer, "access-control-allow-credentials"), "", "{origin}");
            assert_eq!(header(&answer, "access-control-expose-headers").contains("Retry-After"), listed, "{origin}");
        }
        let answer = ask(Method::OPTIONS, "/api/chat", origin, true, "nonsense").await;
        assert_eq!(answer.status().as_u16(), if listed { 204 } else { 405 }, "{origin}");
        assert_eq!(header(&answer, "access-control-allow-origin"), expected, "{origin}");
        assert_eq!(header(&answer, "access-control-allow-headers").contains("authorization"), listed, "{origin}");
        // The admin pages are nobody else's.
        for method in [Method::GET, Method::OPTIONS] {
            let answer = ask(method, "/admin/login", origin, true, "").await;
            assert_eq!(header(&answer, "access-control-allow-origin"), "", "{origin}");
        }
    }
    assert_eq!(ask(Method::OPTIONS, "/api/chat", ALLOWED, false, "").await.status(), 405, "no preflight");
    server.stop();
    let (home, key) = home_with_key();
    let server = home.start();
    let answer = http().get(server.url("/api/tags")).header("origin", ALLOWED).bearer_auth(&key).send().await.unwrap();
    assert_eq!(
        (header(&answer, "access-control-allow-origin"), header(&answer, "vary")),
        (String::new(), String::new())
    );
    server.stop();
}
