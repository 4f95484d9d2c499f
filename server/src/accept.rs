//! The listener and its connections. An own accept loop on hyper, because `axum::serve` has neither a header time-out
//! nor a bounded end: an open stream would hold the process for ever.

mod connection;
pub mod ending;
pub mod files;
mod hangup;
pub mod lanes;
mod opening;
pub mod places;
mod progress;
mod secured;
mod stall;
#[cfg(test)]
mod tests;
mod wait;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use futures_util::FutureExt;
use hyper::server::conn::http1;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_util::task::TaskTracker;

use crate::edge::Edge;
use ending::Ending;
use lanes::Lanes;
use secured::Fronts;

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1024;
/// A connection's buffer. Heads that do not fit get 431; above the 32 KiB that `edge` allows, so that a long address can
/// be told from large headers.
const BUFFER: usize = 72 * 1024;
/// Pause after a failed accept, so that a process out of file descriptors does not spin.
const BACKOFF: Duration = Duration::from_millis(50);

/// How long a caller may keep a connection waiting.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// From the connection, or a head's first byte, to the end of a request's head.
    pub head: Duration,
    /// From an answer to the first byte of the next request.
    pub idle: Duration,
    /// From the connection to the end of the TLS handshake.
    pub handshake: Duration,
    /// While nothing is taken of an answer that is waiting.
    pub write: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            // Longer than the pools of usual clients and proxies keep theirs (nginx 60 s), so that it is them who close.
            idle: Duration::from_secs(75),
            handshake: Duration::from_secs(10),
            write: Duration::from_secs(120),
        }
    }
}

/// What the connections of a listener share, beside their front.
pub struct Host {
    http: http1::Builder,
    ending: Ending,
    patience: Patience,
}

impl Host {
    pub fn new(ending: Ending, patience: Patience) -> Self {
        let mut http = http1::Builder::new();
        http.header_read_timeout(None).max_buf_size(BUFFER).half_close(false).keep_alive(true);
        Self { http, ending, patience }
    }
}

/// A port, and whose it is.
pub struct Listener {
    pub socket: TcpListener,
    /// It stays open when this process has gone: whoever waits there is for the next one to accept.
    pub handed_over: bool,
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

/// Where connections are served: each on a task of `tasks` in one of `lanes`.
#[derive(Clone)]
pub struct Connections {
    pub tasks: TaskTracker,
    pub lanes: Lanes,
}

/// Accepts connections until the end begins, and has each served.
pub async fn run(listener: Listener, edge: Arc<Edge>, connections: Connections, ending: Ending, patience: Patience) {
    let mut watch = ending.watch();
    let reception = Reception {
        fronts: Arc::new(Fronts::of(&edge)),
        host: Arc::new(Host::new(ending.clone(), patience)),
        edge,
        connections,
    };
    loop {
        let accepted = tokio::select! {
            accepted = listener.socket.accept() => accepted,
            () = ending.until_begun(&mut watch) => break,
        };
        if !reception.receive(accepted) {
            tokio::time::sleep(BACKOFF).await;
        }
    }
    // Whoever was let in by the system, but not by us yet, would be reset when the port closes.
    while !listener.handed_over
        && let Some(accepted) = listener.socket.accept().now_or_never()
        && reception.receive(accepted)
    {}
}

/// What becomes of connections that were accepted.
struct Reception {
    host: Arc<Host>,
    edge: Arc<Edge>,
    fronts: Arc<Fronts>,
    connections: Connections,
}

impl Reception {
    /// False if there is nothing to be had for a while.
    fn receive(&self, accepted: io::Result<(TcpStream, SocketAddr)>) -> bool {
        match accepted {
            Ok((stream, peer)) => self.welcome(stream, peer),
            // The caller hung up while waiting; the next one is no worse for it.
            Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) => {
            }
            Err(error) => {
                tracing::error!(%error, "cannot accept connections; is the limit of open files (ulimit -n) too low?");
                return false;
            }
        }
        true
    }

    fn welcome(&self, stream: TcpStream, peer: SocketAddr) {
        let Self { host, edge, fronts, connections } = self;
        let place = match edge.places.take(peer.ip(), edge.proxies.trusts(peer.ip())) {
            Ok(place) => place,
            Err(full) => {
                tracing::debug!(%peer, ?full, "a connection too many");
                return secured::turn_away(&stream);
            }
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot switch off Nagle's algorithm");
        }
        // The socket leaves the runtime that accepted it, for that of its lane.
        let stream = match stream.into_std() {
            Ok(stream) => stream,
            Err(error) => return tracing::error!(%error, "a connection was lost on its way to its lane"),
        };
        let seat = connections.lanes.seat();
        let runtime = seat.runtime().clone();
        let (host, edge) = (Arc::clone(host), Arc::clone(edge));
        // Two kinds of task, so that plain connections do not carry the room that TLS takes.
        match edge.tls.acceptor() {
            None => connections.tasks.spawn_on(
                async move {
                    if let Some(stream) = arrived(stream) {
                        connection::serve(host, stream, peer, edge).await;
                    }
                    drop((place, seat));
                },
                &runtime,
            ),
            Some(acceptor) => {
                let fronts = Arc::clone(fronts);
                let served = async move {
                    if let Some(stream) = arrived(stream) {
                        secured::serve(host, stream, peer, acceptor, fronts).await;
                    }
                    drop((place, seat));
                };
                connections.tasks.spawn_on(served, &runtime)
            }
        };
    }
}

/// The socket in the runtime of the calling task.
fn arrived(stream: std::net::TcpStream) -> Option<TcpStream> {
    TcpStream::from_std(stream)
        .inspect_err(|error| tracing::error!(%error, "a connection was lost on its way to its lane"))
        .ok()
}
