//! One connection, from accept to close.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::future::BoxFuture;
use gateway::Body;
use http::{Request, Response};
use http_body_util::{BodyExt, Collected};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

use super::{
    opening::{Bare, Opening},
    stall::Impatient,
};
use crate::edge::Edge;

/// How long a connection on which nothing was asked yet may still ask once the process stops.
const LAST_CALL: Duration = Duration::from_millis(500);
/// Longest silence and longest total of a caller that still sends after its answer.
const LINGER_SILENCE: Duration = Duration::from_secs(1);
const LINGER_TOTAL: Duration = Duration::from_secs(5);

/// Serves requests until the caller or `stop` ends it, or the caller takes nothing of an answer for `write_patience`.
pub async fn serve<S>(
    http: http1::Builder,
    stream: S,
    peer: SocketAddr,
    edge: Arc<Edge>,
    stop: CancellationToken,
    write_patience: Duration,
) where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let asked = Arc::new(AtomicBool::new(false));
    let service = {
        let (asked, edge) = (Arc::clone(&asked), Arc::clone(&edge));
        service_fn(move |request: Request<Incoming>| -> BoxFuture<'static, Result<Response<Body>, Infallible>> {
            asked.store(true, Ordering::Relaxed);
            let edge = Arc::clone(&edge);
            Box::pin(async move { Ok(edge.handle(request, peer).await) })
        })
    };
    let io = Opening::new(Impatient::new(stream, write_patience), Arc::clone(&asked));
    let mut connection = http.serve_connection(TokioIo::new(io), service);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = stop.cancelled() => {
            Pin::new(&mut connection).graceful_shutdown();
            if asked.load(Ordering::Relaxed) {
                (&mut connection).await
            } else {
                // hyper would wait for a first request as long as for any head.
                tokio::select! {
                    ended = &mut connection => ended,
                    () = silence(&asked) => return,
                }
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, %peer, "a connection ended badly");
    }
    let (mut stream, bare) = connection.into_parts().io.into_inner().into_parts();
    if let Some(bare) = bare {
        let answer = tell(&edge, &bare).await;
        // A caller that does not wait for its answer gets none.
        let _ = tokio::time::timeout(write_patience, stream.write_all(&answer)).await;
    }
    linger(stream.into_inner()).await;
}

/// The refusal of a head that could not be read, in words.
async fn tell(edge: &Edge, bare: &Bare) -> Vec<u8> {
    let (parts, body) = edge.unreadable(&bare.path, bare.status).into_parts();
    let body = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
    bare.tell(&parts.headers, &body)
}

/// Ends if nothing was asked for a moment.
async fn silence(asked: &AtomicBool) {
    tokio::time::sleep(LAST_CALL).await;
    if asked.load(Ordering::Relaxed) {
        std::future::pending::<()>().await;
    }
}

/// Closes our side and takes what still comes. Closing with unread bytes makes the kernel send a reset, and the caller,
/// still busy sending its body, would never see the answer that refused it.
async fn linger(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    if stream.shutdown().await.is_err() {
        return;
    }
    let mut scratch = [0; 4096];
    let drain =
        async { while let Ok(Ok(1..)) = tokio::time::timeout(LINGER_SILENCE, stream.read(&mut scratch)).await {} };
    // Whoever is still sending after that is not listening.
    let _ = tokio::time::timeout(LINGER_TOTAL, drain).await;
}
