//! R28: a panic above the gateway, at any moment of a request, takes that request with it and nothing else.

use std::panic::AssertUnwindSafe;

use domain::usage::Outcome;
use futures_util::FutureExt;
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use testkit::FakeOllama;
use tokio::net::TcpListener;

use crate::rig::Rig;

const GENERATE: &str = r#"{"model":"llama3.2","prompt":"x"}"#;

/// When the service panics that stands before the gateway.
#[derive(Clone, Copy)]
enum Moment {
    /// It holds the answer and has read nothing of its body.
    Answer,
    /// It has read a frame.
    Frame,
}

/// A listener whose every request panics.
async fn panicking(rig: &Rig, moment: Moment) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/api/generate", listener.local_addr().unwrap());
    let gateway = rig.gateway.clone();
    tokio::spawn(async move {
        loop {
            let (stream, peer) = listener.accept().await.unwrap();
            let gateway = gateway.clone();
            let service = hyper::service::service_fn(move |request| {
                let gateway = gateway.clone();
                let work = async move {
                    let mut response = gateway.handle(request, peer).await;
                    if let Moment::Frame = moment {
                        response.body_mut().frame().await.unwrap().unwrap();
                    }
                    if response.status() == 200 {
                        // As a panic unwinds, without the report that a hundred of them would fill pages with.
                        std::panic::resume_unwind(Box::new("injected"));
                    }
                    response
                };
                async {
                    let refusal = |_| http::Response::builder().status(500).body(gateway::Body::default()).unwrap();
                    Ok::<_, std::convert::Infallible>(
                        AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(refusal),
                    )
                }
            });
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    url
}

#[tokio::test]
async fn a_panic_frees_the_request_and_is_accounted_for() {
    let backend = FakeOllama::builder().models(["llama3.2"]).chunks(8).held().start().await;
    let mut rig = Rig::start(&[&backend]).await;
    for moment in [Moment::Answer, Moment::Frame] {
        let url = panicking(&rig, moment).await;
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        for _ in 0..50 {
            backend.release_chunk();
            let answer = client.post(&url).bearer_auth(&rig.key).body(GENERATE).send().await.unwrap();
            assert_eq!(answer.status(), 500);
            rig.idle().await;
            assert_eq!(rig.record().await.outcome, Outcome::ClientGone);
            // The backend's connection went with the request. Until it has, that request could take the next chunk.
            backend.wait_for(|seen| seen.inference().all(|request| request.ended.is_some())).await;
        }
    }
    // The gateway serves on.
    backend.release_all();
    assert_eq!(rig.post("/api/generate", GENERATE).await.status, 200);
}
