//! The form of an API key: `op_<12 base62 id>_<43 base62 secret><6 base62 CRC32>`. Parsing and assembly only; making
//! random parts and hashing belong to `control`, verifying to `gateway`.

use serde::{Deserialize, Serialize};

use crate::{
    id::{BASE62, ID_LENGTH, KeyId, UserId, is_base62},
    limit::RateLimit,
    policy::{Policy, PolicyInput, PolicyView, Standing},
    remarks::RemarksView,
};

/// What every key begins with. Secret scanners know it: it must never change.
pub const KEY_PREFIX: &str = "op_";
/// Characters of the secret, at least 256 bits.
pub const SECRET_LENGTH: usize = 43;
/// Characters of the checksum.
pub const CHECKSUM_LENGTH: usize = 6;
/// Characters of a whole key.
pub const KEY_LENGTH: usize = KEY_PREFIX.len() + ID_LENGTH + 1 + SECRET_LENGTH + CHECKSUM_LENGTH;

/// The text has not the form of a key: wrong length, alphabet or checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not an API key of this gateway")]
pub struct MalformedKey;

/// The id inside a well-formed key, its checksum already verified. The secret itself is not taken apart: the hash is
/// over the whole key.
pub fn parse_key(text: &str) -> Result<&str, MalformedKey> {
    let bytes = text.as_bytes();
    if bytes.len() != KEY_LENGTH || !text.starts_with(KEY_PREFIX) {
        return Err(MalformedKey);
    }
    let id_end = KEY_PREFIX.len() + ID_LENGTH;
    let (Some(id), Some(tail)) = (text.get(KEY_PREFIX.len()..id_end), text.get(id_end + 1..)) else {
        return Err(MalformedKey);
    };
    if bytes[id_end] != b'_' || !is_base62(id) || !is_base62(tail) {
        return Err(MalformedKey);
    }
    let (body, checksum) = bytes.split_at(KEY_LENGTH - CHECKSUM_LENGTH);
    if checksum == checksum_of(body) { Ok(id) } else { Err(MalformedKey) }
}

/// A text without the secret, where it begins like a key: what may stand in addresses and be searched for.
pub fn without_secret(text: &str) -> &str {
    let text = text.trim_start();
    match text.get(..KEY_PREFIX.len() + ID_LENGTH) {
        Some(public) if public.starts_with(KEY_PREFIX) && text[public.len()..].starts_with('_') => public,
        _ => text,
    }
}

/// Puts a key together from its id and a 43-character base62 secret.
pub fn assemble_key(id: &KeyId, secret: &str) -> String {
    let mut key = format!("{KEY_PREFIX}{id}_{secret}");
    let checksum = checksum_of(key.as_bytes());
    key.extend(checksum.iter().map(|&byte| char::from(byte)));
    key
}

fn checksum_of(body: &[u8]) -> [u8; CHECKSUM_LENGTH] {
    let mut rest = crc32fast::hash(body);
    let mut digits = [b'0'; CHECKSUM_LENGTH];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[(rest % 62) as usize];
        rest /= 62;
    }
    digits
}

/// Life of a key. `Revoked` is terminal: no operation leaves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyStatus {
    Active,
    Disabled,
    Revoked,
}

/// A key as the pages and `--json` show it. Never holds the secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyView {
    pub id: KeyId,
    pub user_id: UserId,
    /// Name of the user it belongs to.
    pub user: String,
    pub name: String,
    pub status: KeyStatus,
    /// The last four characters, so that a person can tell keys apart.
    pub last_four: String,
    /// The key's own limit; `None` means the default limit applies.
    pub limit: Option<RateLimit>,
    /// What else it is held to, beside its user's policy.
    #[serde(default)]
    #[cfg_attr(target_family = "wasm", serde(skip))]
    pub policy: Policy,
    /// The same on the user's page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown: Option<PolicyView>,
    /// Unix milliseconds.
    pub created_at: u64,
    /// Unix milliseconds of the last accounted request, at most about two seconds old.
    pub last_used_at: Option<u64>,
    /// The address that came from, as far as is known.
    #[serde(default)]
    pub last_address: Option<String>,
    /// Requests accounted since the key was made.
    pub requests: u64,
    /// It is revoked, but the list of revoked keys beside the database could not be told yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unlisted: bool,
    #[serde(default)]
    pub remarks: RemarksView,
    /// The key that was made in its place.
    #[serde(default)]
    pub replaced_by: Option<KeyId>,
    /// What its end needs to have said of it, without full stop: that it comes soon, that it came, what took its place.
    #[serde(default)]
    pub notice: Option<String>,
}

