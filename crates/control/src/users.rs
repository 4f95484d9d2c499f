//! Users, the owners of keys. A removed user stays as a name for its usage.

mod list;
mod switch;

use std::collections::HashMap;

use domain::{
    error::AdminError,
    id::UserId,
    key::{KeyStatus, KeyView},
    policy::{Policy, PolicyInput, PolicyView, SetUserPolicy},
    remarks::Remarks,
    user::{AddUser, SetUserEnabled, UserDetail, UserRef, UserView},
};
use store::{
    KeyTotals,
    row::{KeyRow, Op, UserRow},
};

use crate::{Actor, Control, clock::Now, keys, name, policy, secrets::random, state::State};

impl Control {
    /// Without removed ones, by name.
    pub fn users(&self, _actor: &Actor) -> Vec<UserView> {
        let state = self.state();
        let mut sums: HashMap<&UserId, Sum> = HashMap::new();
        let totals = self.0.usage.totals();
        for key in &state.rows.keys {
            let used = totals.get(&key.id).copied().unwrap_or_default();
            sums.entry(&key.user).or_default().add(key.status, used);
        }
        let mut views: Vec<UserView> =
            state.users().map(|row| view(row, sums.get(&row.id).copied().unwrap_or_default())).collect();
        views.sort_by_cached_key(|view| (view.name.to_lowercase(), view.created_at));
        views
    }

    pub fn user(&self, _actor: &Actor, input: UserRef) -> Result<UserDetail, AdminError> {
        let state = self.state();
        let row = state.user(&input.id)?;
        let shown = |policy: &Policy| Some(PolicyView::from(policy));
        let key_view = |key: &KeyRow| KeyView { shown: shown(&key.policy), ..self.key_view(&state, key) };
        let mut keys: Vec<_> = state.keys_of(&row.id).map(key_view).collect();
        keys.reverse();
        keys.sort_by_key(|key| std::cmp::Reverse(key.created_at));
        let standings = self.standings_of(&state, &row.id);
        let user = UserView { shown: shown(&row.policy), ..self.user_view(&state, row) };
        Ok(UserDetail { user, keys, standings })
    }

    pub async fn add_user(&self, actor: &Actor, input: AddUser) -> Result<UserView, AdminError> {
        let by = actor.operates("user added")?;
        let mut fields = Vec::new();
        let name = name::check("name", &input.name).map_err(|fault| fields.push(fault));
        let policy = Policy::from_input(&input.policy, Now::read().wall).map_err(|faults| fields.extend(faults));
        let (Ok(name), Ok(policy)) = (name, policy) else { return Err(AdminError::Invalid { fields }) };
        let row = new_row(name, policy)?;
        self.mutate(by, |state| {
            if state.users().any(|known| name::same(&known.name, &row.name)) {
                return Err(AdminError::invalid("name", "another user has this name"));
            }
            Ok((vec![Op::PutUser(row.clone())], ()))
        })
        .await?;
        Ok(view(&row, Sum::default()))
    }

    /// The user of this name, made where there is none.
    pub(crate) async fn user_named(&self, actor: &Actor, text: &str) -> Result<UserId, AdminError> {
        let name = name::check("user", text).map_err(|fault| AdminError::Invalid { fields: vec![fault] })?;
        let row = new_row(name, Policy::default())?;
        self.mutate(actor.operates("user added")?, |state| {
            let users: Vec<_> = state.users().collect();
            match name::find(users.into_iter(), &row.name, |known| &known.name) {
                Some(known) => Ok((Vec::new(), known.id.clone())),
                None => Ok((vec![Op::PutUser(row.clone())], row.id.clone())),
            }
        })
        .await
    }

    pub async fn set_user_enabled(&self, actor: &Actor, input: SetUserEnabled) -> Result<UserView, AdminError> {
        self.mutate(actor.operates("user switched")?, |state| {
            let row = state.user(&input.id)?;
            let changed = (row.enabled != input.enabled).then(|| UserRow { enabled: input.enabled, ..row.clone() });
            Ok((changed.map(Op::PutUser).into_iter().collect(), ()))
        })
        .await?;
        let state = self.state();
        Ok(self.user_view(&state, state.user(&input.id)?))
    }

    /// Replaces the whole policy; it is in force when this returns.
    pub async fn set_user_policy(&self, actor: &Actor, input: SetUserPolicy) -> Result<UserView, AdminError> {
        let (id, input) = input.into_parts();
        self.edit_user_policy(actor, &id, |_| input.clone()).await
    }

    /// The same, from what is there.
    pub(crate) async fn edit_user_policy(
        &self,
        actor: &Actor,
        id: &UserId,
        edit: impl Fn(&Policy) -> PolicyInput + Send + Sync,
    ) -> Result<UserView, AdminError> {
        self.mutate(actor.operates("user policy changed")?, |state| {
            let row = state.user(id)?;
            let policy = policy::read(&edit(&row.policy), &row.policy, Now::read().wall)?;
            let changed = (policy != row.policy).then(|| UserRow { policy, ..row.clone() });
            Ok((changed.map(Op::PutUser).into_iter().collect(), ()))
        })
        .await?;
        let state = self.state();
        Ok(self.user_view(&state, state.user(id)?))
    }

    /// Revokes all its keys; the usage is kept.
    pub async fn remove_user(&self, actor: &Actor, input: UserRef) -> Result<(), AdminError> {
        self.mutate(actor.operates("user removed")?, |state| {
            let row = state.user(&input.id)?;
            let removed = UserRow { removed_at: Some(Now::read().wall), ..row.clone() };
            let keys = state.keys_of(&row.id).filter(|key| key.status != KeyStatus::Revoked);
            let mut ops: Vec<Op> = keys.map(|key| Op::PutKey(keys::revoked(key))).collect();
            ops.push(Op::PutUser(removed));
            Ok((ops, ()))
        })
        .await
    }

    pub(crate) fn user_view(&self, state: &State, row: &UserRow) -> UserView {
        let mut sum = Sum::default();
        for key in state.keys_of(&row.id) {
            sum.add(key.status, self.0.usage.total(&key.id));
        }
        view(row, sum)
    }
}

fn new_row(name: String, policy: Policy) -> Result<UserRow, AdminError> {
    Ok(UserRow {
        id: random::id()?,
        name,
        enabled: true,
        created_at: Now::read().wall,
        removed_at: None,
        policy,
        remarks: Remarks::default(),
    })
}

/// Sums over the keys of a user.
#[derive(Clone, Copy, Default)]
struct Sum {
    /// Those that are not revoked.
    keys: u64,
    used: KeyTotals,
}

impl Sum {
    fn add(&mut self, status: KeyStatus, used: KeyTotals) {
        self.keys += u64::from(status != KeyStatus::Revoked);
        self.used.add(used);
    }
}

fn view(row: &UserRow, sum: Sum) -> UserView {
    UserView {
        id: row.id.clone(),
        name: row.name.clone(),
        enabled: row.enabled,
        created_at: row.created_at,
        keys: sum.keys,
        last_used_at: sum.used.last_used_at,
        last_address: sum.used.last_address.map(|address| address.to_string()),
        requests: sum.used.requests,
        policy: row.policy.clone(),
        shown: None,
        remarks: (&row.remarks).into(),
    }
}
