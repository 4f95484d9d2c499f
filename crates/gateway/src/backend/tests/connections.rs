//! What becomes of connections: reused after a clean end, closed after any other.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use http_body_util::BodyExt as _;
use testkit::{FakeOllama, Fault};
use url::Url;

use super::*;
use crate::{
    backend::{BackendResponse, SendError, connect::ConnectError},
    snapshot::BackendToken,
};

const STREAMED: &[u8] = br#"{"model":"a","messages":[{"role":"user","content":"why"}]}"#;
const WHOLE: &[u8] = br#"{"model":"a","stream":false,"messages":[{"role":"user","content":"why"}]}"#;

fn to(url: Url) -> Arc<Backend> {
    let fleet = Fleet::new();
    fleet.publish(snapshot([entry(0, url)]));
    Arc::clone(&fleet.view().backends[0])
}

async fn chat(backend: &Backend, settings: &Settings, body: &'static [u8]) -> Result<BackendResponse, SendError> {
    backend.send(settings, &Method::POST, "/api/chat", &HeaderMap::new(), Bytes::from_static(body)).await
}

async fn fault(backend: &Backend, settings: &Settings) -> SendError {
    chat(backend, settings, WHOLE).await.err().unwrap()
}

async fn whole_answer(backend: &Backend, body: &'static [u8]) {
    let response = chat(backend, &quiet(), body).await.unwrap();
    assert_eq!(response.status, 200);
    response.body.collect().await.unwrap();
}

#[tokio::test]
async fn a_connection_is_reused_after_a_clean_end() {
    let fake = FakeOllama::builder().models(["a"]).start().await;
    let backend = to(fake.url());
    for body in [STREAMED, WHOLE, STREAMED, WHOLE] {
        whole_answer(&backend, body).await;
    }
    assert_eq!(fake.connections().len(), 1);
    assert_eq!(fake.inference_requests().len(), 4);
}

#[tokio::test]
async fn a_body_of_known_length_gives_its_connection_back_with_the_last_byte() {
    let fake = FakeOllama::builder().models(["a"]).start().await;
    let backend = to(fake.url());
    let mut body = chat(&backend, &quiet(), WHOLE).await.unwrap().body;
    while !http_body::Body::is_end_stream(&body) {
        body.frame().await.unwrap().unwrap();
    }
    assert_eq!(backend.origin.pool.idle(), 1);
}

#[tokio::test]
async fn a_dropped_body_closes_the_connection_at_once() {
    let fake = FakeOllama::builder().models(["a"]).chunks(5).held().start().await;
    let backend = to(fake.url());
    fake.release_chunks(2);
    let mut body = chat(&backend, &quiet(), STREAMED).await.unwrap().body;
    body.frame().await.unwrap().unwrap();
    drop(body);
    fake.wait_for(|records| records.open_connections() == 0).await;
    assert_eq!(backend.origin.pool.idle(), 0);
}

