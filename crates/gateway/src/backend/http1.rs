//! HTTP/1.1 towards backends: one connection, one exchange after another on it. It is polled by whoever waits for the
//! answer and has no task of its own, so that an answer costs no wake-up more than its bytes. Which connection is used,
//! and what an answer means, is decided elsewhere.

mod decoder;
mod head;
mod io;
#[cfg(feature = "inside")]
pub(crate) mod replay;
#[cfg(test)]
pub(crate) mod tests;

use std::{
    io::IoSlice,
    pin::{Pin, pin},
    task::{Context, Poll, Waker, ready},
};

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use http_body::{Body, Frame, SizeHint};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf},
    time::Instant,
};

use crate::alarm::Alarm;
pub(crate) use decoder::Malformed;
use decoder::{Decoded, Decoder};
pub(super) use head::{Line, Request, request};
pub(super) use io::Io;

/// A response head above this is refused.
const MAX_HEAD: usize = 64 * 1024;
const TOO_LARGE: &str = "its head is larger than 64 KiB";
/// What is asked of the socket at once: little for lines of a stream, more where it comes in bulk. The most is also what
/// a client that does not read may cost.
const SMALLEST_READ: usize = 4 * 1024;
const LARGEST_READ: usize = 64 * 1024;
/// Interim answers (1xx) before an answer that are read past.
const MAX_INTERIM: u32 = 100;
/// Room below which more is made.
const ROOM: usize = 1024;

/// Why an exchange gave no response.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// Not a byte of the request was written.
    Unsent,
    /// Not a byte of an answer came.
    Closed,
    /// What came is no answer.
    Malformed(String),
    /// It did not come in time.
    Late,
}

/// A body that cannot be read to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    #[error("the connection was closed in the middle of the body")]
    Cut,
    #[error("malformed body: {0}")]
    Malformed(#[from] Malformed),
}

/// A connection to a backend. Dropping it closes the socket at once, whatever is under way on it.
pub(crate) struct Connection {
    io: Io,
    unread: BytesMut,
    read_size: usize,
    unsent: Unsent,
    /// For the head of a response; one for all that come on it.
    late: Alarm,
}

/// What of a request has not been written.
#[derive(Default)]
struct Unsent {
    head: Bytes,
    body: Bytes,
    begun: bool,
    /// Written, but perhaps not out of the TLS layer yet.
    unflushed: bool,
    failed: bool,
}

/// What came before a response.
#[derive(Default)]
struct Seen {
    /// Bytes of its head that were looked at.
    looked: usize,
    interim: u32,
}

/// The head of a response, and how its body ends.
pub(super) struct Response {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    decoder: Decoder,
    /// The connection may go on after it.
    keep_alive: bool,
}

impl Connection {
    /// In a box, because it passes through many hands.
    pub(super) fn new(io: Io) -> Box<Self> {
        Box::new(Self {
            io,
            unread: BytesMut::new(),
            read_size: SMALLEST_READ,
            unsent: Unsent::default(),
            late: Alarm::default(),
        })
    }

    /// Nothing came since the last response: it is open as far as anybody here can know.
    pub(super) fn is_quiet(&mut self) -> bool {
        let mut byte = [0];
        let mut buffer = ReadBuf::new(&mut byte);
        Pin::new(&mut self.io).poll_read(&mut Context::from_waker(Waker::noop()), &mut buffer).is_pending()
    }

    /// Sends a request and waits until `deadline` for the head of its response. A response may come before the request is
    /// written whole; the rest is then written beside the reading of the body.
    pub(super) async fn exchange(&mut self, request: &Request, deadline: Instant) -> Result<Response, Lost> {
        let (head, body, is_head) = (request.head.clone(), request.body.clone(), request.is_head);
        self.unsent = Unsent { head, body, unflushed: true, ..Unsent::default() };
        let mut seen = Seen::default();
        std::future::poll_fn(|cx| match self.poll_response(cx, is_head, &mut seen) {
            Poll::Pending => self.late.poll_past(cx, deadline).map(|()| Err(Lost::Late)),
            answered => answered,
        })
        .await
    }

    fn poll_response(&mut self, cx: &mut Context<'_>, is_head: bool, seen: &mut Seen) -> Poll<Result<Response, Lost>> {
        loop {
            // A backend that refuses early may close its side of reading and answer all the same.
            self.poll_send(cx);
            if head::may_be_whole(&self.unread, seen.looked) {
                match head::parse(&mut self.unread, is_head).map_err(Lost::Malformed)? {
                    Some(response) if response.status.is_informational() => {
                        *seen = Seen { looked: 0, interim: seen.interim + 1 };
                        if seen.interim > MAX_INTERIM {
                            return Poll::Ready(Err(Lost::Malformed("its interim answers do not end".into())));
                        }
                        continue;
                    }
                    Some(response) => return Poll::Ready(Ok(response)),
                    None => {}
                }
            }
            seen.looked = self.unread.len();
            if self.unread.len() >= MAX_HEAD {
                return Poll::Ready(Err(Lost::Malformed(TOO_LARGE.into())));
            }
            match ready!(self.poll_fill(cx)) {
                Ok(1..) => {}
                _ if !self.unread.is_empty() || seen.interim > 0 => {
                    return Poll::Ready(Err(Lost::Malformed("it ends before or in the middle of its head".into())));
                }
                _ if !self.unsent.begun => return Poll::Ready(Err(Lost::Unsent)),
                _ => return Poll::Ready(Err(Lost::Closed)),
            }
        }
    }

