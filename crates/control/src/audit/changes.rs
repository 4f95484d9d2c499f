//! What a change changes: each row before and after its writes, member by member. What of a row may be told is the business
//! of `members`.

use std::collections::HashMap;

use domain::{
    audit::{AuditChange, AuditField},
    auto::NAME,
    id::{AdminId, UserId},
};
use store::row::{AdminRow, Op, UserRow};

use super::members::{self, Member, Value};
use crate::{auto, pulls, state::State, upgrade};

/// Changes in one row of the log; of more it says how many. Only removing a user with thousands of keys has as many.
const MOST: usize = 1_000;
/// Characters of one value; longer ones are cut.
const LONGEST: usize = 4_000;
/// What the store keeps for itself, and nobody decides.
const MARK: &str = "mark.";

/// What the writes change, in their order.
pub(super) fn changes(state: &State, ops: &[Op]) -> Vec<AuditChange> {
    let told = Told::new(state, ops);
    let mut changes: Vec<AuditChange> = ops.iter().filter_map(|op| told.change(op)).collect();
    if changes.len() > MOST {
        let name = format!("{} more rows", changes.len() - MOST);
        changes.truncate(MOST);
        changes.push(AuditChange { kind: "and".into(), id: String::new(), name, fields: Vec::new() });
    }
    changes
}

struct Told<'s> {
    state: &'s State,
    /// Those among the writes too, for their names.
    users: HashMap<&'s UserId, &'s UserRow>,
    admins: HashMap<&'s AdminId, &'s AdminRow>,
}

impl<'s> Told<'s> {
    fn new(state: &'s State, ops: &'s [Op]) -> Self {
        let users = ops.iter().filter_map(|op| if let Op::PutUser(row) = op { Some(row) } else { None });
        let admins = ops.iter().filter_map(|op| if let Op::PutAdmin(row) = op { Some(row) } else { None });
        Self {
            state,
            users: state.rows.users.iter().chain(users).map(|row| (&row.id, row)).collect(),
            admins: state.rows.admins.iter().chain(admins).map(|row| (&row.id, row)).collect(),
        }
    }

    fn change(&self, op: &Op) -> Option<AuditChange> {
        let rows = &self.state.rows;
        match op {
            Op::PutAdmin(row) => {
                let before = rows.admins.iter().find(|known| known.id == row.id);
                compare("administrator", &row.id, &row.name, before.map(members::admin), Some(members::admin(row)))
            }
            Op::DeleteAdmin(id) => {
                let before = rows.admins.iter().find(|known| known.id == *id)?;
                compare("administrator", id, &before.name, Some(members::admin(before)), None)
            }
            Op::PutSession(row) => {
                let before = rows.sessions.iter().find(|known| known.token_hash == row.token_hash);
                let name = self.admin_name(&row.admin);
                compare("session", &row.admin, name, before.map(members::session), Some(members::session(row)))
            }
            Op::DeleteSession(hash) => {
                let before = rows.sessions.iter().find(|known| known.token_hash == *hash)?;
                let name = self.admin_name(&before.admin);
                compare("session", &before.admin, name, Some(members::session(before)), None)
            }
            Op::PutBackend(row) => {
                let before = rows.backends.iter().find(|known| known.id == row.id);
                compare("backend", &row.id, &row.name, before.map(members::backend), Some(members::backend(row)))
            }
            Op::DeleteBackend(id) => {
                let before = rows.backends.iter().find(|known| known.id == *id)?;
                compare("backend", id, &before.name, Some(members::backend(before)), None)
            }
            Op::PutUser(row) => {
                let before = rows.users.iter().find(|known| known.id == row.id);
                compare("user", &row.id, &row.name, before.map(members::user), Some(members::user(row)))
            }
            Op::PutKey(row) => {
                let owner = |user: &UserId| self.users.get(user).map_or("", |row| row.name.as_str());
                let before = rows.keys.iter().find(|known| known.id == row.id);
                let before = before.map(|row| members::key(row, owner(&row.user)));
                compare("key", &row.id, &row.name, before, Some(members::key(row, owner(&row.user))))
            }
            Op::PutAlias(row) => {
                let before = rows.aliases.iter().find(|known| known.name == row.name);
                compare("alias", &row.name, &row.name, before.map(members::alias), Some(members::alias(row)))
            }
            Op::DeleteAlias(name) => {
                let before = rows.aliases.iter().find(|known| known.name == *name)?;
                compare("alias", name, name, Some(members::alias(before)), None)
            }
            Op::PutSetting(name, text) if name == upgrade::SETTING => {
                let before = self.state.setting(name).map(members::upgrade);
                compare("upgrade", &"", "fleet", before, Some(members::upgrade(text)))
            }
            Op::PutSetting(name, text) if name == pulls::queue::SETTING => {
                listed("pulls", "queue", pulls::queue::told(self.state.setting(name), text))
            }
            Op::PutSetting(name, text) if name == pulls::wish::SETTING => {
                listed("models", "kept available", pulls::wish::told(self.state.setting(name), text))
            }
            Op::PutSetting(name, text) if name == auto::SETTING => {
                let before = self.state.setting(name).map(members::auto);
                compare("alias", &NAME, NAME, before, Some(members::auto(text)))
            }
            Op::PutSetting(name, _) | Op::DeleteSetting(name) if name.starts_with(MARK) => None,
            Op::PutSetting(name, text) => {
                let before = self.state.setting(name).map(|text| members::setting(name, text));
                compare("setting", name, members::setting_name(name), before, Some(members::setting(name, text)))
            }
            Op::DeleteSetting(name) => {
                let before = self.state.setting(name)?;
                compare("setting", name, members::setting_name(name), Some(members::setting(name, before)), None)
            }
            Op::Audit(_) => None,
        }
    }

