//! What an image is, by the first bytes of its file and the sizes in its header. Pixels are never decoded.

use domain::look::{MAX_SIDE, MIN_SIDE};

/// Kinds of images that cannot hold scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Png,
    Jpeg,
    WebP,
}

impl Kind {
    pub fn ending(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpg",
            Self::WebP => "webp",
        }
    }

    pub fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::WebP => "image/webp",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Image {
    pub kind: Kind,
    pub width: u32,
    pub height: u32,
}

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";
const PNG_END: &[u8] = b"\0\0\0\0IEND\xae\x42\x60\x82";
const BROKEN: &str = "is cut short, or its header is broken: save it again";

impl Image {
    /// The image in a file, or why it cannot be a logo.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let (kind, size) = if bytes.starts_with(PNG) {
            (Kind::Png, png(bytes))
        } else if bytes.starts_with(b"\xff\xd8\xff") {
            (Kind::Jpeg, jpeg(bytes))
        } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
            (Kind::WebP, webp(bytes))
        } else if is_markup(bytes) {
            return Err("is an SVG or another text, which may hold scripts: save it as PNG, JPEG or WebP".into());
        } else {
            return Err("must be a PNG, JPEG or WebP image".into());
        };
        let (width, height) = size.ok_or(BROKEN)?;
        let sides = MIN_SIDE..=MAX_SIDE;
        if !(sides.contains(&width) && sides.contains(&height)) {
            return Err(format!(
                "must be {MIN_SIDE} to {MAX_SIDE} pixels wide and high; this one is {width} × {height}"
            ));
        }
        Ok(Self { kind, width, height })
    }
}

fn is_markup(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    bytes.trim_ascii_start().starts_with(b"<")
}

fn big(bytes: &[u8], at: usize, count: usize) -> Option<u32> {
    Some(bytes.get(at..at + count)?.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
}

fn little(bytes: &[u8], at: usize, count: usize) -> Option<u32> {
    Some(bytes.get(at..at + count)?.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte)))
}

/// The header chunk comes first, and the end chunk is the end of the file.
fn png(bytes: &[u8]) -> Option<(u32, u32)> {
    let header = bytes.get(8..16)? == b"\0\0\0\x0dIHDR" && bytes.ends_with(PNG_END);
    header.then_some((big(bytes, 16, 4)?, big(bytes, 20, 4)?))
}

/// The sizes stand in the segment that begins a frame; those before it are passed over by their lengths.
fn jpeg(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut at = 2;
    loop {
        while *bytes.get(at)? == 0xff && *bytes.get(at + 1)? == 0xff {
            at += 1;
        }
        let (mark, kind, length) = (*bytes.get(at)?, *bytes.get(at + 1)?, big(bytes, at + 2, 2)? as usize);
        match kind {
            _ if mark != 0xff || length < 2 => return None,
            0xc4 | 0xc8 | 0xcc => {}
            0xc0..=0xcf => return Some((big(bytes, at + 7, 2)?, big(bytes, at + 5, 2)?)),
            // The pixels begin, or the file ends, without a frame.
            0xd0..=0xda => return None,
            _ => {}
        }
        at += 2 + length;
    }
}

/// Of the three forms each has its sizes elsewhere.
fn webp(bytes: &[u8]) -> Option<(u32, u32)> {
    let whole = little(bytes, 4, 4)? as usize + 8 <= bytes.len();
    let size = match bytes.get(12..16)? {
        b"VP8 " => {
            let sizes = (bytes.get(23..26)? == b"\x9d\x01\x2a").then_some((26, 28));
            let (width, height) = sizes?;
            (little(bytes, width, 2)? & 0x3fff, little(bytes, height, 2)? & 0x3fff)
        }
        b"VP8L" => {
            let bits = little(bytes, 21, 4).filter(|_| bytes.get(20) == Some(&0x2f))?;
            ((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1)
        }
        b"VP8X" => (little(bytes, 24, 3)? + 1, little(bytes, 27, 3)? + 1),
        _ => return None,
    };
    whole.then_some(size)
}
