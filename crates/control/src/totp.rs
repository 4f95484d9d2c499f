//! One-time codes by time (RFC 6238: SHA-1, six digits, thirty seconds) and the recovery codes beside them. Only the
//! arithmetic: who may give a code, and when, is the business of `login` and `account`.

use domain::{error::AdminError, id::AdminId};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::secrets::random;

/// Seconds that a code is shown.
const STEP: u64 = 30;
/// Steps that the clock of a phone may be off, to either side.
const DRIFT: u64 = 1;
const DIGITS: usize = 6;
const SECRET: usize = 20;
/// Recovery codes made at once.
const RECOVERY: usize = 8;
/// Bytes of a recovery code: 80 bits, so that a plain digest of it cannot be searched.
const RECOVERY_BYTES: usize = 10;
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// A fresh secret, in base32.
pub(crate) fn new_secret() -> Result<Zeroizing<String>, AdminError> {
    let mut bytes = Zeroizing::new([0; SECRET]);
    random::fill(bytes.as_mut_slice())?;
    Ok(Zeroizing::new(base32(bytes.as_slice())))
}

/// The step that `code` is right for at `now` (Unix milliseconds), if it is later than `last`: no code counts twice.
pub(crate) fn check(secret: &str, code: &str, now: u64, last: u64) -> Option<u64> {
    let secret = Zeroizing::new(from_base32(secret)?);
    let present = now / 1000 / STEP;
    let mut found = None;
    for step in present.saturating_sub(DRIFT)..=present + DRIFT {
        let right: bool = code_of(&secret, step).as_bytes().ct_eq(code.as_bytes()).into();
        if right && step > last {
            found = Some(step);
        }
    }
    found
}

/// What was typed is a code of the app: six digits, however they are grouped.
pub(crate) fn digits(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(|letter| !letter.is_whitespace()).collect();
    (digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(digits)
}

fn code_of(secret: &[u8], step: u64) -> String {
    // HMAC takes keys of every length.
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(secret) else { return String::new() };
    mac.update(&step.to_be_bytes());
    let hash = mac.finalize().into_bytes();
    let at = usize::from(hash[19] & 15);
    let number = u32::from_be_bytes([hash[at] & 0x7f, hash[at + 1], hash[at + 2], hash[at + 3]]);
    format!("{:06}", number % 1_000_000)
}

/// Codes for people, and what is stored of them.
pub(crate) fn new_recovery(admin: &AdminId) -> Result<(Vec<String>, Vec<[u8; 32]>), AdminError> {
    let mut codes = Vec::new();
    for _ in 0..RECOVERY {
        let mut bytes = Zeroizing::new([0; RECOVERY_BYTES]);
        random::fill(bytes.as_mut_slice())?;
        codes.push(groups(&base32(bytes.as_slice()).to_lowercase(), '-'));
    }
    let digests = codes.iter().filter_map(|code| recovery_digest(admin, code)).collect();
    Ok((codes, digests))
}

/// The stored form of a recovery code, however it was typed; `None` for what cannot be one.
pub(crate) fn recovery_digest(admin: &AdminId, text: &str) -> Option<[u8; 32]> {
    let letters: String = text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_uppercase();
    let whole = from_base32(&letters).filter(|bytes| bytes.len() == RECOVERY_BYTES)?;
    let mut hash = Sha256::new();
    hash.update(admin.as_str());
    hash.update(&whole);
    Some(hash.finalize().into())
}

/// In groups of four.
pub(crate) fn groups(text: &str, between: char) -> String {
    let mut out = String::new();
    for (at, letter) in text.chars().enumerate() {
        if at > 0 && at % 4 == 0 {
            out.push(between);
        }
        out.push(letter);
    }
    out
}

/// What the app reads from the picture.
pub(crate) fn uri(host: &str, admin: &str, secret: &str) -> String {
    let encode = |text: &str| {
        let bytes = text.bytes();
        bytes.fold(String::new(), |mut out, byte| {
            match byte {
                b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
                _ => out.push_str(&format!("%{byte:02X}")),
            }
            out
        })
    };
    let issuer = encode(&format!("Ollama Proxy Fortress {host}"));
    format!(
        "otpauth://totp/{issuer}:{}?secret={secret}&issuer={issuer}&algorithm=SHA1&digits=6&period=30",
        encode(admin)
    )
}

/// The picture of a text, as an SVG document.
pub(crate) fn picture(text: &str) -> Result<String, AdminError> {
    use qrcode::{EcLevel, QrCode, render::svg::Color};
    let code = QrCode::with_error_correction_level(text.as_bytes(), EcLevel::L)
        .map_err(|error| crate::fault::internal("a code could not be drawn", &error))?;
    let mut drawing = code.render::<Color<'_>>();
    let drawing = drawing.min_dimensions(220, 220).dark_color(Color("#000")).light_color(Color("#fff"));
    Ok(drawing.build())
}

fn base32(bytes: &[u8]) -> String {
    let mut out = String::new();
    let (mut held, mut bits) = (0_u32, 0);
    for byte in bytes {
        held = (held << 8 | u32::from(*byte)) & 0xffff;
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            out.push(char::from(BASE32[(held >> bits & 31) as usize]));
        }
    }
    if bits > 0 {
        out.push(char::from(BASE32[(held << (5 - bits) & 31) as usize]));
    }
    out
}