    fn admin_name(&self, id: &AdminId) -> &str {
        self.admins.get(id).map_or("", |row| row.name.as_str())
    }
}

/// Of a list that is one row: each of its items that differs.
fn listed(kind: &str, name: &str, fields: Vec<AuditField>) -> Option<AuditChange> {
    (!fields.is_empty()).then(|| AuditChange { kind: kind.into(), id: String::new(), name: name.into(), fields })
}

/// `None` where nothing that is told differs.
fn compare(
    kind: &str,
    id: &impl ToString,
    name: &str,
    before: Option<Vec<Member>>,
    after: Option<Vec<Member>>,
) -> Option<AuditChange> {
    let (mut before, mut after) = (before.unwrap_or_default().into_iter(), after.unwrap_or_default().into_iter());
    let mut fields = Vec::new();
    // Rows of one kind have the same members in the same order.
    loop {
        let (old, new) = (before.next(), after.next());
        let Some(field) = old.as_ref().or(new.as_ref()).map(|member| member.name.clone()) else { break };
        let value = |member: Option<Member>| member.map_or(Value::Nothing, |member| member.value);
        let (old, new) = (value(old), value(new));
        if old != new {
            let replaced = matches!((&old, &new), (Value::Secret(_), Value::Secret(_)));
            let after = if replaced { Some("(changed)".to_owned()) } else { shown(new) };
            fields.push(AuditField { field, before: shown(old), after });
        }
    }
    (!fields.is_empty()).then(|| AuditChange {
        kind: kind.to_owned(),
        id: id.to_string(),
        name: name.to_owned(),
        fields,
    })
}

fn shown(value: Value) -> Option<String> {
    match value {
        Value::Nothing => None,
        Value::Secret(_) => Some("(set)".to_owned()),
        Value::Plain(text) => {
            let rest = text.chars().count().saturating_sub(LONGEST);
            if rest == 0 {
                return Some(text);
            }
            let start: String = text.chars().take(LONGEST).collect();
            Some(format!("{start}… and {rest} more characters"))
        }
    }
}

#[cfg(test)]
#[path = "changes/tests.rs"]
mod tests;
