//! What stands around the admin pages: origin, host, headers, size.

use reqwest::{Method, StatusCode};

use crate::harness::{Home, Server, http};

const LOGIN: &str = "/admin/fn/session/login";

async fn status(server: &Server, method: Method, path: &str, headers: &[(&str, &str)]) -> StatusCode {
    let request = http().request(method, server.url(path)).header("content-type", "application/x-www-form-urlencoded");
    headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)).send().await.unwrap().status()
}

#[tokio::test]
async fn forms_from_elsewhere_are_refused() {
    let home = Home::new();
    let server = home.start();
    let own = format!("http://{}", server.address);
    let other_port = format!("http://{}:1", server.address.ip());
    let refused = [
        vec![],
        vec![("sec-fetch-site", "cross-site")],
        vec![("sec-fetch-site", "same-site"), ("origin", own.as_str())],
        vec![("sec-fetch-site", "none")],
        vec![("origin", "null")],
        vec![("origin", "http://evil.test")],
        vec![("origin", other_port.as_str())],
    ];
    for headers in refused {
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
            assert_eq!(status(&server, method, LOGIN, &headers).await, 403, "{headers:?}");
        }
    }
    for headers in [vec![("sec-fetch-site", "same-origin")], vec![("origin", own.as_str())]] {
        assert_ne!(status(&server, Method::POST, LOGIN, &headers).await, 403, "{headers:?}");
    }
    assert_eq!(status(&server, Method::GET, "/admin/live", &[("sec-fetch-site", "cross-site")]).await, 403);
    assert_eq!(status(&server, Method::GET, "/admin/live", &[("sec-fetch-site", "same-origin")]).await, 401);
    server.stop();
}

#[tokio::test]
async fn once_addresses_are_listed_others_are_no_way_in() {
    let home = Home::new().with("PUBLIC_URL", "https://llm.example, http://nas.lan:8080");
    let server = home.start();
    let page = |host: &'static str| status_of_host(&server, host);
    assert_eq!(page("evil.test").await, 421);
    for host in ["llm.example", "nas.lan:8080", "127.0.0.1", "localhost:1"] {
        assert_ne!(page(host).await, 421, "{host}");
    }
    assert_ne!(status(&server, Method::POST, LOGIN, &[("origin", "https://llm.example")]).await, 403);
    assert_eq!(status(&server, Method::POST, LOGIN, &[("origin", "https://llm.example:8443")]).await, 403);
    // The API has no such list: programs call it by any name.
    let tags = http().get(server.url("/api/tags")).header("host", "evil.test").send().await.unwrap();
    assert_eq!(tags.status(), 401);
    server.stop();
}

async fn status_of_host(server: &Server, host: &str) -> StatusCode {
    status(server, Method::GET, "/admin/login", &[("host", host)]).await
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let home = Home::new();
    let server = home.start();
    for (method, path) in [
        (Method::GET, "/admin/login"),
        (Method::GET, "/admin/live"),
        (Method::POST, LOGIN),
        (Method::GET, "/admin/nothing"),
    ] {
        let answer = http().request(method, server.url(path)).send().await.unwrap();
        let header =
            |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header("referrer-policy"), "same-origin", "{path}");
        assert_eq!(header("cross-origin-opener-policy"), "same-origin", "{path}");
        assert_eq!(header("cross-origin-resource-policy"), "same-origin", "{path}");
        assert_eq!(header("x-frame-options"), "DENY", "{path}");
        assert_eq!(header("cache-control"), "no-store", "{path}");
        assert!(header("permissions-policy").contains("camera=()"), "{path}");
        let policy = header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
        assert!(!policy.contains("unsafe-inline") && !policy.contains("'unsafe-eval'"), "{path}: {policy}");
        assert_eq!(header("server"), "", "{path}");
        assert_eq!(header("x-request-id").len(), 16, "{path}");
    }
    server.stop();
}

#[tokio::test]
async fn forms_are_small() {
    let home = Home::new();
    let server = home.start();
    let answer = http()
        .post(server.url(LOGIN))
        .header("sec-fetch-site", "same-origin")
        .body("x".repeat(65 * 1024))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 413);
    server.stop();
}
