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
        self.pair_until(names, 1)
    }

    /// The same, valid for so many days from now on.
    pub fn pair_until(&self, names: &[&str], days: u32) -> Pair {
        let (now, day) = today();
        self.sign(names, now - day, now + day * days)
    }

    /// The same, valid until yesterday.
    pub fn expired_pair(&self, names: &[&str]) -> Pair {
        let (now, day) = today();
        self.sign(names, now - day * 3, now - day)
    }

    fn sign(&self, names: &[&str], from: Duration, until: Duration) -> Pair {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names of a certificate");
        let epoch = rcgen::date_time_ymd(1970, 1, 1);
        (params.not_before, params.not_after) = (epoch + from, epoch + until);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        Pair { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

/// The time since the epoch, and a day.
fn today() -> (Duration, Duration) {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock");
    (now, Duration::from_secs(86_400))
}
