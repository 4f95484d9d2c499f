//! Rotating a key: another takes its place at once, and the old one works on for as long as its holder needs to change it.

use domain::{
    error::{AdminError, FieldError},
    key::{CreatedKey, KeyStatus, RotateKey},
    policy::{Policy, PolicyInput, expiry, format_utc},
};
use store::row::{KeyRow, Op};

use super::Made;
use crate::{Actor, Control, clock::Now, expiry as ends, fault, policy, secrets::random, state::State};

impl Control {
    /// The new key has the name, label, note, limit and policy of the old one, which is held to an end. Its text is in this
    /// answer and nowhere else.
    pub async fn rotate_key(&self, actor: &Actor, input: RotateKey) -> Result<CreatedKey, AdminError> {
        let by = actor.operates("key rotated")?;
        let now = Now::read().wall;
        let overlap = until(&input, now).map_err(|fault| AdminError::Invalid { fields: vec![fault] })?;
        let secret = random::key_secret()?;
        let (token, row) = self
            .mutate(by, |state| {
                let old = state.key(&input.id)?;
                let user = state.user(&old.user)?;
                may_rotate(state, old)?;
                if ends::end(old, Some(user)).is_some_and(|end| end <= now) {
                    return Err(fault::conflict("this key has expired: give it another end first, or create another"));
                }
                let policy = policy_of(old, input.expires_at.as_deref(), now)?;
                let Made { token, row } = self.make_key(state, &user.id, &secret)?;
                let row =
                    KeyRow { name: old.name.clone(), limit: old.limit, policy, remarks: old.remarks.clone(), ..row };
                let end = old.policy.expires_at.map_or(overlap, |end| end.min(overlap));
                let ending = Policy { expires_at: Some(end), ..old.policy.clone() };
                let ended = KeyRow { policy: ending, replaced_by: Some(row.id.clone()), ..old.clone() };
                Ok((vec![Op::PutKey(row.clone()), Op::PutKey(ended)], (token, row)))
            })
            .await?;
        Ok(CreatedKey { token: token.to_string(), view: self.key_view(&self.state(), &row) })
    }
}

fn may_rotate(state: &State, old: &KeyRow) -> Result<(), AdminError> {
    match (old.status, state.successor(old).map(|by| &by.id)) {
        (KeyStatus::Revoked, _) => Err(fault::conflict("this key is revoked for good: create another")),
        (_, Some(by)) => Err(fault::conflict(format!("this key was replaced already, by op_{by}: rotate that one"))),
        (KeyStatus::Disabled, None) => Err(fault::conflict("this key is disabled: enable it first, or create another")),
        (KeyStatus::Active, None) => Ok(()),
    }
}

/// A key that was replaced gets no later end: whoever saves a form from before knows nothing of its rotation.
pub(super) fn stays_ended(state: &State, key: &KeyRow, policy: &Policy) -> Result<(), AdminError> {
    let Some((by, end)) = state.successor(key).map(|by| &by.id).zip(key.policy.expires_at) else { return Ok(()) };
    if policy.expires_at.is_some_and(|typed| typed <= end) {
        return Ok(());
    }
    let message = format!("was replaced by op_{by} and ends at {} UTC: it gets no later end", format_utc(end));
    Err(AdminError::invalid("expires_at", message))
}

/// Until when the old key works.
fn until(input: &RotateKey, now: u64) -> Result<u64, FieldError> {
    let overlap = input.overlap.trim();
    let (field, text) = match overlap {
        RotateKey::NONE => return Ok(now),
        RotateKey::TYPED => ("until", input.until.trim()),
        overlap => ("overlap", overlap),
    };
    match expiry(text, now) {
        Ok(Some(end)) => Ok(end),
        Ok(None) => Err(FieldError::new(field, "say how long the old key is to work")),
        Err(fault) => Err(FieldError::new(field, fault.replace("; disable or revoke the key to end it now", ""))),
    }
}

/// The same with another end, where one was typed.
fn policy_of(old: &KeyRow, expires_at: Option<&str>, now: u64) -> Result<Policy, AdminError> {
    let Some(typed) = expires_at else { return Ok(old.policy.clone()) };
    let input = PolicyInput { expires_at: typed.to_owned(), ..PolicyInput::from(&old.policy) };
    policy::read(&input, &old.policy, now)
}

#[cfg(test)]
mod tests {
    use domain::id::KeyId;

    use super::*;

    const NOW: u64 = 1_795_343_400_000;

    #[test]
    fn an_overlap_is_one_of_those_offered_or_a_time_to_come() {
        let until = |overlap: &str, typed: &str| {
            let id = KeyId::new("kkkkkkkkkkkk").unwrap();
            until(&RotateKey { id, overlap: overlap.into(), until: typed.into(), expires_at: None }, NOW)
        };
        let hours = |hours: u64| Ok(NOW + hours * 3_600_000);
        assert_eq!(until("none", ""), Ok(NOW));
        assert_eq!((until("1h", ""), until(" 24h ", "x"), until("7d", "")), (hours(1), hours(24), hours(168)));
        assert_eq!(until("until", "2026-11-23T10:30"), hours(24));
        for (overlap, typed, field) in
            [("", "", "overlap"), ("soon", "", "overlap"), ("until", "", "until"), ("until", "2020-01-01", "until")]
        {
            assert_eq!(until(overlap, typed).unwrap_err().field, field, "{overlap} {typed}");
        }
        for (word, _) in RotateKey::OVERLAPS {
            assert!(until(word, "1h").is_ok(), "{word}");
        }
    }
}