#[tokio::test]
async fn a_dropped_send_closes_the_connection_at_once() {
    let fake = FakeOllama::builder().models(["a"]).held().start().await;
    let backend = to(fake.url());
    let settings = quiet();
    tokio::select! {
        _ = chat(&backend, &settings, STREAMED) => panic!("a held backend answered"),
        _ = fake.wait_for(|records| records.inference().count() == 1) => {}
    }
    fake.wait_for(|records| records.open_connections() == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_requests_at_once_every_clean_one_leaves_an_idle_connection_and_no_other_leaves_any() {
    const MANY: usize = 60;
    let fake = FakeOllama::builder().models(["a"]).chunks(20).start().await;
    let backend = to(fake.url());
    // Every third is dropped half way.
    let one = |number: usize| {
        let backend = Arc::clone(&backend);
        async move {
            let mut body = chat(&backend, &quiet(), STREAMED).await.unwrap().body;
            match number % 3 {
                0 => drop(body.frame().await.unwrap().unwrap()),
                _ => drop(body.collect().await.unwrap()),
            }
        }
    };
    for round in 1..=3 {
        fake.hold();
        let running: Vec<_> = (0..MANY).map(|number| tokio::spawn(one(number))).collect();
        // No answer begins before all were asked for: each has a connection of its own.
        fake.wait_for(|records| records.inference().count() == round * MANY).await;
        fake.release_all();
        for task in running {
            task.await.unwrap();
        }
        assert_eq!(backend.origin.pool.idle(), MANY - MANY / 3, "round {round}");
    }
    fake.wait_for(|records| records.open_connections() == MANY - MANY / 3).await;
}

#[tokio::test]
async fn a_stale_connection_is_told_from_a_fresh_one_and_takes_its_neighbours_along() {
    let fake = FakeOllama::builder().models(["a"]).start().await;
    let backend = to(fake.url());
    fake.set(|script| script.fault = Some(Fault::CloseBeforeHeaders));
    assert!(matches!(fault(&backend, &quiet()).await, SendError::ClosedBeforeResponse { reused: false }));
    fake.set(|script| script.heal());
    // Two answers under way at once leave two idle connections.
    let (one, two) =
        (chat(&backend, &quiet(), STREAMED).await.unwrap(), chat(&backend, &quiet(), STREAMED).await.unwrap());
    one.body.collect().await.unwrap();
    two.body.collect().await.unwrap();
    assert_eq!(backend.origin.pool.idle(), 2);
    fake.set(|script| script.fault = Some(Fault::CloseBeforeHeaders));
    assert!(matches!(fault(&backend, &quiet()).await, SendError::ClosedBeforeResponse { reused: true }));
    assert_eq!(backend.origin.pool.idle(), 0);
}

#[tokio::test]
async fn a_backend_that_was_restarted_costs_at_most_one_retry() {
    let fake = FakeOllama::builder().models(["a"]).start().await;
    let backend = to(fake.url());
    whole_answer(&backend, STREAMED).await;
    fake.refuse_connections().await;
    fake.accept_connections().await;
    match chat(&backend, &quiet(), STREAMED).await {
        Ok(response) => assert_eq!(response.status, 200),
        Err(SendError::ClosedBeforeResponse { reused: true }) => whole_answer(&backend, STREAMED).await,
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn idle_connections_expire_before_the_backend_closes_them() {
    let fake = FakeOllama::builder().models(["a"]).start().await;
    let backend = to(fake.url());
    whole_answer(&backend, STREAMED).await;
    let now = tokio::time::Instant::now();
    backend.origin.pool.sweep(now + Duration::from_secs(3));
    assert_eq!(backend.origin.pool.idle(), 1);
    backend.origin.pool.sweep(now + Duration::from_secs(5));
    assert_eq!(backend.origin.pool.idle(), 0);
    fake.wait_for(|records| records.open_connections() == 0).await;
}

#[tokio::test]
async fn a_silent_backend_is_given_up_at_the_first_byte_timeout_and_closed() {
    let fake = FakeOllama::builder().models(["a"]).start().await;
    fake.set(|script| script.fault = Some(Fault::HangBeforeHeaders));
    let settings = Settings { first_byte_timeout: Duration::from_millis(50), ..quiet() };
    let backend = to(fake.url());
    assert!(matches!(fault(&backend, &settings).await, SendError::FirstByteTimeout));
    fake.wait_for(|records| records.connections.len() == 1 && records.open_connections() == 0).await;
}

#[tokio::test]
async fn what_is_no_response_is_malformed() {
    let fake = FakeOllama::builder().models(["a"]).start().await;
    let backend = to(fake.url());
    let endless = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "a".repeat(100_000));
    let many: String = (0..200).map(|number| format!("x-{number}: 1\r\n")).collect();
    for bytes in [
        "this is not HTTP\r\n\r\n".to_owned(),
        endless,
        format!("HTTP/1.1 200 OK\r\n{many}\r\n"),
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n".to_owned(),
    ] {
        fake.set(|script| script.fault = Some(Fault::RawBytes(bytes.clone())));
        let fault = fault(&backend, &quiet()).await;
        assert!(matches!(fault, SendError::Malformed(_)), "{fault:?} for {:.40}", bytes);
    }
}

#[tokio::test]
async fn a_cut_body_is_an_error_and_its_connection_is_not_kept() {
    let fake = FakeOllama::builder().models(["a"]).start().await;
    let backend = to(fake.url());
    fake.set(|script| script.fault = Some(Fault::CutAfter(1)));
    let response = chat(&backend, &quiet(), STREAMED).await.unwrap();
    assert!(response.body.collect().await.is_err());
    assert_eq!(backend.origin.pool.idle(), 0);
}

#[tokio::test]
async fn the_backend_sees_its_own_host_prefix_and_token_and_no_foreign_framing() {
    let fake = FakeOllama::builder().models(["a"]).start().await;
    let token = BackendToken("own-token".into());
    let fleet = Fleet::new();
    fleet.publish(snapshot([BackendEntry { token: Some(token), ..entry(0, fake.url().join("/prefix/").unwrap()) }]));
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("authorization", "Bearer client"),
        ("host", "evil"),
        ("content-length", "3"),
        ("upgrade", "x"),
        ("x-kept", "1"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let backend = Arc::clone(&fleet.view().backends[0]);
    let sent =
        backend.send(&quiet(), &Method::POST, "/api/chat?x=1", &headers, Bytes::from_static(WHOLE)).await.unwrap();
    sent.body.collect().await.unwrap();
    let request = fake.requests().remove(0);
    assert_eq!((request.path.as_str(), request.query.as_deref()), ("/prefix/api/chat", Some("x=1")));
    assert_eq!(request.header("host"), Some(fake.address().to_string().as_str()));
    assert_eq!(request.header("authorization"), Some("Bearer own-token"));
    assert_eq!(request.header("content-length"), Some(WHOLE.len().to_string().as_str()));
    assert_eq!((request.header("upgrade"), request.header("x-kept")), (None, Some("1")));
}

#[tokio::test]
async fn every_way_not_to_connect_has_its_name() {
    let fake = FakeOllama::builder().start().await;
    let https = Url::parse(&fake.base().replace("http:", "https:")).unwrap();
    assert!(matches!(fault(&to(https), &quiet()).await, SendError::Connect(ConnectError::Tls(_))));
    let url = fake.url();
    fake.refuse_connections().await;
    assert!(matches!(fault(&to(url), &quiet()).await, SendError::Connect(ConnectError::Refused)));
    // No label of a name has 64 letters: the resolver gives up without asking anybody.
    let nowhere = Url::parse(&format!("http://{}", "a".repeat(64))).unwrap();
    assert!(matches!(fault(&to(nowhere), &quiet()).await, SendError::Connect(ConnectError::Dns)));
    for forbidden in ["http://169.254.169.254", "http://[fe80::1]:80", "http://[::ffff:169.254.169.254]"] {
        let fault = fault(&to(Url::parse(forbidden).unwrap()), &quiet()).await;
        assert!(matches!(fault, SendError::Connect(ConnectError::Other(_))), "{forbidden}: {fault}");
    }
    // It accepts and never begins TLS.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("https://{}", silent.local_addr().unwrap())).unwrap();
    let settings = Settings { connect_timeout: Duration::from_millis(50), ..quiet() };
    assert!(matches!(fault(&to(url), &settings).await, SendError::Connect(ConnectError::Timeout)));
}
