//! Whom a backend's certificate must be vouched for by: the roots of the operating system, for the data plane and for
//! control traffic alike.

use std::sync::{Arc, OnceLock};

use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt as _;

/// The machine's own roots. Read once, when the first https backend is met.
pub(super) fn trusting_platform() -> Result<Arc<ClientConfig>, String> {
    static CONFIG: OnceLock<Result<Arc<ClientConfig>, String>> = OnceLock::new();
    let build = || {
        let builder = builder()?.with_platform_verifier().map_err(|error| error.to_string())?;
        Ok(with_alpn(builder.with_no_client_auth()))
    };
    CONFIG.get_or_init(build).clone()
}

/// For a machine without roots, as small containers are: http works, and https is refused like any untrusted certificate.
pub(super) fn trusting_nobody() -> Result<Arc<ClientConfig>, String> {
    Ok(with_alpn(builder()?.with_root_certificates(RootCertStore::empty()).with_no_client_auth()))
}

type Builder = rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>;

fn builder() -> Result<Builder, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())
}

fn with_alpn(mut config: ClientConfig) -> Arc<ClientConfig> {
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}
