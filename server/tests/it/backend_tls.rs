//! R07: backends behind TLS. What cannot be trusted gets nothing and is told of; what will not be trusted much longer is
//! told of two weeks before.

use std::{fs, sync::Arc};

use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use testkit::{
    FakeOllama,
    certificates::{Authority, Pair},
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::{
    admin::{Admin, home_with_admin},
    harness::{http, until, until_listed},
};

/// A door to `fake` that shows this pair; its address. Ends with the test's runtime.
async fn door(pair: &Pair, fake: &FakeOllama) -> String {
    let certificate = CertificateDer::from_pem_slice(pair.certificate.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let acceptor = TlsAcceptor::from(Arc::new(config.with_single_cert(vec![certificate], key).unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let behind = fake.base().trim_start_matches("http://").to_owned();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, behind) = (acceptor.clone(), behind.clone());
            tokio::spawn(async move {
                let Ok(mut inside) = acceptor.accept(stream).await else { return };
                let mut outside = TcpStream::connect(behind).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut inside, &mut outside).await;
            });
        }
    });
    format!("https://localhost:{port}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_told_of_before_it_ends_and_a_backend_without_a_good_one_gets_nothing() {
    let (ours, foreign) = (Authority::default(), Authority::default());
    let pairs = [
        ("good", ours.pair_until(&["localhost"], 400)),
        ("soon", ours.pair_until(&["localhost"], 10)),
        ("expired", ours.expired_pair(&["localhost"])),
        ("other-name", ours.pair_until(&["gpu.lan"], 400)),
        ("nobodys", foreign.pair_until(&["localhost"], 400)),
    ];
    let home = home_with_admin().with("SSL_CERT_FILE", "roots.pem").with("METRICS_TOKEN", "metrics-of-the-fleet");
    fs::write(home.path().join("roots.pem"), ours.pem()).unwrap();
    home.ok(&["user", "add", "ada"]);
    let key = home.ok(&["key", "create", "--user", "ada", "--name", "laptop"]);
    let mut fakes = Vec::new();
    for (name, pair) in &pairs {
        let fake = FakeOllama::builder().models([*name]).start().await;
        home.ok(&["backend", "add", "--name", name, "--url", &door(pair, &fake).await]);
        fakes.push(fake);
    }
    let server = home.start();
    until_listed(&server, &key, "good").await;
    until_listed(&server, &key, "soon").await;
    let admin = Admin::sign_in(&server).await;
    until("each was looked at", || {
        let known = home.json(&["backend", "list"]);
        known.iter().all(|row| row["state"] != "unknown").then_some(())
    });
    let rows = admin.get(&server, "/admin/fn/backends/list").send().await.unwrap();
    let rows: Vec<serde_json::Value> = rows.json().await.unwrap();
    for ((name, _), fake) in pairs.iter().zip(&fakes) {
        let row = rows.iter().find(|row| row["name"] == *name).unwrap();
        let good = ["good", "soon"].contains(name);
        assert_eq!(row["state"] == "up", good, "{row}");
        assert_eq!(row["certificate_end"].is_u64(), good, "{row}");
        assert_eq!(row["certificate_ends_soon"] == true, *name == "soon", "{row}");
        let ask = http().post(server.url("/api/generate")).bearer_auth(&key);
        let answer = ask.body(format!(r#"{{"model":"{name}","prompt":"hi","stream":false}}"#)).send().await.unwrap();
        assert_eq!(answer.status() == 200, good, "{name}: {}", answer.status());
        assert_eq!(fake.requests().is_empty(), !good, "{name}");
    }
    let page = admin.get(&server, "/admin/backends").send().await.unwrap().text().await.unwrap();
    assert_eq!(page.matches("Its certificate ends at").count(), 1);
    let metrics = http().get(server.url("/metrics")).bearer_auth("metrics-of-the-fleet").send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    assert_eq!(metrics.matches("ollama_fortress_backend_certificate_end_seconds{").count(), 2, "{metrics}");
    let log = server.log();
    let told: Vec<&str> = log.lines().filter(|line| line.contains("the certificate of a backend ends soon")).collect();
    assert!(told.len() == 1 && told[0].contains(r#"backend="soon""#) && told[0].contains("days=9"), "{told:?}");
    server.stop();
}
