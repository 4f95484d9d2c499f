//! As much HTTP/1.1 as a mock and a loader need, at as little cost as can be: heads by `httparse`, bodies of known length
//! or in chunks. Whatever else comes is a fault, never skipped.

use std::io;

/// Why a run cannot count.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("a head cannot be read: {0}")]
    Head(#[from] httparse::Error),
    #[error("a head is longer than {0} bytes")]
    LongHead(usize),
    #[error("an answer has neither a length nor chunks")]
    NoLength,
    #[error("the chunks are broken")]
    Chunk,
    #[error("status {status}: {body}")]
    Status { status: u16, body: String },
    #[error("the body has {found} bytes and not {wanted}, or other ones")]
    Body { wanted: usize, found: usize },
    #[error("the connection closed before the answer's end")]
    Closed,
    #[error("bytes after the answer's end")]
    Surplus,
    #[error("signing in gave no session")]
    NotSignedIn,
    #[error("not done after {0} s")]
    Late(u64),
    #[error("{0} cannot be started: {1}")]
    Start(String, io::Error),
}

/// How a body ends.
#[derive(Debug, PartialEq, Eq)]
pub enum Body {
    Length(usize),
    Chunks,
}

/// Headers either side may send.
const HEADERS: usize = 64;

/// The status, the body and the size of the head that `bytes` begin with; `None` while it is not complete.
pub fn answer_head(bytes: &[u8]) -> Result<Option<(u16, Body, usize)>, Fault> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut answer = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(size) = answer.parse(bytes)? else { return Ok(None) };
    let body = body_of(answer.headers)?.ok_or(Fault::NoLength)?;
    Ok(Some((answer.code.unwrap_or_default(), body, size)))
}

/// A request's head.
pub struct Asked {
    pub get: bool,
    pub path: String,
    pub body: Body,
    pub size: usize,
}

/// The head that `bytes` begin with; `None` while it is not complete.
pub fn request_head(bytes: &[u8]) -> Result<Option<Asked>, Fault> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(size) = request.parse(bytes)? else { return Ok(None) };
    let body = body_of(request.headers)?.unwrap_or(Body::Length(0));
    let get = request.method == Some("GET");
    Ok(Some(Asked { get, path: request.path.unwrap_or_default().to_owned(), body, size }))
}

fn body_of(headers: &[httparse::Header<'_>]) -> Result<Option<Body>, Fault> {
    for header in headers {
        if header.name.eq_ignore_ascii_case("content-length") {
            let length = std::str::from_utf8(header.value).ok().and_then(|text| text.trim().parse().ok());
            return Ok(Some(Body::Length(length.ok_or(Fault::NoLength)?)));
        }
        if header.name.eq_ignore_ascii_case("transfer-encoding") {
            return if header.value.eq_ignore_ascii_case(b"chunked") {
                Ok(Some(Body::Chunks))
            } else {
                Err(Fault::Chunk)
            };
        }
    }
    Ok(None)
}

/// Takes chunked bytes apart, however they are split.
#[derive(Debug, Default)]
pub struct Chunks {
    state: State,
    size: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Before the first digit of a size.
    #[default]
    Size,
    Digits,
    SizeEnd,
    Data,
    DataEnd,
    DataFeed,
    /// After the last chunk; trailers are a fault, because nobody here sends any.
    Last,
    LastFeed,
    Done,
}

impl Chunks {
    /// Reads `bytes` and gives what they carry to `data`. Returns how many belonged to this body.
    pub fn feed(&mut self, bytes: &[u8], mut data: impl FnMut(&[u8])) -> Result<usize, Fault> {
        let mut at = 0;
        while at < bytes.len() && self.state != State::Done {
            let byte = bytes[at];
            self.state = match (self.state, byte) {
                (State::Size | State::Digits, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                    let digit = char::from(byte).to_digit(16).unwrap_or_default() as usize;
                    self.size = if self.state == State::Size { digit } else { self.size * 16 + digit };
                    if self.size > 1 << 24 {
                        return Err(Fault::Chunk);
                    }
                    State::Digits
                }
                (State::Digits, b'\r') => State::SizeEnd,
                (State::SizeEnd, b'\n') if self.size == 0 => State::Last,
                (State::SizeEnd, b'\n') => State::Data,
                (State::Data, _) => {
                    let end = (at + self.size).min(bytes.len());
                    data(&bytes[at..end]);
                    self.size -= end - at;
                    at = end;
                    if self.size == 0 {
                        self.state = State::DataEnd;
                    }
                    continue;
                }
                (State::DataEnd, b'\r') => State::DataFeed,
                (State::DataFeed, b'\n') => State::Size,
                (State::Last, b'\r') => State::LastFeed,
                (State::LastFeed, b'\n') => State::Done,
                _ => return Err(Fault::Chunk),
            };
            at += 1;
        }
        Ok(at)
    }

    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNKED: &[u8] = b"5\r\nhello\r\n11\r\n, world and more.\r\n0\r\n\r\n";

    #[test]
    fn chunks_split_anywhere_carry_the_same_bytes() {
        for cut in 0..=CHUNKED.len() {
            let (mut chunks, mut seen) = (Chunks::default(), Vec::new());
            for piece in [&CHUNKED[..cut], &CHUNKED[cut..]] {
                assert_eq!(chunks.feed(piece, |data| seen.extend_from_slice(data)).unwrap(), piece.len());
            }
            assert!(chunks.is_done());
            assert_eq!(seen, b"hello, world and more.");
        }
    }

    #[test]
    fn an_unfinished_body_is_not_done_and_the_next_answer_is_not_eaten() {
        let mut chunks = Chunks::default();
        chunks.feed(&CHUNKED[..CHUNKED.len() - 1], |_| {}).unwrap();
        assert!(!chunks.is_done());
        assert_eq!(chunks.feed(b"\nHTTP/1.1", |_| {}).unwrap(), 1);
        assert!(chunks.is_done());
    }

    #[test]
    fn broken_chunks_are_a_fault() {
        for broken in [&b"x\r\n"[..], b"5\nhello", b"5\r\nhello5\r\n", b"0\r\ntrailer: x\r\n\r\n", b"fffffffff\r\n"] {
            assert!(Chunks::default().feed(broken, |_| {}).is_err(), "{}", broken.escape_ascii());
        }
    }

    #[test]
    fn heads_tell_status_and_length() {
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n";
        assert_eq!(answer_head(head).unwrap(), Some((200, Body::Length(7), head.len())));
        assert_eq!(answer_head(&head[..20]).unwrap(), None);
        let head = b"HTTP/1.1 429 No\r\ntransfer-encoding: chunked\r\n\r\n";
        assert_eq!(answer_head(head).unwrap(), Some((429, Body::Chunks, head.len())));
        assert!(matches!(answer_head(b"HTTP/1.1 200 OK\r\n\r\n"), Err(Fault::NoLength)));
    }
}
