//! The pair in files: read at the start, and again when the files change or SIGHUP comes. What cannot be taken leaves the
//! pair before it in force.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

use control::Control;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(2);
/// Largest file that is read.
const MAX: u64 = 1 << 20;

/// Where the pair is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// What tells one state of a file from another.
type Stamp = Option<(u64, u64, i64, i64)>;

impl TlsFiles {
    /// Both files' bytes. The error names the variable and the file.
    pub fn read(&self) -> Result<(Vec<u8>, Zeroizing<Vec<u8>>), String> {
        let of = |name: &str, path: &Path| read(path).map_err(|error| format!("{name}: {}: {error}", path.display()));
        Ok((of("TLS_CERT", &self.certificate)?, Zeroizing::new(of("TLS_KEY", &self.key)?)))
    }

    fn stamps(&self) -> [Stamp; 2] {
        [&self.certificate, &self.key].map(|path| {
            let found = fs::metadata(path).ok()?;
            Some((found.ino(), found.len(), found.mtime(), found.mtime_nsec()))
        })
    }

    /// Reads the files again whenever they change, until `stop`.
    pub async fn watch(self, control: Control, stop: CancellationToken) {
        let mut hang_up = match signal(SignalKind::hangup()) {
            Ok(hang_up) => hang_up,
            Err(error) => {
                tracing::error!(%error, "cannot listen for SIGHUP");
                return;
            }
        };
        let mut known = self.stamps();
        loop {
            let asked = tokio::select! {
                () = stop.cancelled() => return,
                Some(()) = hang_up.recv() => true,
                () = tokio::time::sleep(LOOK) => false,
            };
            let found = self.stamps();
            if !asked && found == known {
                continue;
            }
            known = found;
            match control.take_tls_files(self.read()) {
                Ok(()) => tracing::info!("the TLS certificate was read again and is in force"),
                Err(fault) => {
                    tracing::error!(fault, "the TLS certificate could not be read again; the one before it stays")
                }
            }
        }
    }
}

/// A file that is small enough for a certificate or a key.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    if fs::metadata(path)?.len() > MAX {
        return Err(io::Error::other("is too large for a certificate or a key"));
    }
    fs::read(path)
}
