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
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_util::sync::CancellationToken;

use super::stall::Impatient;
use crate::edge::Edge;

/// Longest time a caller may take nothing of an answer that is waiting for it.
const WRITE_PATIENCE: Duration = Duration::from_secs(120);
/// How long a connection on which nothing was asked yet may still ask once the process stops.
const LAST_CALL: Duration = Duration::from_millis(500);
/// Longest silence and longest total of a caller that still sends after its answer.
const LINGER_SILENCE: Duration = Duration::from_secs(1);
const LINGER_TOTAL: Duration = Duration::from_secs(5);

/// Serves requests until the caller or `stop` ends it.
pub async fn serve(
    http: http1::Builder,
    stream: TcpStream,
    peer: SocketAddr,
    edge: Arc<Edge>,
    stop: CancellationToken,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot switch off Nagle's algorithm");
    }
    let asked = Arc::new(AtomicBool::new(false));
    let service = {
        let asked = Arc::clone(&asked);
        service_fn(move |request: Request<Incoming>| -> BoxFuture<'static, Result<Response<Body>, Infallible>> {
            asked.store(true, Ordering::Relaxed);
            let edge = Arc::clone(&edge);
            Box::pin(async move { Ok(edge.handle(request, peer).await) })
        })
    };
    let mut connection = http.serve_connection(TokioIo::new(Impatient::new(stream, WRITE_PATIENCE)), service);
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
    linger(connection.into_parts().io.into_inner().into_inner()).await;
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
async fn linger(mut stream: TcpStream) {
    if stream.shutdown().await.is_err() {
        return;
    }
    let mut scratch = [0; 4096];
    let drain =
        async { while let Ok(Ok(1..)) = tokio::time::timeout(LINGER_SILENCE, stream.read(&mut scratch)).await {} };
    // Whoever is still sending after that is not listening.
    let _ = tokio::time::timeout(LINGER_TOTAL, drain).await;
}
