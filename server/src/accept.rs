//! The listener and its connections. An own accept loop on hyper, because `axum::serve` has neither a header time-out
//! nor a bounded end: an open stream would hold the process for ever.

mod connection;
mod opening;
pub mod places;
mod secured;
mod stall;
#[cfg(test)]
mod tests;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use hyper::server::conn::http1;
use hyper_util::rt::TokioTimer;
use tokio::net::{TcpListener, TcpSocket};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::edge::Edge;
use secured::Fronts;

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1024;
/// Most headers that are read. Above what `edge` allows, which refuses in words.
const MAX_HEADERS: usize = 256;
/// A connection's buffer. Heads that do not fit get 431; above the 32 KiB that `edge` allows, so that a long address can
/// be told from large headers.
const BUFFER: usize = 72 * 1024;
/// Pause after a failed accept, so that a process out of file descriptors does not spin.
const BACKOFF: Duration = Duration::from_millis(50);

/// How long a caller may keep a connection waiting.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// From the connection, or the previous answer, to the end of a request's head.
    pub head: Duration,
    /// From the connection to the end of the TLS handshake.
    pub handshake: Duration,
    /// While nothing is taken of an answer that is waiting.
    pub write: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { head: Duration::from_secs(10), handshake: Duration::from_secs(10), write: Duration::from_secs(120) }
    }
}

/// Binds the one port. The error says what to do.
pub fn bind(address: SocketAddr) -> Result<TcpListener, String> {
    bind_for(address, "PROXY_HOST", "PROXY_PORT")
}

/// Binds the port of the admin pages where they have their own.
pub fn bind_admin(address: SocketAddr) -> Result<TcpListener, String> {
    bind_for(address, "the host of ADMIN_LISTEN", "that of ADMIN_LISTEN")
}

fn bind_for(address: SocketAddr, host: &str, port: &str) -> Result<TcpListener, String> {
    listen(address).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "port {} on {} is in use: stop the program that uses it, or set {port} to another port",
            address.port(),
            address.ip()
        ),
        io::ErrorKind::PermissionDenied => {
            format!("not allowed to listen on {address}: set {port} to a port from 1024 on")
        }
        io::ErrorKind::AddrNotAvailable => {
            format!("{} is no address of this machine: set {host} to 127.0.0.1 or 0.0.0.0", address.ip())
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
pub async fn run(
    listener: TcpListener,
    edge: Arc<Edge>,
    connections: TaskTracker,
    stop: CancellationToken,
    patience: Patience,
) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(patience.head)
        .max_headers(MAX_HEADERS)
        .max_buf_size(BUFFER)
        .half_close(false)
        .keep_alive(true);
    let fronts = Arc::new(Fronts::of(&edge));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => return,
        };
        match accepted {
            Ok((stream, peer)) => {
                let place = match edge.places.take(peer.ip(), edge.proxies.trusts(peer.ip())) {
                    Ok(place) => place,
                    Err(full) => {
                        tracing::debug!(%peer, ?full, "a connection too many");
                        secured::turn_away(&stream);
                        continue;
                    }
                };
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "cannot switch off Nagle's algorithm");
                }
                let (http, stop) = (http.clone(), stop.clone());
                match edge.tls.acceptor() {
                    None => {
                        let edge = Arc::clone(&edge);
                        connections.spawn(async move {
                            connection::serve(http, stream, peer, edge, stop, patience.write).await;
                            drop(place);
                        });
                    }
                    Some(acceptor) => {
                        let fronts = Arc::clone(&fronts);
                        connections.spawn(async move {
                            secured::serve(http, stream, peer, acceptor, fronts, stop, patience).await;
                            drop(place);
                        });
                    }
                }
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
