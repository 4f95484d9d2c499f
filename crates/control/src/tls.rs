//! The pair that the gateway's own port speaks TLS with: saved in the store with its key sealed, or from files that the
//! server watches. What is saved wins. A new pair counts only if it fits together; else the old one stays.

mod certificate;
mod pair;

use std::sync::{Arc, Mutex};

use arc_swap::ArcSwapOption;
use base64::{Engine, engine::general_purpose::STANDARD};
use domain::{
    error::AdminError,
    tls::{MakePair, PairSource, SavePair, TlsView},
};
use rustls::{
    pki_types::{CertificateDer, pem::PemObject},
    sign::CertifiedKey,
};
use store::row::Op;
use zeroize::Zeroizing;

use crate::{
    Actor, Control,
    by::By,
    clock::Now,
    lock::lock,
    secrets::seal::{Place, Sealer},
    state::State,
};
use pair::{Pair, PemPair};

pub(crate) const CERTIFICATE: &str = "network.tls_certificate";
pub(crate) const KEY: &str = "network.tls_key";

/// The pairs there are.
#[derive(Default)]
pub(crate) struct Pairs {
    saved: ArcSwapOption<Pair>,
    files: ArcSwapOption<Pair>,
    files_fault: Mutex<Option<String>>,
    /// The stored texts that `saved` was read from.
    read: Mutex<Option<(String, String)>>,
}

impl Pairs {
    /// Follows what is stored. A stored pair that cannot be read leaves the one before it in force.
    pub fn follow(&self, state: &State, sealer: &Sealer) {
        let stored = state.setting(CERTIFICATE).zip(state.setting(KEY));
        let stored = stored.map(|(certificate, key)| (certificate.to_owned(), key.to_owned()));
        let mut read = lock(&self.read);
        if *read == stored {
            return;
        }
        match &stored {
            None => self.saved.store(None),
            Some((certificate, key)) => match open(certificate, key, sealer) {
                Some(pair) => self.saved.store(Some(Arc::new(pair))),
                None => {
                    tracing::error!("the stored TLS certificate and key cannot be read; the pair before them stays")
                }
            },
        }
        *read = stored;
    }

    /// When the certificate in force ends, in Unix milliseconds.
    pub fn end(&self) -> Option<u64> {
        self.in_force().map(|(_, pair)| pair.view.not_after)
    }

    fn in_force(&self) -> Option<(PairSource, Arc<Pair>)> {
        let saved = self.saved.load_full().map(|pair| (PairSource::Saved, pair));
        saved.or_else(|| self.files.load_full().map(|pair| (PairSource::Files, pair)))
    }
}

fn open(certificate: &str, key: &str, sealer: &Sealer) -> Option<Pair> {
    let sealed = STANDARD.decode(key).ok()?;
    let key = sealer.open(&Place::setting(KEY), &sealed)?;
    Pair::read(certificate.as_bytes(), key.as_bytes()).ok()
}

/// A stored certificate in words, `None` if it cannot be read.
pub(crate) fn told(certificate: &str) -> Option<String> {
    let first = CertificateDer::pem_slice_iter(certificate.as_bytes()).next()?.ok()?;
    let (view, _) = certificate::facts(&first)?;
    let until = domain::policy::format_utc(view.not_after).replace('T', " ");
    Some(format!("for {}, valid until {until} UTC, SHA-256 {}", view.names.join(", "), view.fingerprint))
}

/// Whether a certificate and its key, in PEM, fit together and are valid now. The error names the half at fault:
/// `certificate` or `private_key`.
pub fn check_pair(certificate: &[u8], key: &[u8]) -> Result<(), domain::error::FieldError> {
    Pair::read(certificate, key)?.check_time(Now::read().wall)
}

impl Control {
    /// The certificate to speak TLS with; `None` while the port speaks plain HTTP.
    pub fn tls_key(&self) -> Option<Arc<CertifiedKey>> {
        self.0.pairs.in_force().map(|(_, pair)| Arc::clone(&pair.key))
    }

