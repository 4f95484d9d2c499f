//! The listener and its connections. An own accept loop on hyper, because `axum::serve` has neither a header time-out
//! nor a bounded end: an open stream would hold the process for ever.

mod connection;
mod stall;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use hyper::server::conn::http1;
use hyper_util::rt::TokioTimer;
use tokio::net::{TcpListener, TcpSocket};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::edge::Edge;

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1024;
/// Longest time from the connection, or the previous answer, to the end of a request's head.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);
/// Most headers that are read; more get a bare 431. Above what `edge` allows, which refuses in words.
const MAX_HEADERS: usize = 256;
/// A connection's buffer. Heads that do not fit get 431; above the 32 KiB that `edge` allows, so that a long address can
/// be told from large headers.
const BUFFER: usize = 72 * 1024;
/// Pause after a failed accept, so that a process out of file descriptors does not spin.
const BACKOFF: Duration = Duration::from_millis(50);

/// Binds the one port. The error says what to do.
pub fn bind(address: SocketAddr) -> Result<TcpListener, String> {
    listen(address).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "port {} on {} is in use: stop the program that uses it, or set PROXY_PORT to another port",
            address.port(),
            address.ip()
        ),
        io::ErrorKind::PermissionDenied => {
            format!("not allowed to listen on {address}: set PROXY_PORT to a port from 1024 on")
        }
        io::ErrorKind::AddrNotAvailable => {
            format!("{} is no address of this machine: set PROXY_HOST to 127.0.0.1 or 0.0.0.0", address.ip())
        }
        _ => format!("cannot listen on {address}: {error}"),
    })
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Accepts connections until `stop` and serves each on a task of `connections`; `stop` also asks them to end after the
/// request they are at.
pub async fn run(listener: TcpListener, edge: Arc<Edge>, connections: TaskTracker, stop: CancellationToken) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        .max_headers(MAX_HEADERS)
        .max_buf_size(BUFFER)
        .half_close(false)
        .keep_alive(true);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                connections.spawn(connection::serve(http.clone(), stream, peer, Arc::clone(&edge), stop.clone()));
            }
            // The caller hung up while waiting; the next one is no worse for it.
            Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) => {
            }
            Err(error) => {
                tracing::error!(%error, "cannot accept connections; is the limit of open files (ulimit -n) too low?");
                tokio::time::sleep(BACKOFF).await;
            }
        }
    }
}
