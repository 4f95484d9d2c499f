//! A certificate authority for a test, and pairs that it signs: good ones, expired ones, for any name.

use std::{path::Path, time::Duration};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose};

/// Vouches for nothing but what it signed itself.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key in PEM.
pub struct Pair {
    pub certificate: String,
    pub key: String,
}

impl Pair {
    /// Writes `cert.pem` and `key.pem` into a folder.
    pub fn write(&self, folder: &Path) {
        for (name, text) in [("cert.pem", &self.certificate), ("key.pem", &self.key)] {
            std::fs::write(folder.join(name), text).expect("a file of the pair");
        }
    }
}

impl Default for Authority {
    fn default() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("an authority"))
    }
}

impl Authority {
    /// Its own certificate in PEM.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A pair for these names and addresses.
    pub fn pair(&self, names: &[&str]) -> Pair {
        self.sign(names, 0)
    }

    /// The same, valid until yesterday.
    pub fn expired_pair(&self, names: &[&str]) -> Pair {
        self.sign(names, 3)
    }

    /// Valid for two days, which began so many days before today.
    fn sign(&self, names: &[&str], days_ago: u64) -> Pair {
        let day = Duration::from_secs(86_400);
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock");
        let mut params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
            .expect("names of a certificate");
        params.not_before = rcgen::date_time_ymd(1970, 1, 1) + now - day * u32::try_from(days_ago).expect("days");
        if days_ago == 0 {
            params.not_before -= day;
        }
        params.not_after = params.not_before + day * 2;
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        Pair { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}
