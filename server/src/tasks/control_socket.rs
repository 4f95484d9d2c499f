//! The command line's way into a running server: a Unix socket in the data folder, one JSON line each way
//! (a backup comes behind its line). Whoever may
//! open it may do everything; its mode and the folder's see to who that is.

pub mod backup;

use std::{
    fs, io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use control::{
    Control,
    command::{Command, MAX_COMMAND, Reply},
};
use domain::error::AdminError;
use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use zeroize::Zeroizing;

use super::socket_path::SocketPath;

/// Longest time a client may take to say what it wants.
const PATIENCE: Duration = Duration::from_secs(10);

/// The bound socket; its file goes when this is dropped.
pub struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
    /// Device and number of the file.
    file: (u64, u64),
}

impl ControlSocket {
    /// Binds the socket, in place of one that a killed server left behind. Call it only while holding the
    /// folder: then no living server can be using the old one.
    pub fn bind(path: &Path) -> io::Result<Self> {
        let fresh = path.with_extension("sock.new");
        let remove = |path: &Path| match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
        remove(&fresh)?;
        let listener = UnixListener::bind(SocketPath::new(&fresh)?.as_path())?;
        // Under its final name it is never open to others, and a client never finds it missing.
        fs::set_permissions(&fresh, fs::Permissions::from_mode(0o600))?;
        let file = identity(&fresh)?;
        fs::rename(&fresh, path)?;
        Ok(Self { listener, path: path.to_owned(), file })
    }

    /// Carries out commands until `stop`; those already begun are finished.
    pub async fn run(self, control: Control, stop: CancellationToken) {
        let commands = TaskTracker::new();
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = stop.cancelled() => break,
            };
            match accepted {
                Ok((stream, _)) => {
                    let (control, stop) = (control.clone(), stop.clone());
                    commands.spawn(async move {
                        if let Err(error) = answer(stream, control, stop).await {
                            tracing::debug!(%error, "a client of the control socket went away");
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "the control socket cannot accept");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        drop(self);
        commands.close();
        commands.wait().await;
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        // Whatever else stands there by now is somebody's who needs it.
        match identity(&self.path) {
            Ok(file) if file == self.file => {
                if let Err(error) = fs::remove_file(&self.path) {
                    tracing::debug!(%error, "the control socket cannot be removed");
                }
            }
            _ => tracing::debug!("the control socket is gone already"),
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

async fn answer(stream: UnixStream, control: Control, stop: CancellationToken) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let line = tokio::time::timeout(PATIENCE, one_line(BufReader::new(read))).await.map_err(io::Error::other)??;
    let result: Result<Reply, AdminError> = match line.as_deref().map(serde_json::from_slice::<Command>) {
        None => Err(AdminError::invalid("command", "is too long")),
        Some(Ok(Command::Backup { passphrase, usage })) => {
            return backup::send(write, control, Zeroizing::new(passphrase), usage, stop).await;
        }
        Some(Ok(command)) => control.execute(command).await,
        Some(Err(error)) => {
            // The line may hold a password: position and kind of the fault, never its text.
            let message = format!(
                "the running server does not know this command ({:?}): is it another version?",
                error.classify()
            );
            Err(AdminError::Conflict { message })
        }
    };
    let mut answer = serde_json::to_vec(&result).map_err(io::Error::other)?;
    answer.push(b'\n');
    write.write_all(&answer).await?;
    write.shutdown().await
}

/// The line, `None` if it is longer than any command. Such a one is read to its end all the same: who is still writing
/// does not listen.
async fn one_line(mut read: impl AsyncBufRead + Unpin) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let taken = (&mut read).take(MAX_COMMAND as u64).read_until(b'\n', &mut line).await?;
    if taken < MAX_COMMAND || line.ends_with(b"\n") {
        return Ok(Some(line));
    }
    loop {
        let more = read.fill_buf().await?;
        let end = more.iter().position(|byte| *byte == b'\n');
        let count = end.map_or(more.len(), |end| end + 1);
        read.consume(count);
        if end.is_some() || count == 0 {
            return Ok(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_its_own_socket_goes_with_a_server() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        let first = ControlSocket::bind(&path).unwrap();
        let second = ControlSocket::bind(&path).unwrap();
        drop(first);
        UnixStream::connect(&path).await.unwrap();
        drop(second);
        assert!(!path.exists());
    }
}
