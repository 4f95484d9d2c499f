//! Devices that signed in before, known by a cookie that nobody else can make: a MAC over the administrator, its password
//! hash, a random id and the time of issue. Nothing is stored, so a device stays known after a restart, and a changed
//! password makes all of them strangers. A known device gets no rights: it has a lock-out count of its own.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::error::AdminError;
use store::row::AdminRow;
use zeroize::Zeroizing;

use crate::secrets::{Secrets, random, same_hash};

/// How long a device is known after its last sign-in, in milliseconds. The browser keeps the cookie as long.
const VALID: u64 = 90 * 24 * 3600 * 1000;
const ID: usize = 16;
const LENGTH: usize = ID + 8 + 32;

/// The random id of a device.
pub(crate) type DeviceId = [u8; ID];

/// The cookie's value for a device that has just signed in as `admin`; `known` keeps its id.
pub(crate) fn issue(
    secrets: &Secrets,
    admin: &AdminRow,
    known: Option<DeviceId>,
    now: u64,
) -> Result<String, AdminError> {
    let id = match known {
        Some(id) => id,
        None => {
            let mut id = [0; ID];
            random::fill(&mut id)?;
            id
        }
    };
    let mac = mac(secrets, admin.id.as_str(), &admin.password_hash, &id, now);
    Ok(URL_SAFE_NO_PAD.encode([id.as_slice(), &now.to_be_bytes(), &mac].concat()))
}

/// The device behind a cookie that was issued for `admin`. An account that does not exist costs the same.
pub(crate) fn recognise(secrets: &Secrets, admin: Option<&AdminRow>, cookie: &str, now: u64) -> Option<DeviceId> {
    let bytes: [u8; LENGTH] = URL_SAFE_NO_PAD.decode(cookie).ok()?.try_into().ok()?;
    let (id, rest) = bytes.split_first_chunk::<ID>()?;
    let (at, given) = rest.split_first_chunk::<8>()?;
    let (given, at) = (given.try_into().ok()?, u64::from_be_bytes(*at));
    let (name, hash) = admin.map_or(("", ""), |row| (row.id.as_str(), row.password_hash.as_str()));
    let same = same_hash(&mac(secrets, name, hash, id, at), given);
    (same && admin.is_some() && now.saturating_sub(at) < VALID).then_some(*id)
}

fn mac(secrets: &Secrets, admin: &str, password_hash: &str, id: &DeviceId, at: u64) -> [u8; 32] {
    // The id of an administrator has one length, so nothing can move from one part to the next.
    let text = [admin.as_bytes(), id, &at.to_be_bytes(), password_hash.as_bytes()].concat();
    secrets.device_mac(&Zeroizing::new(text))
}

#[cfg(test)]
mod tests {
    use domain::{admin::Role, id::AdminId};

    use super::*;
    use crate::secrets::root::Root;

    fn admin(id: &str, password_hash: &str) -> AdminRow {
        AdminRow {
            id: AdminId::new(id).unwrap(),
            name: "ada".into(),
            password_hash: password_hash.into(),
            role: Role::Viewer,
            enabled: true,
            totp: None,
            signed_in_at: None,
            created_at: 0,
        }
    }

    #[test]
    fn a_device_is_known_to_its_administrator_for_ninety_days_until_the_password_changes() {
        let secrets = Secrets::derive(&Root::of_text("a"));
        let ada = admin("aaaaaaaaaaaa", "hash");
        let cookie = issue(&secrets, &ada, None, 1_000).unwrap();
        let know = |admin: &AdminRow, now| recognise(&secrets, Some(admin), &cookie, now);
        let id = know(&ada, 1_000).unwrap();
        assert_eq!(know(&ada, 1_000 + VALID - 1), Some(id));
        assert_eq!(know(&ada, 1_000 + VALID), None);
        assert_eq!(know(&admin("aaaaaaaaaaaa", "another"), 1_000), None);
        assert_eq!(know(&admin("bbbbbbbbbbbb", "hash"), 1_000), None);
        assert_eq!(recognise(&secrets, None, &cookie, 1_000), None);
        assert_eq!(recognise(&Secrets::derive(&Root::of_text("b")), Some(&ada), &cookie, 1_000), None);
        let again = issue(&secrets, &ada, Some(id), 5_000).unwrap();
        assert_eq!(recognise(&secrets, Some(&ada), &again, 4_999 + VALID), Some(id));
    }

    #[test]
    fn no_changed_cookie_is_a_device() {
        let secrets = Secrets::derive(&Root::of_text("a"));
        let ada = admin("aaaaaaaaaaaa", "hash");
        let cookie = issue(&secrets, &ada, None, 1_000).unwrap();
        let bytes = URL_SAFE_NO_PAD.decode(&cookie).unwrap();
        for at in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1;
            assert_eq!(recognise(&secrets, Some(&ada), &URL_SAFE_NO_PAD.encode(bytes), 1_000), None, "at {at}");
        }
        for odd in ["", "x", &cookie[1..], &format!("{cookie}A"), "é"] {
            assert_eq!(recognise(&secrets, Some(&ada), odd, 1_000), None, "{odd}");
        }
    }
}
