//! One connection, from accept to close.

use std::{convert::Infallible, future::poll_fn, net::SocketAddr, pin::Pin, sync::Arc, task::Poll, time::Duration};

use futures_util::future::BoxFuture;
use http::{HeaderValue, Request, Response, header};
use http_body_util::{BodyExt, Collected};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{
    Host,
    hangup::{Closing, Watched},
    opening::{Bare, Opening},
    progress::{Counted, Progress},
    stall::Impatient,
    wait::Wait,
};
use crate::edge::Edge;

/// How often a connection looks whether it may close once the process ends. It closes at the second look in a row at which
/// it had nothing to do: a request that was on its way when the end began, or that follows an answer at once, is served.
const LAST_CALL: Duration = Duration::from_millis(250);
/// Longest silence and longest total of a caller that still sends after its answer.
const LINGER_SILENCE: Duration = Duration::from_secs(1);
const LINGER_TOTAL: Duration = Duration::from_secs(5);

/// Serves requests until the caller or the end of the process ends it, or patience is over.
pub async fn serve<S>(host: Arc<Host>, stream: S, peer: SocketAddr, edge: Arc<Edge>)
where
    S: AsyncRead + AsyncWrite + Closing + Send + Unpin + 'static,
{
    let mut watch = host.ending.watch();
    let progress = Arc::new(Progress::default());
    let service = {
        // Counted for this connection alone: the count of all would travel between cores with every request.
        let (progress, edge) = (Arc::clone(&progress), Arc::new(Arc::clone(&edge)));
        service_fn(move |request: Request<Incoming>| -> BoxFuture<'static, Result<Response<Counted>, Infallible>> {
            progress.begin();
            let (progress, edge, request) = (Arc::clone(&progress), Arc::clone(&edge), Box::new(request));
            Box::pin(async move {
                let mut response = edge.handle(request, peer).await;
                if !edge.readiness.get() {
                    // Stopping: what comes next belongs on another connection.
                    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                }
                Ok(response.map(|body| Counted::new(body, progress)))
            })
        })
    };
    let io = Opening::new(Impatient::new(Watched::new(stream), host.patience.write), Arc::clone(&progress));
    let mut connection = host.http.serve_connection(TokioIo::new(io), service);
    let mut wait = Wait::new(host.patience, Arc::clone(&progress));
    let mut goodbye = Goodbye::default();
    let mut closing = false;
    let ended = loop {
        if host.ending.is_cut() {
            return;
        }
        let leaves = host.ending.has_begun() && !closing;
        // hyper is not woken for what a silent caller is waited for.
        let step = poll_fn(|cx| match Pin::new(&mut connection).poll(cx) {
            Poll::Ready(ended) => Poll::Ready(Some(ended)),
            Poll::Pending => wait.poll_over(cx).map(|()| None),
        });
        tokio::select! {
            biased;
            ended = step => break ended,
            () = watch.raised() => {}
            () = tokio::time::sleep(LAST_CALL), if leaves => if goodbye.is_due(&progress) {
                // hyper would go on to wait for a first head.
                if !progress.was_asked() {
                    return;
                }
                closing = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
        }
    };
    match ended {
        Some(Ok(())) => {}
        Some(Err(error)) => tracing::debug!(%error, %peer, "a connection ended badly"),
        None => tracing::debug!(%peer, "a caller was waited for too long"),
    }
    let (mut stream, bare) = connection.into_parts().io.into_inner().into_parts();
    // In a box: a connection should not carry the room of its end all its life.
    let farewell = Box::pin(async {
        if let Some(bare) = bare {
            let answer = tell(&edge, &bare).await;
            // A caller that does not wait for its answer gets none.
            let _ = tokio::time::timeout(host.patience.write, stream.write_all(&answer)).await;
        }
        linger(stream.into_inner()).await;
    });
    tokio::select! {
        () = farewell => {}
        () = host.ending.until_cut(&mut watch) => {}
    }
}

/// Whether a connection may close.
#[derive(Default)]
struct Goodbye {
    begun: u32,
    quiet: u32,
}

impl Goodbye {
    /// It had nothing to do at this look and the one before it, nor in between.
    fn is_due(&mut self, progress: &Progress) -> bool {
        let begun = progress.begun();
        if !progress.is_idle() || (self.quiet > 0 && begun != self.begun) {
            self.quiet = 0;
        }
        self.begun = begun;
        self.quiet += u32::from(progress.is_idle());
        self.quiet > 1
    }
}

/// The refusal of a head that could not be read, in words.
async fn tell(edge: &Edge, bare: &Bare) -> Vec<u8> {
    let (parts, body) = edge.unreadable(&bare.path, bare.status).into_parts();
    let body = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
    bare.tell(&parts.headers, &body)
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