fn from_base32(text: &str) -> Option<Vec<u8>> {
    let (mut out, mut held, mut bits) = (Vec::new(), 0_u32, 0);
    for byte in text.bytes() {
        let value = BASE32.iter().position(|known| *known == byte)?;
        held = (held << 5 | u32::try_from(value).ok()?) & 0xffff;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            out.push((held >> bits & 255) as u8);
        }
    }
    Some(out)
}

/// The code that an app would show.
#[cfg(test)]
pub(crate) fn tests_code(secret: &str, now: u64) -> String {
    code_of(&from_base32(secret).unwrap_or_default(), now / 1000 / STEP)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The secret of RFC 6238's appendix B.
    const RFC: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    fn admin(id: &str) -> AdminId {
        AdminId::new(id).unwrap()
    }

    #[test]
    fn codes_are_those_of_the_rfc() {
        let secret = from_base32(RFC).unwrap();
        assert_eq!(secret, b"12345678901234567890");
        assert_eq!(base32(&secret), RFC);
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(code_of(&secret, seconds / STEP), code, "{seconds}");
            assert_eq!(check(RFC, code, seconds * 1000, 0), Some(seconds / STEP));
        }
    }

    #[test]
    fn a_code_counts_one_step_early_or_late_and_only_once() {
        let step = 1_111_111_109 / STEP;
        let at = |step: u64| step * STEP * 1000;
        for now in [step - 1, step, step + 1] {
            assert_eq!(check(RFC, "081804", at(now), 0), Some(step));
        }
        assert_eq!(check(RFC, "081804", at(step - 2), 0), None);
        assert_eq!(check(RFC, "081804", at(step + 2), 0), None);
        assert_eq!(check(RFC, "081804", at(step), step), None, "used");
        assert_eq!(check(RFC, "081804", at(step), step + 1), None, "older than one that was used");
        assert_eq!(check(RFC, "081805", at(step), 0), None);
        assert_eq!(check(RFC, "", at(step), 0), None);
    }

    #[test]
    fn typed_codes_may_be_grouped() {
        assert_eq!(digits(" 123 456 ").as_deref(), Some("123456"));
        for odd in ["12345", "1234567", "12345a", "١٢٣٤٥٦"] {
            assert_eq!(digits(odd), None, "{odd}");
        }
    }

    #[test]
    fn recovery_codes_are_eight_different_ones_and_belong_to_one_administrator() {
        let ada = admin("aaaaaaaaaaaa");
        let (codes, digests) = new_recovery(&ada).unwrap();
        assert_eq!((codes.len(), digests.len()), (8, 8));
        assert_eq!(codes.iter().collect::<std::collections::HashSet<_>>().len(), 8);
        for (code, digest) in codes.iter().zip(&digests) {
            assert_eq!(code.len(), 19);
            assert_eq!(recovery_digest(&ada, code), Some(*digest));
            assert_eq!(recovery_digest(&ada, &code.replace('-', " ").to_uppercase()), Some(*digest));
            assert_ne!(recovery_digest(&admin("bbbbbbbbbbbb"), code), Some(*digest));
        }
        assert_eq!(recovery_digest(&ada, "123456"), None);
        assert_eq!(recovery_digest(&ada, ""), None);
    }

    #[test]
    fn an_app_can_read_what_it_is_shown() {
        let uri = uri("gw.example:8080", "Ada L", RFC);
        assert_eq!(
            uri,
            format!(
                "otpauth://totp/Ollama%20Proxy%20Fortress%20gw.example%3A8080:Ada%20L?secret={RFC}&issuer=\
                 Ollama%20Proxy%20Fortress%20gw.example%3A8080&algorithm=SHA1&digits=6&period=30"
            )
        );
        let picture = picture(&uri).unwrap();
        assert!(picture.contains("<svg") && picture.contains("#000") && !picture.contains("style="), "{picture}");
        assert_eq!(groups("ABCDEFGHI", ' '), "ABCD EFGH I");
    }
}