    /// Writes as much of the request as the socket takes.
    fn poll_send(&mut self, cx: &mut Context<'_>) {
        let Self { io, unsent, .. } = self;
        while !unsent.failed && !unsent.is_written() {
            let parts = [IoSlice::new(&unsent.head), IoSlice::new(&unsent.body)];
            match Pin::new(&mut *io).poll_write_vectored(cx, &parts) {
                Poll::Ready(Ok(count @ 1..)) => unsent.advance(count),
                Poll::Ready(_) => unsent.failed = true,
                Poll::Pending => return,
            }
        }
        if unsent.unflushed && !unsent.failed {
            match Pin::new(io).poll_flush(cx) {
                Poll::Ready(Ok(())) => unsent.unflushed = false,
                Poll::Ready(Err(_)) => unsent.failed = true,
                Poll::Pending => {}
            }
        }
    }

    /// Reads what there is; 0 is the end.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Result<usize>> {
        if self.unread.capacity() - self.unread.len() < ROOM {
            self.unread.reserve(self.read_size);
        }
        let room = self.unread.capacity() - self.unread.len();
        let read = ready!(pin!(self.io.read_buf(&mut self.unread)).poll(cx));
        if read.as_ref().is_ok_and(|&count| count == room) {
            self.read_size = (self.read_size * 2).min(LARGEST_READ);
        }
        Poll::Ready(read)
    }

    /// Nothing is left of the last exchange.
    fn is_done(&self) -> bool {
        self.unread.is_empty() && self.unsent.is_written() && !self.unsent.failed && !self.unsent.unflushed
    }

    /// While it is idle it holds no more than one small read takes: that is there for the next response.
    fn rest(&mut self) {
        if self.read_size > SMALLEST_READ {
            self.read_size = SMALLEST_READ;
            self.unread = BytesMut::new();
        }
        self.unsent = Unsent::default();
    }
}

impl Unsent {
    fn is_written(&self) -> bool {
        self.head.is_empty() && self.body.is_empty()
    }

    fn advance(&mut self, count: usize) {
        self.begun = true;
        let of_head = count.min(self.head.len());
        self.head.advance(of_head);
        self.body.advance(count - of_head);
        if self.is_written() {
            // The body may be large, and the answer long.
            (self.head, self.body) = (Bytes::new(), Bytes::new());
        }
    }
}

/// Where connections go whose responses have ended.
pub(super) trait GiveBack {
    fn give_back(&self, connection: Box<Connection>);
}

/// A response body on its connection. `F` gets the connection once the body has ended, where it may go on.
pub(super) struct ResponseBody<F> {
    connection: Option<Box<Connection>>,
    decoder: Decoder,
    keep_alive: bool,
    /// What is wrong behind the data that was handed out.
    fault: Option<Malformed>,
    owner: F,
}

impl<F: GiveBack + Unpin> ResponseBody<F> {
    /// The body of `response`, which came on `connection`.
    pub(super) fn new(connection: Box<Connection>, response: &mut Response, owner: F) -> Self {
        let decoder = std::mem::replace(&mut response.decoder, Decoder::Done);
        let (connection, keep_alive) = (Some(connection), response.keep_alive);
        let mut body = Self { connection, decoder, keep_alive, fault: None, owner };
        body.settle();
        body
    }

    /// Where the end has come already, the connection is free now: nobody may ask for more after the last byte.
    fn settle(&mut self) {
        let Some(connection) = &mut self.connection else { return };
        if let Err(fault) = self.decoder.settle(&mut connection.unread) {
            self.fault = Some(fault);
        }
        if self.decoder.is_done()
            && let Some(mut connection) = self.connection.take()
            && self.keep_alive
            && connection.is_done()
        {
            connection.rest();
            self.owner.give_back(connection);
        }
    }

    fn break_off(&mut self, broken: Broken) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        self.connection = None;
        self.decoder = Decoder::Done;
        Poll::Ready(Some(Err(broken)))
    }
}

impl<F: GiveBack + Unpin> Body for ResponseBody<F> {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = &mut *self;
        if let Some(fault) = this.fault.take() {
            return this.break_off(fault.into());
        }
        loop {
            let Some(connection) = &mut this.connection else { return Poll::Ready(None) };
            connection.poll_send(cx);
            match this.decoder.decode(&mut connection.unread) {
                Ok(Decoded::Data(data)) => {
                    this.settle();
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Ok(Decoded::End) => {
                    this.settle();
                    return Poll::Ready(None);
                }
                Ok(Decoded::More) => {}
                Err(fault) => return this.break_off(fault.into()),
            }
            match ready!(connection.poll_fill(cx)) {
                Ok(1..) => {}
                Ok(_) if this.decoder.ends_with_connection() => {
                    this.decoder = Decoder::Done;
                    this.connection = None;
                    return Poll::Ready(None);
                }
                _ => return this.break_off(Broken::Cut),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.decoder.is_done()
    }

    fn size_hint(&self) -> SizeHint {
        self.decoder.remaining().map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
