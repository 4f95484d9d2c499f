//! TLS of the gateway's own port: what the Network page shows and takes.

use serde::{Deserialize, Serialize};

/// Where the pair in force comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PairSource {
    /// `TLS_CERT` and `TLS_KEY`.
    Files,
    /// Uploaded or made on the page.
    Saved,
}

/// A certificate for people; nothing of its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateView {
    /// Names and addresses it is for.
    pub names: Vec<String>,
    /// Unix milliseconds.
    pub not_after: u64,
    /// Signed by itself: browsers ask before they trust it.
    pub self_signed: bool,
    /// SHA-256 of the certificate, as browsers show it.
    pub fingerprint: String,
}

/// TLS as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsView {
    /// `None`: the port speaks plain HTTP.
    pub in_force: Option<(PairSource, CertificateView)>,
    /// Why the files could not be taken the last time they changed; the pair before them stays.
    pub files_fault: Option<String>,
    /// Names that a self-signed pair should have for this visit.
    pub suggested_names: String,
}

/// Uploads a pair in PEM.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SavePair {
    /// The certificate and its chain.
    pub certificate: String,
    pub private_key: String,
}

/// Makes a pair that is signed by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MakePair {
    /// Names and addresses, separated by commas or blanks.
    pub names: String,
}
