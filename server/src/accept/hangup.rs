//! A caller that leaves while hyper does not read. What a caller sends behind its request, a line end or the next request,
//! stays in hyper's buffer until the answer has ended, and until then hyper reads no further and sees no end: the request
//! would keep its slot, its place in the queue and its backend for as long as that takes.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::FutureExt;
use gateway::Alarm;
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf},
    net::TcpStream,
    time::Instant,
};
use tokio_rustls::server::TlsStream;

/// How often is looked while nothing is read.
const LOOK: Duration = Duration::from_millis(250);

/// A transport that knows whether the other side has closed, without reading what came before.
pub trait Closing {
    fn is_closed(&self) -> bool;
}

impl Closing for TcpStream {
    fn is_closed(&self) -> bool {
        // What the last event said: no call of the system.
        self.ready(Interest::READABLE)
            .now_or_never()
            .is_some_and(|ready| ready.is_ok_and(|ready| ready.is_read_closed()))
    }
}

impl Closing for TlsStream<TcpStream> {
    fn is_closed(&self) -> bool {
        self.get_ref().0.is_closed()
    }
}

/// `T`, which fails once its other side has closed, though nobody reads it. hyper flushes whenever it has something to do,
/// and reads before that where it wants to read.
pub struct Watched<T> {
    inner: T,
    /// Was read from since the last flush.
    read: bool,
    timer: Alarm,
    next: Option<Instant>,
}

impl<T> Watched<T> {
    pub fn new(inner: T) -> Self {
        Self { inner, read: false, timer: Alarm::default(), next: None }
    }
}

impl<T: Closing> Watched<T> {
    fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        loop {
            if self.inner.is_closed() {
                return Poll::Ready(io::Error::new(io::ErrorKind::ConnectionAborted, "the caller has left"));
            }
            let next = *self.next.get_or_insert_with(|| Instant::now() + LOOK);
            std::task::ready!(self.timer.poll_past(cx, next));
            self.next = None;
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Watched<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.read = true;
        Pin::new(&mut self.inner).poll_read(cx, buffer)
    }
}

impl<T: AsyncWrite + Closing + Unpin> AsyncWrite for Watched<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if std::mem::take(&mut self.read) {
            self.next = None;
        } else if let Poll::Ready(error) = self.poll_closed(cx) {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use futures_util::poll;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (theirs, ours) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
        (theirs.unwrap(), ours.unwrap().0)
    }

    #[tokio::test]
    async fn a_caller_that_left_is_noticed_behind_bytes_that_nobody_reads() {
        let (mut theirs, ours) = pair().await;
        let mut ours = Watched::new(ours);
        theirs.write_all(b"more").await.unwrap();
        assert!(poll!(poll_fn(|cx| Pin::new(&mut ours).poll_flush(cx))).is_ready(), "it is still there");
        drop(theirs);
        let left = async {
            while poll_fn(|cx| Pin::new(&mut ours).poll_flush(cx)).await.is_ok() {
                tokio::task::yield_now().await
            }
        };
        tokio::time::timeout(Duration::from_secs(10), left).await.unwrap();
    }

    #[tokio::test]
    async fn whoever_reads_sees_the_end_itself() {
        let (mut theirs, ours) = pair().await;
        let mut ours = Watched::new(ours);
        theirs.write_all(b"all").await.unwrap();
        drop(theirs);
        let mut all = Vec::new();
        ours.read_to_end(&mut all).await.unwrap();
        assert_eq!(all, b"all");
        assert!(ours.flush().await.is_ok(), "what came before the end is answered");
    }
}
