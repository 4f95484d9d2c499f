//! Who vouches for a Redis over TLS: certificates that an operator gives, or else those that the machine trusts. And what
//! went wrong with TLS, as an operator can act on it.

use std::{fmt, io, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};
use rustls::{
    CertificateError, ClientConfig, Error, RootCertStore,
    pki_types::{
        CertificateDer,
        pem::{PemObject, SectionKind},
    },
};
use rustls_platform_verifier::BuilderVerifierExt as _;

/// Largest text that is read.
const MAX_PEM: usize = 64 * 1024;
/// Most certificates of one authority.
const MAX: usize = 20;
/// Letters of a line of PEM.
const LINE: usize = 64;

/// Certificates of which one must have signed the server's. None at all vouches for nobody.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Authority(Vec<CertificateDer<'static>>);

impl Authority {
    /// Reads PEM with one certificate or several and nothing else. The error is a sentence and repeats nothing of the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MAX_PEM {
            return Err("is too long for certificates".into());
        }
        let mut found = Vec::new();
        for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(text.as_bytes()) {
            match section {
                Ok((SectionKind::Certificate, der)) => found.push(CertificateDer::from(der)),
                Ok(_) => return Err("must hold certificates only: a private key has no place here".into()),
                Err(_) => return Err("is no certificate in PEM form (-----BEGIN CERTIFICATE-----)".into()),
            }
        }
        if found.is_empty() {
            return Err("holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)".into());
        }
        if found.len() > MAX {
            return Err(format!("holds more than {MAX} certificates: give those of the authority that signed Redis's"));
        }
        let mut roots = RootCertStore::empty();
        match found.iter().try_for_each(|certificate| roots.add(certificate.clone())) {
            Ok(()) => Ok(Self(found)),
            Err(_) => Err("holds a certificate that cannot be read; is it an X.509 certificate?".into()),
        }
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(self.0.iter().cloned());
        roots
    }
}

/// As PEM.
impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for certificate in &self.0 {
            writeln!(f, "-----BEGIN CERTIFICATE-----")?;
            let text = STANDARD.encode(certificate);
            let mut rest = text.as_str();
            while !rest.is_empty() {
                let (line, more) = rest.split_at(rest.len().min(LINE));
                writeln!(f, "{line}")?;
                rest = more;
            }
            writeln!(f, "-----END CERTIFICATE-----")?;
        }
        Ok(())
    }
}

/// TLS that trusts `authority`, or the machine's own roots; where it has none, nobody.
pub(super) fn config(authority: Option<&Authority>) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = || {
        let builder = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
        builder.map_err(|error| format!("TLS failed: {error}"))
    };
    let roots = match authority {
        Some(authority) => authority.roots(),
        None => match builder()?.with_platform_verifier() {
            Ok(builder) => return Ok(builder.with_no_client_auth()),
            Err(_) => RootCertStore::empty(),
        },
    };
    Ok(builder()?.with_root_certificates(roots).with_no_client_auth())
}

/// Why a handshake failed.
pub(super) fn describe(error: &io::Error) -> String {
    let fault = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    let remedy = match fault {
        // A bad signature is an authority of the same name with another key.
        Some(Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature)) => {
            "nobody that is trusted here vouches for its certificate: give the certificate of the authority that does"
        }
        Some(Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. })) => {
            "its certificate has expired: renew it"
        }
        Some(Error::InvalidCertificate(
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. },
        )) => "its certificate is not valid yet: are the clocks right?",
        Some(Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        )) => "its certificate is for another name: use a host that stands in it, or add this one to it",
        Some(Error::InvalidMessage(_)) => "it answers, but not with TLS: is TLS turned on at this port?",
        Some(other) => return format!("TLS failed: {other}"),
        None if error.kind() == io::ErrorKind::UnexpectedEof => "it hung up: is TLS turned on at this port?",
        None => return format!("TLS failed: {error}"),
    };
    format!("TLS failed: {remedy}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const DER: &[u8] = include_bytes!("../../backend/tests/tls/localhost.cert.der");

    fn pem(label: &str) -> String {
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(DER))
    }

    #[test]
    fn what_is_written_is_read_again() {
        let both = format!("# ours\n{}between\r\n{}", pem("CERTIFICATE"), pem("CERTIFICATE"));
        let authority = Authority::parse(&both).unwrap();
        assert_eq!(authority.0.len(), 2);
        let text = authority.to_string();
        assert!(text.lines().all(|line| line.len() <= LINE), "{text}");
        assert_eq!(Authority::parse(&text), Ok(authority));
    }

    #[test]
    fn what_is_no_certificate_is_refused_with_a_remedy() {
        for (text, remedy) in [
            (String::new(), "holds no certificate"),
            ("/etc/ssl/ca.pem".into(), "holds no certificate"),
            (pem("PRIVATE KEY"), "private key has no place"),
            (pem("CERTIFICATE") + &pem("RSA PRIVATE KEY"), "private key has no place"),
            (pem("CERTIFICATE").replace("MII", "AAA"), "cannot be read"),
            (pem("CERTIFICATE").replace("-----END", "-----AND"), "is no certificate"),
            (pem("CERTIFICATE").repeat(MAX + 1), "more than 20"),
            ("x".repeat(MAX_PEM + 1), "too long"),
        ] {
            let fault = Authority::parse(&text).unwrap_err();
            assert!(fault.contains(remedy), "{fault}");
        }
    }
}
