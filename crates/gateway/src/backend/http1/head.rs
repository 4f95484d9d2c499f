//! Heads: a request's written, a response's read. Parsing is `httparse`'s; what a head says of its body is decided here.

use std::{io::Write, mem::MaybeUninit};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use httparse::{ParserConfig, Status};

use super::{MAX_HEAD, Response, TOO_LARGE, decoder::Decoder};

const MAX_HEADERS: usize = 100;
/// Room for headers that a response gets on its way to the client, in the same map.
const SPARE: usize = 8;

/// A request as it goes over the wire.
pub(crate) struct Request {
    pub(super) head: Bytes,
    pub(super) body: Bytes,
    /// Its response has no body whatever its head says.
    pub(super) is_head: bool,
}

/// One line of a head.
pub(crate) type Line<'h> = (&'h HeaderName, &'h HeaderValue);

/// The request for `target`, a path with prefix and query. `own` come before `headers`; framing is written here. `None`
/// for a target that would end its line.
pub(crate) fn request<'o, 'h>(
    method: &Method,
    target: [&str; 2],
    own: impl IntoIterator<Item = Line<'o>>,
    headers: impl IntoIterator<Item = Line<'h>>,
    body: Bytes,
) -> Option<Request> {
    if target.iter().any(|part| part.bytes().any(|byte| byte <= b' ' || byte == 0x7f)) {
        return None;
    }
    let mut head = Vec::with_capacity(512);
    head.extend_from_slice(method.as_str().as_bytes());
    head.push(b' ');
    target.iter().for_each(|part| head.extend_from_slice(part.as_bytes()));
    head.extend_from_slice(b" HTTP/1.1\r\n");
    for (name, value) in own {
        line(&mut head, name, value.as_bytes());
    }
    for (name, value) in headers.into_iter().filter(|(name, _)| !is_ours(name)) {
        line(&mut head, name, value.as_bytes());
    }
    if !body.is_empty() || *method == Method::POST {
        // Writing into memory does not fail.
        let _ = write!(head, "content-length: {}\r\n", body.len());
    }
    head.extend_from_slice(b"\r\n");
    Some(Request { head: head.into(), body, is_head: *method == Method::HEAD })
}

/// Host, framing and credentials are this connection's own, whatever the client's were.
fn is_ours(name: &HeaderName) -> bool {
    matches!(
        *name,
        header::HOST
            | header::CONTENT_LENGTH
            | header::TRANSFER_ENCODING
            | header::CONNECTION
            | header::UPGRADE
            | header::AUTHORIZATION
    )
}

fn line(head: &mut Vec<u8>, name: &HeaderName, value: &[u8]) {
    for part in [name.as_str().as_bytes(), b": ", value, b"\r\n"] {
        head.extend_from_slice(part);
    }
}

/// Whether parsing can lead further than when there were only `looked` bytes. What never ends a head is parsed once, so that
/// a head that comes byte by byte costs no more than its length.
pub(super) fn may_be_whole(unread: &[u8], looked: usize) -> bool {
    let new = unread.get(looked.saturating_sub(3)..).unwrap_or_default();
    unread.len() > looked && (looked == 0 || [&b"\n\r\n"[..], b"\n\n"].iter().any(|end| find(new, end)))
}

fn find(bytes: &[u8], end: &[u8]) -> bool {
    memchr::memmem::find(bytes, end).is_some()
}

/// Takes a response's head from `unread`; `None` where it has not come whole.
pub(super) fn parse(unread: &mut BytesMut, is_head: bool) -> Result<Option<Response>, String> {
    // Most heads have a handful of lines: filling the room for all of them would cost more than reading those.
    let mut lines = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let mut parsed = httparse::Response::new(&mut []);
    let read = ParserConfig::default().parse_response_with_uninit_headers(&mut parsed, unread, &mut lines);
    let Status::Complete(length) = read.map_err(|error| error.to_string())? else { return Ok(None) };
    if length > MAX_HEAD {
        return Err(TOO_LARGE.into());
    }
    let status = parsed.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or("its status is no number")?;
    if status.as_u16() > 599 {
        return Err(format!("nobody knows what its status {} means", status.as_u16()));
    }
    if status == StatusCode::SWITCHING_PROTOCOLS {
        return Err("it switches protocols unasked".into());
    }
    let start = unread.as_ptr().addr();
    let mut names = Vec::with_capacity(parsed.headers.len());
    for line in parsed.headers.iter() {
        let name = HeaderName::from_bytes(line.name.as_bytes()).map_err(|error| error.to_string())?;
        // An empty one may be anywhere.
        let at = if line.value.is_empty() { 0 } else { line.value.as_ptr().addr() - start };
        names.push((name, at..at + line.value.len()));
    }
    let is_old = parsed.version == Some(0);
    // The values are parts of what came, not copies.
    let head = unread.split_to(length).freeze();
    let mut headers = HeaderMap::with_capacity(names.len() + SPARE);
    for (name, at) in names {
        let value = HeaderValue::from_maybe_shared(head.slice(at)).map_err(|error| error.to_string())?;
        headers.append(name, value);
    }
    let (decoder, certain) = framing(status, &headers, is_old, is_head)?;
    let keep_alive = certain && decoder != Decoder::UntilClose && stays_open(&headers, is_old);
    Ok(Some(Response { status, headers, decoder, keep_alive }))
}

/// How the body ends (RFC 9112, section 6.3), and whether nobody could read it otherwise.
fn framing(status: StatusCode, headers: &HeaderMap, is_old: bool, is_head: bool) -> Result<(Decoder, bool), String> {
    if is_head || status.is_informational() || [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&status) {
        return Ok((Decoder::Done, true));
    }
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    if let Some(coding) = codings.next() {
        let is_chunked = coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked");
        if !is_chunked || codings.next().is_some() || is_old {
            return Err("its transfer coding is not `chunked` alone".into());
        }
        return Ok((Decoder::chunked(), !headers.contains_key(header::CONTENT_LENGTH)));
    }
    let mut length = None;
    for value in headers.get_all(header::CONTENT_LENGTH) {
        for text in value.as_bytes().split(|&byte| byte == b',').map(<[u8]>::trim_ascii) {
            let one = number(text).ok_or("its content-length is no number")?;
            if length.is_some_and(|length| length != one) {
                return Err("it has two lengths".into());
            }
            length = Some(one);
        }
    }
    Ok((length.map_or(Decoder::UntilClose, Decoder::length), true))
}

/// Digits and nothing else: the standard library's reading takes a sign.
fn number(text: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(text).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    digits.parse().ok()
}

fn stays_open(headers: &HeaderMap, is_old: bool) -> bool {
    let says = |wanted: &[u8]| {
        headers.get_all(header::CONNECTION).iter().any(|value| {
            value.as_bytes().split(|&byte| byte == b',').any(|option| option.trim_ascii().eq_ignore_ascii_case(wanted))
        })
    };
    if is_old { says(b"keep-alive") && !says(b"close") } else { !says(b"close") }
}
