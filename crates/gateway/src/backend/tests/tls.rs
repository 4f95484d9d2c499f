//! TLS to backends: what is trusted works, everything else fails closed and says so. The certificate beside this file is
//! for `localhost`, signed by itself, valid for a century, and trusted by nothing but these tests.

use std::net::SocketAddr;

use bytes::Bytes;
use domain::{backend::ProbeResult, network::Networks};
use http::{HeaderMap, Method};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject},
};
use testkit::certificates::{Authority, Pair};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use url::Url;

use super::*;
use crate::{
    backend::{
        connect::{ConnectError, connect, connect_with},
        http1::{self, ResponseBody},
    },
    probe::probe,
};

const LIMIT: Duration = Duration::from_secs(10);
const CERTIFICATE: &[u8] = include_bytes!("tls/localhost.cert.der");
const KEY: &[u8] = include_bytes!("tls/localhost.key.der");

async fn server() -> SocketAddr {
    serving(CertificateDer::from(CERTIFICATE), PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(KEY))).await
}

/// Answers every request with `hello`. Ends with the test's runtime.
async fn serving(certificate: CertificateDer<'static>, key: PrivateKeyDer<'static>) -> SocketAddr {
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(acceptor.clone(), stream));
        }
    });
    address
}

async fn serve(acceptor: TlsAcceptor, stream: TcpStream) {
    let Ok(stream) = acceptor.accept(stream).await else { return };
    let hello = hyper::service::service_fn(|_| async {
        Ok::<_, std::convert::Infallible>(http::Response::new(Full::new(bytes::Bytes::from_static(b"hello"))))
    });
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), hello).await;
}

/// Trusts the tests' certificate alone.
fn trusting() -> Result<Arc<ClientConfig>, String> {
    Ok(trusting_only(CertificateDer::from(CERTIFICATE)))
}

fn trusting_only(certificate: CertificateDer<'static>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

fn url(host: &str, address: SocketAddr) -> Url {
    Url::parse(&format!("https://{host}:{}", address.port())).unwrap()
}

#[tokio::test]
async fn a_trusted_backend_is_spoken_to() {
    let address = server().await;
    let mut connection =
        connect_with(&url("localhost", address), LIMIT, &Networks::default(), &trusting).await.unwrap();
    let host = (&http::header::HOST, &"localhost".parse().unwrap());
    let request = http1::request(&Method::GET, ["", "/"], [host], &HeaderMap::new(), Bytes::new()).unwrap();
    let mut response = connection.exchange(&request, http1::tests::far()).await.unwrap();
    let body = ResponseBody::new(connection, &mut response, http1::tests::Kept::default()).collect().await.unwrap();
    assert_eq!(body.to_bytes(), "hello");
}

#[tokio::test]
async fn another_name_than_the_certificates_is_refused() {
    let address = server().await;
    let refused = connect_with(&url("127.0.0.1", address), LIMIT, &Networks::default(), &trusting).await.err();
    assert!(matches!(refused, Some(ConnectError::Tls(_))), "{refused:?}");
}

/// R07.
#[tokio::test]
async fn a_certificate_that_has_expired_is_refused_whoever_signed_it() {
    let authority = Authority::default();
    let root = CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap();
    for (Pair { certificate, key }, expired) in
        [(authority.pair(&["localhost"]), false), (authority.expired_pair(&["localhost"]), true)]
    {
        let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
        let address = serving(certificate, PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap()).await;
        let root = root.clone();
        let trusting = move || Ok(trusting_only(root.clone()));
        let refused = connect_with(&url("localhost", address), LIMIT, &Networks::default(), &trusting).await.err();
        assert_eq!(
            matches!(&refused, Some(ConnectError::Tls(text)) if text.contains("xpired")),
            expired,
            "{refused:?}"
        );
        assert_eq!(refused.is_some(), expired);
    }
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused_on_every_way() {
    let address = server().await;
    let url = url("localhost", address);
    let refused = connect(&url, LIMIT, &Networks::default()).await.err();
    assert!(matches!(refused, Some(ConnectError::Tls(_))), "{refused:?}");
    assert_eq!(probe(&url, None).await, ProbeResult::Tls);
}

#[tokio::test]
async fn a_machine_without_roots_trusts_nobody() {
    let address = server().await;
    let refused =
        connect_with(&url("localhost", address), LIMIT, &Networks::default(), &crate::backend::tls::trusting_nobody)
            .await
            .err();
    assert!(matches!(refused, Some(ConnectError::Tls(_))), "{refused:?}");
}
