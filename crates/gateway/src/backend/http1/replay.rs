//! Reads bytes as a connection reads them, without one: for the fuzz target, which needs neither sockets nor a runtime.

use bytes::{Bytes, BytesMut};

use super::{
    MAX_HEAD, TOO_LARGE,
    decoder::Decoded,
    head::{self, may_be_whole},
};

/// Of a connection that says these pieces, each a read, and closes: status, body, and what is wrong with the body.
pub(crate) fn read(pieces: &[&[u8]]) -> Result<(u16, Bytes, Option<String>), String> {
    let (mut unread, mut looked, mut pieces) = (BytesMut::new(), 0, pieces.iter());
    let response = loop {
        if may_be_whole(&unread, looked)
            && let Some(response) = head::parse(&mut unread, false)?
        {
            if !response.status.is_informational() {
                break response;
            }
            looked = 0;
            continue;
        }
        looked = unread.len();
        if looked >= MAX_HEAD {
            return Err(TOO_LARGE.into());
        }
        unread.extend_from_slice(pieces.next().ok_or("it ends before or in the middle of its head")?);
    };
    let (mut decoder, mut body) = (response.decoder, BytesMut::new());
    let fault = loop {
        match decoder.decode(&mut unread) {
            Ok(Decoded::Data(data)) => body.extend_from_slice(&data),
            Ok(Decoded::End) => break None,
            Ok(Decoded::More) => match pieces.next() {
                Some(piece) => unread.extend_from_slice(piece),
                None if decoder.ends_with_connection() => break None,
                None => break Some("it was cut".to_owned()),
            },
            Err(fault) => break Some(fault.to_string()),
        }
    };
    Ok((response.status.as_u16(), body.freeze(), fault))
}
