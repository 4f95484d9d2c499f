//! TLS of our own listeners. Which pair is in force is `control`'s business and asked for at every handshake, so a new one
//! counts for the next connection. HTTP/1.1 is what is spoken inside.

pub mod files;

use std::{fmt, sync::Arc};

use control::Control;
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio_rustls::TlsAcceptor;

/// First byte of a TLS connection: the record type of a handshake. No HTTP method begins with it.
pub const HANDSHAKE: u8 = 0x16;

/// Speaks TLS where there is a pair; cheap to clone.
#[derive(Clone)]
pub struct TlsDoor {
    config: Arc<ServerConfig>,
    control: Control,
}

impl TlsDoor {
    pub fn new(control: Control) -> Result<Self, rustls::Error> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(InForce(control.clone())));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { config: Arc::new(config), control })
    }

    /// `None` while the port speaks plain HTTP.
    pub fn acceptor(&self) -> Option<TlsAcceptor> {
        self.control.tls_key().map(|_| TlsAcceptor::from(Arc::clone(&self.config)))
    }
}

/// The pair in force.
struct InForce(Control);

impl fmt::Debug for InForce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InForce")
    }
}

impl ResolvesServerCert for InForce {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.tls_key()
    }
}
