//! The socket of one connection: counts bytes, can be reset instead of closed, and can have its next response replaced by
//! bytes that are no HTTP at all.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Instant,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use crate::record::{ConnectionState, Recorder, lock};

/// What the request handler may do to the socket it came by.
#[derive(Debug, Default)]
pub(crate) struct Sabotage {
    reset: AtomicBool,
    raw: Mutex<Option<Vec<u8>>>,
}

impl Sabotage {
    /// The connection ends with RST.
    pub(crate) fn reset(&self) {
        self.reset.store(true, Ordering::Relaxed);
    }

    /// In place of the next response these bytes are written, then the connection closes.
    pub(crate) fn replace(&self, bytes: Vec<u8>) {
        *lock(&self.raw) = Some(bytes);
    }
}

pub(crate) struct Socket {
    stream: TcpStream,
    state: Arc<ConnectionState>,
    recorder: Arc<Recorder>,
    sabotage: Arc<Sabotage>,
}

impl Socket {
    pub(crate) fn new(
        stream: TcpStream,
        state: Arc<ConnectionState>,
        recorder: Arc<Recorder>,
        sabotage: Arc<Sabotage>,
    ) -> Self {
        Self { stream, state, recorder, sabotage }
    }

    fn poll_write_counted(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        self.state.bytes_out.fetch_add(written as u64, Ordering::Relaxed);
        Poll::Ready(Ok(written))
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        let read = buffer.filled().len() - before;
        if read > 0 {
            self.state.bytes_in.fetch_add(read as u64, Ordering::Relaxed);
            self.recorder.touch();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let sabotage = Arc::clone(&self.sabotage);
        let mut raw = lock(&sabotage.raw);
        let Some(replacement) = raw.as_mut() else {
            drop(raw);
            return self.poll_write_counted(cx, bytes);
        };
        while !replacement.is_empty() {
            let written = ready!(self.poll_write_counted(cx, replacement))?;
            replacement.drain(..written);
        }
        Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.sabotage.reset.load(Ordering::Relaxed) {
            let _ = self.stream.set_zero_linger();
        }
        *lock(&self.state.closed) = Some(Instant::now());
        self.recorder.touch();
    }
}
