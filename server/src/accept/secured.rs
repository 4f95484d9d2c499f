//! Connections of a port that speaks TLS, up to where they are like any other; and what is said to one connection too many.

use std::{net::SocketAddr, sync::Arc};

use hyper::server::conn::http1;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::{Patience, connection};
use crate::{
    edge::{Edge, Transport},
    tls::HANDSHAKE,
};

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
pub async fn serve(
    http: http1::Builder,
    stream: TcpStream,
    peer: SocketAddr,
    acceptor: TlsAcceptor,
    fronts: Arc<Fronts>,
    stop: CancellationToken,
    patience: Patience,
) {
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
    let opened = tokio::select! {
        opened = timeout(patience.handshake, opened) => opened.unwrap_or(Ok(None)),
        // Nothing was asked yet.
        () = stop.cancelled() => return,
    };
    match opened {
        Ok(Some(Opened::Tls(stream))) => {
            connection::serve(http, *stream, peer, Arc::clone(&fronts.tls), stop, patience.write).await;
        }
        Ok(Some(Opened::Plain(stream))) => {
            connection::serve(http, stream, peer, Arc::clone(&fronts.plain), stop, patience.write).await;
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
