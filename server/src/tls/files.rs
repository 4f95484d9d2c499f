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
use tokio::signal::unix::{Signal, SignalKind, signal};
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

    /// From now on SIGHUP is ours and every change counts, also before [`Watch::run`] is under way. Needs a runtime.
    pub fn watched(self) -> io::Result<Watch> {
        Ok(Watch { known: self.stamps(), files: self, hang_up: signal(SignalKind::hangup())? })
    }
}

/// The pair's files with all that tells when to read them. SIGHUP is taken before anything is announced: to a process
/// that has not taken it, it is the end.
pub struct Watch {
    files: TlsFiles,
    known: [Stamp; 2],
    hang_up: Signal,
}

impl Watch {
    /// The pair as it is now.
    pub fn read(&self) -> Result<(Vec<u8>, Zeroizing<Vec<u8>>), String> {
        self.files.read()
    }

    /// Waits until the files are to be read again.
    async fn next(&mut self) {
        loop {
            let asked = tokio::select! {
                Some(()) = self.hang_up.recv() => true,
                () = tokio::time::sleep(LOOK) => false,
            };
            let found = self.files.stamps();
            if asked || found != self.known {
                self.known = found;
                return;
            }
        }
    }

    /// Reads the files again whenever they change, until `stop`.
    pub async fn run(mut self, control: Control, stop: CancellationToken) {
        while stop.run_until_cancelled(self.next()).await.is_some() {
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

    #[tokio::test]
    async fn a_signal_that_comes_before_anybody_watches_ends_nothing_and_is_not_lost() {
        let folder = tempfile::tempdir().unwrap();
        let files = TlsFiles { certificate: folder.path().join("cert.pem"), key: folder.path().join("key.pem") };
        let mut watch = files.watched().unwrap();
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::HUP).unwrap();
        watch.next().await;
        assert!(watch.known.iter().all(Option::is_none));
        // A change between the first reading and the first look counts too.
        fs::write(folder.path().join("key.pem"), "new").unwrap();
        watch.next().await;
        assert!(watch.known[1].is_some());
    }

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
