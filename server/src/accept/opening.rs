//! The opening of a connection, up to its first request. What the HTTP library writes by then is its own refusal of a head
//! that it could not read: bare, because nobody was asked for words. It is kept back here, with the first bytes that came,
//! so that the caller can be answered in its dialect. Later heads on the connection that cannot be read get the bare one:
//! by then only a parser of our own could tell it from the end of an answer.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{HeaderMap, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::progress::Progress;

/// Bytes of a request that are enough to tell its dialect.
const ENOUGH: usize = 64;

/// `T`, silent until the first request was understood.
pub struct Opening<T> {
    inner: T,
    progress: Arc<Progress>,
    heard: Vec<u8>,
    kept: Vec<u8>,
}

/// A refusal that nobody has seen.
pub struct Bare {
    /// The request's path as far as it is known, without its query; empty if the request is no request at all.
    pub path: String,
    pub status: StatusCode,
    head: String,
}

impl<T> Opening<T> {
    pub fn new(inner: T, progress: Arc<Progress>) -> Self {
        Self { inner, progress, heard: Vec::new(), kept: Vec::new() }
    }

    /// The transport, and what was kept back.
    pub fn into_parts(self) -> (T, Option<Bare>) {
        (self.inner, Bare::of(&self.heard, &self.kept))
    }

    fn is_open(&self) -> bool {
        self.progress.was_asked()
    }
}

impl Bare {
    fn of(heard: &[u8], kept: &[u8]) -> Option<Self> {
        let head = std::str::from_utf8(kept).ok()?;
        let status = StatusCode::from_bytes(kept.get(9..12)?).ok()?;
        let target = heard.split(|&byte| byte == b' ').nth(1).unwrap_or_default();
        let path = target.split(|&byte| byte == b'?').next().unwrap_or_default();
        Some(Self { path: String::from_utf8_lossy(path).into_owned(), status, head: head.to_owned() })
    }

    /// The refusal with `headers` and `body` in place of its emptiness. `content-length` must not be among the headers.
    pub fn tell(&self, headers: &HeaderMap, body: &[u8]) -> Vec<u8> {
        let lines = self.head.split("\r\n").filter(|line| !line.is_empty() && !line.starts_with("content-length:"));
        let mut text = Vec::new();
        for line in lines {
            text.extend_from_slice(line.as_bytes());
            text.extend_from_slice(b"\r\n");
        }
        for (name, value) in headers.iter().filter(|(name, _)| **name != http::header::CONNECTION) {
            for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
                text.extend_from_slice(part);
            }
        }
        text.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
        text.extend_from_slice(body);
        text
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Opening<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.progress.hear();
        }
        let missing = ENOUGH.saturating_sub(self.heard.len());
        if missing > 0 && !self.is_open() {
            self.heard.extend(buffer.filled().iter().skip(before).take(missing));
        }
        read
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Opening<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if !self.is_open() {
            self.kept.extend_from_slice(bytes);
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if !self.is_open() {
            parts.iter().for_each(|part| self.kept.extend_from_slice(part));
            return Poll::Ready(Ok(parts.iter().map(|part| part.len()).sum()));
        }
        Pin::new(&mut self.inner).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    /// While nothing was understood the answer is still to come.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_open() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const BARE: &[u8] =
        b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\ndate: now\r\n\r\n";

    #[test]
    fn a_bare_refusal_gets_words_and_keeps_its_status_and_date() {
        let bare = Bare::of(b"POST /v1/messages?x=1 HTTP/1.1\r\nhost", BARE).unwrap();
        assert_eq!((bare.path.as_str(), bare.status.as_u16()), ("/v1/messages", 431));
        let headers = HeaderMap::from_iter([
            (http::header::CONTENT_TYPE, HeaderValue::from_static("text/plain")),
            (http::header::CONNECTION, HeaderValue::from_static("close")),
        ]);
        assert_eq!(
            String::from_utf8(bare.tell(&headers, b"too large")).unwrap(),
            "HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ndate: now\r\ncontent-type: text/plain\r\ncontent-length: 9\r\n\r\ntoo large"
        );
    }

    #[test]
    fn what_is_no_request_has_no_path() {
        assert_eq!(Bare::of(b"\x16\x03\x01", BARE).unwrap().path, "");
        assert!(Bare::of(b"GET / HTTP/1.1", b"").is_none());
    }
}
