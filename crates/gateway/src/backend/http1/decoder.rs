//! Where a response body begins and ends on its connection: by length, in chunks, or with the connection. Strict, because
//! bytes that two readers cut differently can carry somebody else's answer.

use bytes::{Bytes, BytesMut};

/// Bytes of one chunk's extensions, or of the trailers, that are read and forgotten.
const MAX_EXTRA: usize = 16 * 1024;
/// Hexadecimal digits of a chunk's size.
const MAX_DIGITS: u8 = 16;

/// A chunked body that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Malformed(&'static str);

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decoded {
    Data(Bytes),
    More,
    End,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decoder {
    /// So many bytes are to come, at least one.
    Length(u64),
    Chunked(Chunked),
    UntilClose,
    Done,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Chunked {
    at: At,
    /// Of the chunk, or what is left of it.
    size: u64,
    digits: u8,
    /// Bytes since the last data that are neither data nor sizes.
    extra: usize,
}

/// What comes next.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum At {
    #[default]
    Size,
    /// Anything up to the end of the line.
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    /// A trailer, or the empty line that ends the body.
    TrailerStart,
    Trailer,
    TrailerLf,
    EndLf,
    End,
}

impl Decoder {
    pub(super) fn length(length: u64) -> Self {
        if length == 0 { Self::Done } else { Self::Length(length) }
    }

    pub(super) fn chunked() -> Self {
        Self::Chunked(Chunked::default())
    }

    /// The next piece of the body; takes from `unread` what it used.
    pub(super) fn decode(&mut self, unread: &mut BytesMut) -> Result<Decoded, Malformed> {
        self.settle(unread)?;
        let most = match self {
            Self::Done => return Ok(Decoded::End),
            Self::Length(left) => *left,
            Self::Chunked(Chunked { at: At::Data, size, .. }) => *size,
            Self::Chunked(_) => return Ok(Decoded::More),
            Self::UntilClose => u64::MAX,
        };
        if unread.is_empty() {
            return Ok(Decoded::More);
        }
        let count = usize::try_from(most).unwrap_or(usize::MAX).min(unread.len());
        let data = unread.split_to(count).freeze();
        match self {
            Self::Length(left) => *self = Self::length(*left - count as u64),
            Self::Chunked(chunked) => chunked.took(count as u64),
            Self::UntilClose | Self::Done => {}
        }
        Ok(Decoded::Data(data))
    }

    /// Reads past what is no data, as far as it has come.
    pub(super) fn settle(&mut self, unread: &mut BytesMut) -> Result<(), Malformed> {
        let Self::Chunked(chunked) = self else { return Ok(()) };
        let mut used = 0;
        while !matches!(chunked.at, At::Data | At::End)
            && let Some(&byte) = unread.get(used)
        {
            chunked.step(byte)?;
            used += 1;
        }
        drop(unread.split_to(used));
        if chunked.at == At::End {
            *self = Self::Done;
        }
        Ok(())
    }

    pub(super) fn is_done(&self) -> bool {
        *self == Self::Done
    }

    pub(super) fn ends_with_connection(&self) -> bool {
        *self == Self::UntilClose
    }

    /// Bytes to come, where that is known.
    pub(super) fn remaining(&self) -> Option<u64> {
        match self {
            Self::Length(left) => Some(*left),
            Self::Done => Some(0),
            Self::Chunked(_) | Self::UntilClose => None,
        }
    }
}

impl Chunked {
    fn took(&mut self, count: u64) {
        self.size -= count;
        if self.size == 0 {
            self.at = At::DataCr;
        }
    }

    fn step(&mut self, byte: u8) -> Result<(), Malformed> {
        self.at = match (self.at, byte) {
            (At::Size, b'\r') if self.digits > 0 => At::SizeLf,
            (At::Size, b';' | b' ' | b'\t') if self.digits > 0 => At::Extension,
            (At::Size, _) => {
                let digit = char::from(byte).to_digit(16).ok_or(Malformed("a chunk's size is no number"))?;
                self.digits += 1;
                if self.digits > MAX_DIGITS {
                    return Err(Malformed("a chunk's size is too large"));
                }
                self.size = self.size << 4 | u64::from(digit);
                At::Size
            }
            (At::Extension, b'\r') => At::SizeLf,
            (At::Extension, b'\n') => return Err(Malformed("a line ends without a carriage return")),
            (At::Extension, _) => self.extra(At::Extension)?,
            (At::SizeLf, b'\n') => {
                (self.digits, self.extra) = (0, 0);
                if self.size == 0 { At::TrailerStart } else { At::Data }
            }
            (At::DataCr, b'\r') => At::DataLf,
            (At::DataLf, b'\n') => At::Size,
            (At::TrailerStart, b'\r') => At::EndLf,
            (At::Trailer, b'\r') => At::TrailerLf,
            (At::TrailerStart | At::Trailer, b'\n') => return Err(Malformed("a line ends without a carriage return")),
            (At::TrailerStart | At::Trailer, _) => self.extra(At::Trailer)?,
            (At::TrailerLf, b'\n') => At::TrailerStart,
            (At::EndLf, b'\n') => At::End,
            _ => return Err(Malformed("a chunk is longer than its size, or a line ends wrongly")),
        };
        Ok(())
    }

    fn extra(&mut self, at: At) -> Result<At, Malformed> {
        self.extra += 1;
        if self.extra > MAX_EXTRA {
            return Err(Malformed("there is too much beside the data"));
        }
        Ok(at)
    }
}
