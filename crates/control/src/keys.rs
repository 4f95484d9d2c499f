//! API keys: made, limited, switched and revoked. The text of a key exists only in the answer that made it.

mod rotate;

use domain::{
    error::{AdminError, FieldError},
    id::{KeyId, UserId},
    key::{CreateKey, CreatedKey, KeyStatus, KeyView, SetKeyLimit, SetKeyStatus, assemble_key},
    limit::RateLimit,
    policy::{Policy, PolicyInput, SetKeyPolicy},
    remarks::Remarks,
};
use store::row::{KeyRow, Op};
use zeroize::Zeroizing;

use crate::{Actor, Control, by::By, clock::Now, expiry, fault, name, policy, secrets::random, state::State};

/// How often another id is drawn when one is taken. With 71 bits, twice is already a sign of a broken source.
const DRAWS: usize = 4;
/// Characters of a key that are kept to tell keys apart.
const LAST: usize = 4;

/// The same key, revoked: its hash is gone, so nothing can match it again.
pub(crate) fn revoked(key: &KeyRow) -> KeyRow {
    KeyRow { status: KeyStatus::Revoked, hash: None, ..key.clone() }
}

/// A key in the making. No Debug: it holds the text.
struct Made {
    token: Zeroizing<String>,
    row: KeyRow,
}

impl Control {
    pub async fn create_key(&self, actor: &Actor, input: CreateKey) -> Result<CreatedKey, AdminError> {
        let by = actor.operates("key created")?;
        let mut fields: Vec<FieldError> = Vec::new();
        let name = name::check("name", &input.name).map_err(|fault| fields.push(fault));
        let limit = RateLimit::from_fields(&input.requests, &input.minutes).map_err(|faults| fields.extend(faults));
        let policy = Policy::from_input(&input.policy, Now::read().wall).map_err(|faults| fields.extend(faults));
        let (Ok(name), Ok(limit), Ok(policy)) = (name, limit, policy) else {
            return Err(AdminError::Invalid { fields });
        };
        let secret = random::key_secret()?;
        let (token, row) = self
            .mutate(by, |state| {
                let user = state.user(&input.user_id)?;
                // Of a key that was replaced the new one has the name.
                let named = |key: &&KeyRow| key.status != KeyStatus::Revoked && state.successor(key).is_none();
                if state.keys_of(&user.id).filter(named).any(|key| name::same(&key.name, &name)) {
                    return Err(AdminError::invalid("name", "this user has a key of this name"));
                }
                let (name, policy) = (name.clone(), policy.clone());
                let Made { token, row } = self.make_key(state, &user.id, &secret)?;
                let row = KeyRow { name, limit, policy, ..row };
                Ok((vec![Op::PutKey(row.clone())], (token, row)))
            })
            .await?;
        Ok(CreatedKey { token: token.to_string(), view: self.key_view(&self.state(), &row) })
    }

    /// A key of a user with a free id, which nothing restricts yet.
    fn make_key(&self, state: &State, user: &UserId, secret: &str) -> Result<Made, AdminError> {
        let id = free_id(state, random::id)?;
        let token = Zeroizing::new(assemble_key(&id, secret));
        let row = KeyRow {
            id,
            user: user.clone(),
            name: String::new(),
            status: KeyStatus::Active,
            hash: Some(self.0.secrets.hash_key(&token)),
            last_four: token.get(token.len() - LAST..).unwrap_or_default().to_owned(),
            limit: None,
            policy: Policy::default(),
            created_at: Now::read().wall,
            remarks: Remarks::default(),
            replaced_by: None,
        };
        Ok(Made { token, row })
    }

    pub async fn set_key_limit(&self, actor: &Actor, input: SetKeyLimit) -> Result<KeyView, AdminError> {
        let by = actor.operates("key limit changed")?;
        let limit =
            RateLimit::from_fields(&input.requests, &input.minutes).map_err(|fields| AdminError::Invalid { fields })?;
        self.change_key(by, &input.id, |_, key| Ok(KeyRow { limit, ..key.clone() })).await
    }

    /// Replaces the whole policy; it is in force when this returns.
    pub async fn set_key_policy(&self, actor: &Actor, input: SetKeyPolicy) -> Result<KeyView, AdminError> {
        let (id, input) = input.into_parts();
        self.edit_key_policy(actor, &id, |_| input.clone()).await
    }

