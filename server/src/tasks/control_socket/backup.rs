//! A backup on its way over the control socket: pieces behind their lengths, then a length of 0, then one JSON line that
//! says how it ended. Without that line nothing that came is a backup.

use std::{io, time::Duration};

use control::{Control, command::Reply};
use domain::error::AdminError;
use tokio::{io::AsyncWriteExt, net::unix::OwnedWriteHalf, sync::mpsc};
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

/// Pieces that wait for the client.
const AHEAD: usize = 4;
/// Longest time a client may take for a piece: as long as it takes none, the database keeps an old view for it.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longest piece that a client believes.
pub const MAX_PIECE: u32 = 300 << 20;

/// Sends a backup; ends early when the server stops.
pub async fn send(
    mut write: OwnedWriteHalf,
    control: Control,
    passphrase: Zeroizing<String>,
    usage: bool,
    stop: CancellationToken,
) -> io::Result<()> {
    line(&mut write, &Ok(Reply::Done)).await?;
    let (sender, pieces) = mpsc::channel(AHEAD);
    let (made, sent) =
        tokio::join!(control.backup_by_command(passphrase, usage, sender), forward(&mut write, pieces, stop));
    let end = match (made, sent?) {
        (_, Ended::Stopped) => {
            let message = "the server is stopping: make the backup again, with or without a running server".into();
            Err(AdminError::Conflict { message })
        }
        (made, Ended::Whole) => made.map(Reply::BackedUp),
    };
    write.write_all(&0_u32.to_be_bytes()).await?;
    line(&mut write, &end).await?;
    write.shutdown().await
}

enum Ended {
    Whole,
    Stopped,
}

/// Dropping the pieces ends the backup.
async fn forward(
    write: &mut OwnedWriteHalf,
    mut pieces: mpsc::Receiver<Vec<u8>>,
    stop: CancellationToken,
) -> io::Result<Ended> {
    loop {
        let piece = tokio::select! {
            piece = pieces.recv() => piece,
            () = stop.cancelled() => return Ok(Ended::Stopped),
        };
        let Some(piece) = piece else { return Ok(Ended::Whole) };
        let length = u32::try_from(piece.len()).map_err(io::Error::other)?;
        let sending = async {
            write.write_all(&length.to_be_bytes()).await?;
            write.write_all(&piece).await
        };
        tokio::time::timeout(PATIENCE, sending).await??;
    }
}

async fn line(write: &mut OwnedWriteHalf, answer: &Result<Reply, AdminError>) -> io::Result<()> {
    let mut line = serde_json::to_vec(answer).map_err(io::Error::other)?;
    line.push(b'\n');
    write.write_all(&line).await
}
