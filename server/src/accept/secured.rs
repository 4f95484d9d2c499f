//! Connections of a port that speaks TLS, up to where they are like any other; and what is said to one connection too many.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsAcceptor;

use super::{Host, connection};
use crate::{
    edge::{Edge, Transport},
    tls::HANDSHAKE,
};

/// How long a handshake that was begun may still take once the process stops.
const LAST_CALL: Duration = Duration::from_secs(1);
/// For a caller that speaks plain HTTP; one that speaks TLS sees a closed connection.
const TOO_MANY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// The listener's front for what came through TLS, and for what should have.
pub struct Fronts {
    tls: Arc<Edge>,
    plain: Arc<Edge>,
}

impl Fronts {
    pub fn of(edge: &Edge) -> Self {
        Self { tls: Arc::new(edge.over(Transport::Tls)), plain: Arc::new(edge.over(Transport::PlainOnTls)) }
    }
}

/// Does the handshake and serves what comes behind it. Silence, and half a handshake, are waited for only so long.
pub async fn serve(host: Arc<Host>, stream: TcpStream, peer: SocketAddr, acceptor: TlsAcceptor, fronts: Arc<Fronts>) {
    let mut watch = host.ending.watch();
    let opened = async {
        let mut first = [0; 1];
        if stream.peek(&mut first).await? == 0 {
            return Ok(None);
        }
        if first[0] != HANDSHAKE {
            return Ok(Some(Opened::Plain(stream)));
        }
        acceptor.accept(stream).await.map(|stream| Some(Opened::Tls(Box::new(stream))))
    };
    let last_call = async {
        host.ending.until_begun(&mut watch).await;
        let _ = timeout(LAST_CALL, host.ending.until_cut(&mut watch)).await;
    };
    let opened = tokio::select! {
        opened = timeout(host.patience.handshake, opened) => opened.unwrap_or(Ok(None)),
        // Nothing was asked yet.
        () = last_call => return,
    };
    match opened {
        Ok(Some(Opened::Tls(stream))) => {
            connection::serve(host, *stream, peer, Arc::clone(&fronts.tls)).await;
        }
        Ok(Some(Opened::Plain(stream))) => {
            connection::serve(host, stream, peer, Arc::clone(&fronts.plain)).await;
        }
        Ok(None) => tracing::debug!(%peer, "no TLS handshake came"),
        Err(error) => tracing::debug!(%error, %peer, "a TLS handshake failed"),
    }
}

enum Opened {
    Tls(Box<tokio_rustls::server::TlsStream<TcpStream>>),
    Plain(TcpStream),
}

/// Says that there is no room, if the caller listens at once; nobody waits for that.
pub fn turn_away(stream: &TcpStream) {
    let _ = stream.try_write(TOO_MANY);
}