/// What [`KeyView::unlisted`] means for whoever revoked it.
pub const UNLISTED: &str = "the key is refused from now on and the database knows it, but `revoked-keys` in the data folder \
                            could not be written: until it is, a backup from before would bring the key back. Mend what is \
                            in the way; the running gateway tries again by itself, and so does the next start";

/// Creates a key. `requests` and `minutes` come as typed: empty text means none; both or neither.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateKey {
    pub user_id: UserId,
    pub name: String,
    #[serde(default)]
    pub requests: String,
    #[serde(default)]
    pub minutes: String,
    /// Not part of the form.
    #[serde(default, skip_serializing_if = "PolicyInput::is_empty")]
    pub policy: PolicyInput,
}

/// Changes a key's own limit; both fields empty removes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetKeyLimit {
    pub id: KeyId,
    #[serde(default)]
    pub requests: String,
    #[serde(default)]
    pub minutes: String,
}

/// Where one key stands at this moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyStanding {
    pub id: KeyId,
    pub standing: Standing,
}

/// Disables, enables or revokes a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetKeyStatus {
    pub id: KeyId,
    pub status: KeyStatus,
}

/// Makes a key in place of another, which goes on working for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RotateKey {
    pub id: KeyId,
    /// How long the old key still works: one of [`RotateKey::OVERLAPS`], a time like `36h` or `30d`, or a date.
    #[serde(default)]
    pub overlap: String,
    /// In place of an overlap of [`RotateKey::TYPED`].
    #[serde(default)]
    pub until: String,
    /// When the new key expires, as in a policy. `None`: when the old one would have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}

impl RotateKey {
    /// What faults stand beside.
    pub const FIELDS: [&str; 3] = ["overlap", "until", "expires_at"];
    /// The old key ends at once.
    pub const NONE: &str = "none";
    /// What `until` says counts.
    pub const TYPED: &str = "until";
    /// Words of forms, and for people.
    pub const OVERLAPS: &[(&str, &str)] = &[
        ("24h", "24 hours"),
        (Self::NONE, "Not at all"),
        ("1h", "1 hour"),
        ("7d", "7 days"),
        (Self::TYPED, "Until the time below"),
    ];
}

/// The answer to creating a key: the only time its text is seen.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreatedKey {
    /// The whole key.
    pub token: String,
    pub view: KeyView,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> String {
        assemble_key(&KeyId::new("0123456789ab").unwrap(), &"x".repeat(SECRET_LENGTH))
    }

    #[test]
    fn an_assembled_key_parses_to_its_id() {
        assert_eq!(parse_key(&sample()), Ok("0123456789ab"));
    }

    #[test]
    fn any_changed_character_is_noticed() {
        let key = sample();
        for at in 0..key.len() {
            let mut bytes = key.clone().into_bytes();
            bytes[at] = if bytes[at] == b'z' { b'y' } else { b'z' };
            assert_eq!(parse_key(std::str::from_utf8(&bytes).unwrap()), Err(MalformedKey), "at {at}");
        }
    }

    #[test]
    fn of_what_begins_like_a_key_only_the_public_part_is_left() {
        for text in [sample(), format!(" {}", sample()), "op_0123456789ab_x".into(), "op_0123456789ab_".into()] {
            assert_eq!(without_secret(&text), "op_0123456789ab", "{text}");
        }
        for text in ["", "op_", "op_0123456789ab", "op_0123", "op_0123456789abc", "Ada_Lovelace_1815", "op_ééééééééé"]
        {
            assert_eq!(without_secret(text), text);
        }
    }

    #[test]
    fn other_text_is_refused_without_a_panic() {
        for text in ["", "op_", "op__", "sk-1234", &"é".repeat(33), &format!("op_{}", "é".repeat(31))] {
            assert_eq!(parse_key(text), Err(MalformedKey), "{text}");
        }
    }
}
