//! The pair in files: read at the start, and again when the files change or SIGHUP comes. What cannot be taken leaves the
//! pair before it in force.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use control::Control;
use rustix::fs::OFlags;
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

/// A regular file that is small enough for a certificate or a key. Whoever may put something else there can neither keep
/// this waiting nor fill the memory with it.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = OpenOptions::new().read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("is no regular file"));
    }
    bounded(file)
}

fn bounded(file: File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX {
        return Err(io::Error::other("is too large for a certificate or a key"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::{process::Command, sync::mpsc, thread};

    use super::*;

    #[test]
    fn only_regular_files_are_read_and_no_more_of_them_than_a_pair_has() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("right"), vec![b'x'; MAX as usize]).unwrap();
        fs::write(at("large"), vec![b'x'; MAX as usize + 1]).unwrap();
        assert!(Command::new("mkfifo").arg(at("pipe")).status().unwrap().success());
        assert_eq!(read(&at("right")).unwrap().len(), MAX as usize);
        assert!(read(&at("large")).unwrap_err().to_string().contains("too large"));
        // What is larger than it says, as a file that grows or one of /proc.
        let endless = File::open("/dev/zero").unwrap();
        assert!(bounded(endless).unwrap_err().to_string().contains("too large"));
        for path in [at("pipe"), "/dev/null".into(), folder.path().to_owned()] {
            let (done, outcome) = mpsc::channel();
            let shown = path.display().to_string();
            thread::spawn(move || done.send(read(&path).map_err(|error| error.to_string())));
            let outcome =
                outcome.recv_timeout(Duration::from_secs(30)).unwrap_or_else(|_| panic!("{shown} is waited for"));
            assert_eq!(outcome, Err("is no regular file".to_owned()), "{shown}");
        }
    }
}