    /// Takes a pair that was read from files, or leaves the one before it and says why.
    pub fn take_tls_files(&self, found: Result<(Vec<u8>, Zeroizing<Vec<u8>>), String>) -> Result<(), String> {
        let taken = found.and_then(|(certificate, key)| {
            let pair = Pair::read(&certificate, &key).and_then(|pair| {
                pair.check_time(Now::read().wall)?;
                Ok(pair)
            });
            pair.map_err(|fault| format!("{}: {}", fault.field, fault.message))
        });
        *lock(&self.0.pairs.files_fault) = taken.as_ref().err().cloned();
        taken.map(|pair| self.0.pairs.files.store(Some(Arc::new(pair))))
    }

    /// `host` is the Host header that the page was asked under.
    pub fn tls(&self, _actor: &Actor, host: &str) -> TlsView {
        let behind = host.rfind(']').unwrap_or(0);
        let name = host[behind..].rfind(':').map_or(host, |colon| &host[..behind + colon]);
        let own = name.trim_start_matches('[').trim_end_matches(']');
        let names: Vec<&str> =
            [own].into_iter().chain(["localhost", "127.0.0.1"].into_iter().filter(|other| *other != own)).collect();
        TlsView {
            in_force: self.0.pairs.in_force().map(|(source, pair)| (source, pair.view.clone())),
            files_fault: lock(&self.0.pairs.files_fault).clone(),
            suggested_names: names.join(", "),
        }
    }

    /// Saves an uploaded pair; connections made from now on speak TLS with it.
    pub async fn save_pair(&self, actor: &Actor, input: SavePair) -> Result<(), AdminError> {
        let by = self.owns_now(actor, "TLS certificate saved")?;
        let pair = PemPair { certificate: input.certificate, key: Zeroizing::new(input.private_key) };
        self.store_pair(by, pair).await
    }

    /// Makes a pair for a LAN and saves it.
    pub async fn make_pair(&self, actor: &Actor, input: MakePair) -> Result<(), AdminError> {
        let by = self.owns_now(actor, "TLS certificate made")?;
        let made = pair::make(&input.names, Now::read().wall);
        let made = made.map_err(|fault| AdminError::Invalid { fields: vec![fault] })?;
        self.store_pair(by, made).await
    }

    /// Forgets the saved pair: the files' pair counts again, or plain HTTP.
    pub async fn remove_pair(&self, actor: &Actor) -> Result<(), AdminError> {
        self.mutate(self.owns_now(actor, "TLS certificate removed")?, |state| {
            let stored = [CERTIFICATE, KEY].into_iter().filter(|name| state.setting(name).is_some());
            Ok((stored.map(|name| Op::DeleteSetting(name.into())).collect(), ()))
        })
        .await
    }

    async fn store_pair(&self, by: By, pem: PemPair) -> Result<(), AdminError> {
        let invalid = |fault| AdminError::Invalid { fields: vec![fault] };
        let pair = Pair::read(pem.certificate.as_bytes(), pem.key.as_bytes()).map_err(invalid)?;
        pair.check_time(Now::read().wall).map_err(invalid)?;
        self.mutate(by, |_| {
            let sealed = STANDARD.encode(self.0.secrets.sealer().seal(&Place::setting(KEY), &pem.key)?);
            let certificate = Op::PutSetting(CERTIFICATE.into(), pem.certificate.clone());
            Ok((vec![certificate, Op::PutSetting(KEY.into(), sealed)], ()))
        })
        .await
    }
}

/// Certificate and key of a pair for `names`.
#[cfg(test)]
pub(crate) fn tests_pair(names: &str) -> (String, String) {
    let made = pair::make(names, Now::read().wall).unwrap_or_else(|fault| panic!("{fault:?}"));
    (made.certificate, made.key.to_string())
}

#[cfg(test)]
#[path = "tls/tests.rs"]
mod tests;