    /// The same, from what is there.
    pub(crate) async fn edit_key_policy(
        &self,
        actor: &Actor,
        id: &KeyId,
        edit: impl Fn(&Policy) -> PolicyInput + Send + Sync,
    ) -> Result<KeyView, AdminError> {
        self.change_key(actor.operates("key policy changed")?, id, |state, key| {
            let policy = policy::read(&edit(&key.policy), &key.policy, Now::read().wall)?;
            rotate::stays_ended(state, key, &policy)?;
            Ok(KeyRow { policy, ..key.clone() })
        })
        .await
    }

    pub async fn set_key_status(&self, actor: &Actor, input: SetKeyStatus) -> Result<KeyView, AdminError> {
        let status = input.status;
        let by = actor.operates("key status changed")?;
        let changed = self.change_key(by.clone(), &input.id, |_, key| {
            Ok(if status == KeyStatus::Revoked { revoked(key) } else { KeyRow { status, ..key.clone() } })
        });
        match changed.await {
            Err(AdminError::ReadOnly { .. }) if status == KeyStatus::Revoked => {
                self.revoke_unsaved(&by, &input.id).await?;
                let state = self.state();
                Ok(self.key_view(&state, state.key(&input.id)?))
            }
            Err(AdminError::ReadOnly { message }) if status == KeyStatus::Disabled => {
                Err(AdminError::ReadOnly { message: format!("{message}; but a key can be revoked") })
            }
            changed => changed,
        }
    }

    /// Changes a key that is not revoked. Revoking is final, so asking for it again is no fault and changes nothing.
    async fn change_key(
        &self,
        by: By,
        id: &KeyId,
        change: impl Fn(&State, &KeyRow) -> Result<KeyRow, AdminError> + Send,
    ) -> Result<KeyView, AdminError> {
        self.mutate(by, |state| {
            let key = state.key(id)?;
            let changed = change(state, key)?;
            if changed == *key {
                return Ok((Vec::new(), ()));
            }
            if key.status == KeyStatus::Revoked {
                return Err(fault::conflict("this key is revoked for good: create another"));
            }
            Ok((vec![Op::PutKey(changed)], ()))
        })
        .await?;
        let state = self.state();
        Ok(self.key_view(&state, state.key(id)?))
    }

    pub(crate) fn key_view(&self, state: &State, row: &KeyRow) -> KeyView {
        let used = self.0.usage.total(&row.id);
        let user = state.rows.users.iter().find(|user| user.id == row.user);
        let by = state.successor(row);
        KeyView {
            id: row.id.clone(),
            user_id: row.user.clone(),
            user: user.map(|user| user.name.clone()).unwrap_or_default(),
            name: row.name.clone(),
            status: row.status,
            last_four: row.last_four.clone(),
            limit: row.limit,
            policy: row.policy.clone(),
            shown: None,
            created_at: row.created_at,
            last_used_at: used.last_used_at,
            last_address: used.last_address.map(|address| address.to_string()),
            requests: used.requests,
            unlisted: self.0.tombstones.is_owed_to_file(&row.id),
            remarks: (&row.remarks).into(),
            replaced_by: by.map(|by| by.id.clone()),
            notice: expiry::notice(row, user, by, Now::read().wall),
        }
    }
}

/// An id that no key has or had.
fn free_id(state: &State, draw: impl Fn() -> Result<KeyId, AdminError>) -> Result<KeyId, AdminError> {
    for _ in 0..DRAWS {
        let id = draw()?;
        if state.rows.keys.iter().all(|key| key.id != id) {
            return Ok(id);
        }
    }
    Err(fault::internal("no free id was found", &"every drawn id is taken"))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn key(id: &KeyId) -> KeyRow {
        KeyRow {
            id: id.clone(),
            user: UserId::new("uuuuuuuuuuuu").unwrap(),
            name: "n".into(),
            status: KeyStatus::Revoked,
            hash: None,
            last_four: "abcd".into(),
            limit: None,
            policy: Policy::default(),
            created_at: 0,
            remarks: Remarks::default(),
            replaced_by: None,
        }
    }

    #[test]
    fn a_taken_id_is_drawn_again() {
        let (taken, free) = (KeyId::new("aaaaaaaaaaaa").unwrap(), KeyId::new("bbbbbbbbbbbb").unwrap());
        let state = State { rows: store::row::State { keys: vec![key(&taken)], ..Default::default() } };
        let draws = Cell::new(0);
        let draw = || {
            draws.set(draws.get() + 1);
            Ok(if draws.get() < 3 { taken.clone() } else { free.clone() })
        };
        assert_eq!(free_id(&state, draw), Ok(free.clone()));
        assert_eq!(draws.get(), 3);
        assert!(free_id(&state, || Ok(taken.clone())).is_err(), "a broken source ends");
    }
}
