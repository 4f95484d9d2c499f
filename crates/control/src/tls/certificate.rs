//! The view of a certificate. `gateway` reads it.

use domain::tls::CertificateView;
use rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha256};

/// The view of an X.509 certificate, and the Unix milliseconds from which on it is valid. `None` if it is none.
pub(crate) fn facts(certificate: &CertificateDer<'_>) -> Option<(CertificateView, u64)> {
    let read = gateway::certificate::read(certificate)?;
    let fingerprint: Vec<String> = Sha256::digest(certificate).iter().map(|byte| format!("{byte:02X}")).collect();
    let view = CertificateView {
        names: read.names,
        not_after: read.not_after,
        self_signed: read.self_signed,
        fingerprint: fingerprint.join(":"),
    };
    Some((view, read.not_before))
}
