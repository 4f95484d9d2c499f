//! Bodies that come compressed: which content codings are taken, and decoding them within bounds of size, memory and time.
//! Behind it nobody knows how a body came.
//!
//! Zstandard is what OpenAI's Codex sends. Windows are at most those of RFC 9659, which is what Ollama itself takes too.

#[cfg(test)]
mod tests;

use bytes::Bytes;
use http::{HeaderMap, header};
use zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer, get_error_name, get_frame_content_size};

use super::{Buffered, QUICK, Share, elsewhere};
use crate::error::Error;

/// Largest window of a frame: 8 MiB.
const WINDOW_LOG: u32 = 23;
/// What decoding may hold beside the body as it came and as it is: the window, two blocks and tables.
const MEMORY: usize = (1 << WINDOW_LOG) + 2 * 1024 * 1024;
/// Bodies above this size are decoded on another thread. So little holds a few thousand empty frames at most.
const SHORT: usize = 64 * 1024;
/// Times that a body may grow beyond [`UNSUSPICIOUS`] bytes. What grows more is no text: it is made to take memory that
/// others need.
const GROWTH: usize = 100;
const UNSUSPICIOUS: usize = 1024 * 1024;
/// Room that output begins with where the frame does not say how much there will be.
const FIRST: usize = 16 * 1024;

/// How a body is coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Identity,
    Zstd,
}

impl Coding {
    /// As the headers say. One coding, once: a second layer would multiply what a byte can become.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Error> {
        let mut coding = Self::Identity;
        let lines = headers.get_all(header::CONTENT_ENCODING).iter();
        for name in lines.flat_map(|line| line.as_bytes().split(|&byte| byte == b',')).map(<[u8]>::trim_ascii) {
            match coding {
                _ if name.is_empty() || name.eq_ignore_ascii_case(b"identity") => {}
                Self::Identity if name.eq_ignore_ascii_case(b"zstd") => coding = Self::Zstd,
                _ => return Err(Error::Encoding),
            }
        }
        Ok(coding)
    }

    /// Most bytes that decoding holds beside both forms of the body.
    pub(super) fn memory(self) -> usize {
        match self {
            Self::Identity => 0,
            Self::Zstd => MEMORY,
        }
    }
}

/// Decodes a body that has come whole to at most `limit` bytes. What it holds meanwhile is in its share of the budget.
pub(super) async fn decode(bytes: Bytes, share: Share, limit: usize) -> Result<Buffered, Error> {
    let short = bytes.len() <= SHORT;
    let limit = limit.min(bytes.len().saturating_mul(GROWTH).max(UNSUSPICIOUS));
    let mut decoder = Decoder::new(bytes, share, limit)?;
    if short && decoder.run(QUICK)? {
        return decoder.finish();
    }
    elsewhere(move || {
        decoder.run(usize::MAX)?;
        decoder.finish()
    })
    .await
}

/// A body on its way out of Zstandard frames.
struct Decoder {
    context: DCtx<'static>,
    input: Bytes,
    read: usize,
    output: Vec<u8>,
    limit: usize,
    share: Share,
}

impl Decoder {
    fn new(input: Bytes, share: Share, limit: usize) -> Result<Self, Error> {
        let mut context = DCtx::try_create().ok_or(Error::Crowded)?;
        context.set_parameter(DParameter::WindowLogMax(WINDOW_LOG)).map_err(malformed)?;
        let mut decoder = Self { context, input, read: 0, output: Vec::new(), limit, share };
        // What the first frame says of itself is checked while it is decoded; a larger one need not be begun.
        let announced = get_frame_content_size(&decoder.input).ok().flatten();
        let announced = announced.map(|size| usize::try_from(size).unwrap_or(usize::MAX));
        if announced.is_some_and(|size| size > limit) {
            return Err(Error::BodyTooLarge { limit });
        }
        decoder.room(announced.unwrap_or(FIRST).clamp(1, QUICK))?;
        Ok(decoder)
    }

    /// Decodes on until there are `until` bytes. Returns whether that was all.
    fn run(&mut self, until: usize) -> Result<bool, Error> {
        // Every turn takes all the input there is, fills all the room there is, or ends a frame.
        while self.read < self.input.len() || self.output.len() == self.output.capacity() {
            if self.output.len() >= until {
                return Ok(false);
            }
            if self.output.len() == self.output.capacity() {
                self.room(self.output.len())?;
            }
            let (mut input, at) = (InBuffer { src: &self.input, pos: self.read }, self.output.len());
            let mut output = OutBuffer::around_pos(&mut self.output, at);
            let missing = self.context.decompress_stream(&mut output, &mut input).map_err(malformed)?;
            self.read = input.pos();
            self.hold(self.output.capacity())?;
            if self.output.len() > self.limit {
                return Err(Error::BodyTooLarge { limit: self.limit });
            }
            if self.read == self.input.len() {
                match missing {
                    0 => return Ok(true),
                    _ if self.output.len() < self.output.capacity() => {
                        return Err(Error::BadRequest("the request body ends in the middle of a zstd frame".into()));
                    }
                    _ => {}
                }
            }
        }
        Ok(true)
    }

    /// Makes room for more output, never for more than one byte too many.
    fn room(&mut self, more: usize) -> Result<(), Error> {
        let room = self.output.len().saturating_add(more.max(FIRST)).min(self.limit.saturating_add(1));
        self.hold(room)?;
        self.output.reserve_exact(room.saturating_sub(self.output.len()));
        Ok(())
    }

    /// Holds what is needed with so much room for output.
    fn hold(&mut self, room: usize) -> Result<(), Error> {
        self.share.resize(self.input.len().saturating_add(room).saturating_add(self.context.sizeof()))
    }

    fn finish(self) -> Result<Buffered, Error> {
        let Self { input, mut output, mut share, .. } = self;
        output.shrink_to_fit();
        share.resize(output.len())?;
        Ok(Buffered { received: input.len(), bytes: output.into(), share })
    }
}

fn malformed(code: usize) -> Error {
    Error::BadRequest(format!("the request body is not valid zstd: {}", get_error_name(code).to_lowercase()))
}
