//! Pictures for a model: which files are some, how large they may be, and their text for the wire.

/// Most of them with one message.
pub(super) const MOST: usize = 4;
/// Largest, in bytes.
pub(super) const LARGEST: usize = 5_000_000;

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// A picture of a kind that models read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Picture {
    kind: &'static str,
    /// In base64.
    pub data: String,
}

impl Picture {
    /// What the bytes themselves say counts, whatever the file is called.
    pub fn of(bytes: &[u8]) -> Result<Self, &'static str> {
        if bytes.len() > LARGEST {
            return Err("a picture may have 5 MB at most");
        }
        let kind = kind(bytes).ok_or("only pictures in PNG, JPEG or WebP can be sent")?;
        Ok(Self { kind, data: encode(bytes) })
    }

    /// From an export.
    pub fn of_text(data: String) -> Option<Self> {
        let is_base64 = data.len().is_multiple_of(4)
            && data.trim_end_matches('=').bytes().all(|byte| LETTERS.contains(&byte))
            && data.bytes().rev().take_while(|byte| *byte == b'=').count() < 3;
        let head = data.as_bytes().get(..16).filter(|_| is_base64 && data.len() <= LARGEST.div_ceil(3) * 4)?;
        let kind = kind(&decode(head))?;
        Some(Self { kind, data })
    }

    /// For an `<img>`.
    pub fn address(&self) -> String {
        format!("data:{};base64,{}", self.kind, self.data)
    }
}

fn kind(bytes: &[u8]) -> Option<&'static str> {
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        Some("image/png")
    } else if bytes.starts_with(b"\xff\xd8\xff") {
        Some("image/jpeg")
    } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        Some("image/webp")
    } else {
        None
    }
}

fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for part in bytes.chunks(3) {
        let [a, b, c] = [0, 1, 2].map(|at| u32::from(part.get(at).copied().unwrap_or_default()));
        let all = a << 16 | b << 8 | c;
        for (at, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            let letter = LETTERS[(all >> shift & 63) as usize];
            text.push(if at <= part.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

fn decode(text: &[u8]) -> Vec<u8> {
    let value = |letter: &u8| LETTERS.iter().position(|known| known == letter).unwrap_or_default() as u32;
    let parts = text.chunks(4).flat_map(|part| {
        let all = part.iter().fold(0, |all, letter| all << 6 | value(letter));
        [16, 8, 0].map(|shift| (all >> shift & 255) as u8)
    });
    parts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n0123456789";

    #[test]
    fn text_is_base64_of_the_bytes() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(encode(bytes.as_bytes()), text);
        }
        assert_eq!(encode(&[0xff, 0xef, 0xbe]), "/+++");
        assert_eq!(decode(b"Zm9vYmFy"), b"foobar");
    }

    #[test]
    fn a_picture_is_what_its_bytes_are() {
        let picture = Picture::of(PNG).unwrap();
        assert!(picture.address().starts_with("data:image/png;base64,iVBORw0KGgo"));
        assert!(Picture::of(b"\xff\xd8\xff\xe0").is_ok() && Picture::of(b"RIFF....WEBPVP8 ").is_ok());
        for other in [b"GIF89a".as_slice(), b"<svg onload='x'>", b"RIFF....WAVE", b""] {
            assert!(Picture::of(other).is_err());
        }
        assert!(Picture::of(&[PNG, &vec![0; LARGEST]].concat()).is_err());
        assert_eq!(Picture::of_text(picture.data.clone()), Some(picture.clone()));
        for bad in [format!("{}\"", &picture.data[..23]), "PHN2Zz4=PHN2Zz4=PHN2".into(), String::new(), "iVBOR".into()]
        {
            assert_eq!(Picture::of_text(bad.clone()), None, "{bad}");
        }
    }
}
