//! One certificate chain with its key: read from PEM, checked to belong together and to be valid now, or made for a LAN.

use std::{net::IpAddr, sync::Arc, time::Duration};

use domain::{error::FieldError, tls::CertificateView};
use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose};
use rustls::{
    InconsistentKeys,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};
use zeroize::Zeroizing;

use super::certificate::facts;

/// Largest text of either half.
const MAX_PEM: usize = 64 * 1024;
/// How long a pair made here is valid. Some systems refuse longer ones.
const VALID: Duration = Duration::from_secs(820 * 24 * 3600);
/// Clocks of machines on a LAN differ.
const LEEWAY: Duration = Duration::from_secs(24 * 3600);
/// Most names of a pair made here.
const MAX_NAMES: usize = 50;

pub(crate) const CERTIFICATE: &str = "certificate";
pub(crate) const KEY: &str = "private_key";

/// A pair that fits together, and what people are told of it.
#[derive(Clone)]
pub(crate) struct Pair {
    pub key: Arc<CertifiedKey>,
    pub view: CertificateView,
    /// Unix milliseconds.
    not_before: u64,
}

/// A pair as text.
pub(crate) struct PemPair {
    pub certificate: String,
    pub key: Zeroizing<String>,
}

impl Pair {
    /// Reads a pair. The fault names `certificate` or `private_key`, and never repeats anything of the key.
    pub fn read(certificate: &[u8], key: &[u8]) -> Result<Self, FieldError> {
        let of_certificate = |message: &str| FieldError::new(CERTIFICATE, message);
        let of_key = |message: &str| FieldError::new(KEY, message);
        if certificate.len() > MAX_PEM || key.len() > MAX_PEM {
            return Err(of_certificate("this is too long for a certificate or its key"));
        }
        let chain: Result<Vec<CertificateDer<'static>>, _> = CertificateDer::pem_slice_iter(certificate).collect();
        let chain =
            chain.map_err(|_| of_certificate("this is no certificate in PEM form (-----BEGIN CERTIFICATE-----)"))?;
        let Some(first) = chain.first() else {
            return Err(of_certificate("there is no certificate in it (-----BEGIN CERTIFICATE-----)"));
        };
        let (view, not_before) = facts(first)
            .ok_or_else(|| of_certificate("the first certificate cannot be read; is it an X.509 certificate?"))?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| {
            of_key("there is no private key in PEM form in it; keys with a passphrase must be decrypted first (`openssl pkey`)")
        })?;
        match CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider()) {
            Ok(key) => Ok(Self { key: Arc::new(key), view, not_before }),
            Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
                Err(of_key("this is not the key of the first certificate"))
            }
            Err(_) => Err(of_key(
                "this kind of key is not supported: use RSA from 2048 bits on, ECDSA P-256 or P-384, or Ed25519",
            )),
        }
    }

    /// Not valid any more, or not yet, at `now` (Unix milliseconds).
    pub fn check_time(&self, now: u64) -> Result<(), FieldError> {
        if now > self.view.not_after {
            return Err(FieldError::new(CERTIFICATE, "this certificate has expired"));
        }
        if now < self.not_before {
            return Err(FieldError::new(CERTIFICATE, "this certificate is not valid yet; is the clock right?"));
        }
        Ok(())
    }
}

/// A new pair for `names` (separated by commas or blanks), signed by itself, valid from a day before `now` (Unix
/// milliseconds) for a good two years. The fault belongs beside `names`.
pub(crate) fn make(names: &str, now: u64) -> Result<PemPair, FieldError> {
    let fault = |message: String| FieldError::new("names", message);
    let names: Vec<String> = names
        .split([',', ' ', '\t', '\r', '\n'])
        .map(|name| name.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase())
        .filter(|name| !name.is_empty())
        .collect();
    if names.is_empty() {
        return Err(fault("give at least one name or address that people open the gateway under".into()));
    }
    if names.len() > MAX_NAMES {
        return Err(fault(format!("a certificate made here has at most {MAX_NAMES} names")));
    }
    if let Some(bad) = names.iter().find(|name| name.parse::<IpAddr>().is_err() && !is_name(name)) {
        return Err(fault(format!("{bad:?} is no host name and no address")));
    }
    let made = sign(names, now).map_err(|error| fault(format!("the certificate cannot be made: {error}")))?;
    Ok(made)
}

fn is_name(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(label)
}

fn sign(names: Vec<String>, now: u64) -> Result<PemPair, rcgen::Error> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Ollama Proxy Fortress");
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // The year 1975 of the parameters' default, moved to now.
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + Duration::from_millis(now).saturating_sub(LEEWAY);
    params.not_after = params.not_before + VALID;
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    Ok(PemPair { certificate: certificate.pem(), key: Zeroizing::new(key.serialize_pem()) })
}
