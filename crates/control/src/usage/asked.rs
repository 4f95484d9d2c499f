//! What a person asks of the log of requests: names become the ids that records hold, and times become milliseconds.

use std::collections::BTreeSet;

use domain::{
    error::{AdminError, FieldError},
    id::{BackendId, KeyId, UserId},
    key::KeyStatus,
    usage::{
        asked::{AskLog, LogNames, LogView, SUGGESTED},
        log::LogQuery,
    },
};
use store::row::{KeyRow, UserRow};

use super::{ExportFormat, LogExport};
use crate::{
    Actor, Control,
    audit::LOG_EXPORTED,
    clock::Now,
    name::{find, same},
    playground,
    state::State,
};

impl Control {
    /// A page of the log and the names that can be asked for. Every role may read it. Faults name their fields.
    pub async fn read_log(&self, actor: &Actor, asked: &AskLog) -> Result<LogView, AdminError> {
        let query = self.log_query(asked)?;
        let page = self.request_log(actor, &query).await?;
        let state = self.state();
        let names = names(&state, self.known_models());
        Ok(LogView { page, names, kept_days: self.usage_kept().usage_days })
    }

    /// The whole of what is asked for as a file, from its place on. Every role may have it; the audit log says who did.
    pub fn export_asked(&self, actor: &Actor, asked: &AskLog, format: ExportFormat) -> Result<LogExport, AdminError> {
        let log = self.export_log(actor, &self.log_query(asked)?, format)?;
        self.note_done(actor, LOG_EXPORTED);
        Ok(log)
    }

    /// The query that is meant, or every fault.
    pub fn log_query(&self, asked: &AskLog) -> Result<LogQuery, AdminError> {
        let (mut query, mut faults) = asked.query(Now::read().wall);
        let state = self.state();
        let mut id = |field: &str, text: &mut String, found: Result<Option<String>, &str>| match found {
            Ok(Some(id)) => *text = id,
            Ok(None) => {}
            Err(fault) => {
                text.clear();
                faults.push(FieldError::new(field, fault));
            }
        };
        id("user", &mut query.user, user(&state, asked.user.trim()));
        id("key", &mut query.key, key(&state, asked.key.trim(), &query.user));
        id("backend", &mut query.backend, backend(&state, asked.backend.trim()));
        query.model = model(&self.known_models(), &query.model);
        faults.extend(query.read().err().into_iter().flatten());
        if faults.is_empty() { Ok(query) } else { Err(AdminError::Invalid { fields: faults }) }
    }

    /// Names of the models that the fleet has now.
    fn known_models(&self) -> BTreeSet<String> {
        self.0.gateway.live().backends.into_iter().flat_map(|backend| backend.models).collect()
    }
}

/// The id of the user that `text` names; `None` where it names nobody.
fn user(state: &State, text: &str) -> Result<Option<String>, &'static str> {
    if text.is_empty() {
        return Ok(None);
    }
    let known = |row: &&UserRow| row.id.as_str() == text;
    let gone = || state.rows.users.iter().filter(|row| row.removed_at.is_some() && same(&row.name, text));
    let row = state.rows.users.iter().find(known);
    let row =
        row.or_else(|| find(state.rows.users.iter().filter(|row| row.removed_at.is_none()), text, |row| &row.name));
    match row {
        Some(row) => Ok(Some(row.id.to_string())),
        None => match (gone().next(), gone().nth(1)) {
            (Some(row), None) => Ok(Some(row.id.to_string())),
            (Some(_), Some(_)) => Err("several users of this name were removed: give the id"),
            (None, _) if UserId::new(text).is_ok() => Ok(Some(text.to_owned())),
            (None, _) => playground(state, text).map(Some).ok_or("no user has this name"),
        },
    }
}

/// The same of a key of `user`, which is an id, or of anybody.
fn key(state: &State, text: &str, user: &str) -> Result<Option<String>, &'static str> {
    if text.is_empty() {
        return Ok(None);
    }
    if let Some(row) = state.rows.keys.iter().find(|row| row.id.as_str() == text) {
        return Ok(Some(row.id.to_string()));
    }
    let named: Vec<&KeyRow> = state
        .rows
        .keys
        .iter()
        .filter(|row| (user.is_empty() || row.user.as_str() == user) && same(&row.name, text))
        .collect();
    // One that works before those that are revoked, or that it was made in place of.
    let lives = |row: &KeyRow| row.status != KeyStatus::Revoked && state.successor(row).is_none();
    let live: Vec<&&KeyRow> = named.iter().filter(|row| lives(row)).collect();
    match (live.as_slice(), named.as_slice()) {
        ([row], _) => Ok(Some(row.id.to_string())),
        ([], [row]) => Ok(Some(row.id.to_string())),
        ([], []) if KeyId::new(text).is_ok() => Ok(Some(text.to_owned())),
        ([], []) => playground(state, text).map(Some).ok_or("no key has this name"),
        _ if user.is_empty() => Err("several keys have this name: say whose as well, or give the id"),
        _ => Err("several keys of this user have this name: give the id"),
    }
}

/// The id of the administrator whom usage calls so.
fn playground(state: &State, text: &str) -> Option<String> {
    let admins = &state.rows.admins;
    admins.iter().find(|row| same(&playground::name_of(row), text)).map(|row| row.id.to_string())
}

fn backend(state: &State, text: &str) -> Result<Option<String>, &'static str> {
    if text.is_empty() {
        return Ok(None);
    }
    let rows = state.rows.backends.iter();
    let row = rows.clone().find(|row| row.id.as_str() == text).or_else(|| find(rows, text, |row| &row.name));
    match row {
        Some(row) => Ok(Some(row.id.to_string())),
        // A backend that was removed leaves only its id.
        None if BackendId::new(text).is_ok() => Ok(Some(text.to_owned())),
        None => Err("no backend has this name"),
    }
}

/// The name that records have: people leave out the usual tag and mind no case.
fn model(known: &BTreeSet<String>, text: &str) -> String {
    if known.contains(text) {
        return text.to_owned();
    }
    let tagged = format!("{text}:latest");
    let spelt = known.iter().find(|name| name.eq_ignore_ascii_case(text) || name.eq_ignore_ascii_case(&tagged));
    spelt.cloned().unwrap_or_else(|| text.to_owned())
}

fn names(state: &State, models: BTreeSet<String>) -> LogNames {
    fn first<'a>(names: impl Iterator<Item = &'a String>) -> Vec<String> {
        names.collect::<BTreeSet<_>>().into_iter().take(SUGGESTED).cloned().collect()
    }
    let rows = &state.rows;
    LogNames {
        users: first(state.users().map(|row| &row.name)),
        keys: first(rows.keys.iter().filter(|row| row.status != KeyStatus::Revoked).map(|row| &row.name)),
        models: first(models.iter()),
        backends: first(rows.backends.iter().map(|row| &row.name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_meant_without_its_usual_tag_and_in_any_case() {
        let known = ["llama3.2:latest", "qwen3:4b"].map(str::to_owned).into();
        assert_eq!(model(&known, "llama3.2"), "llama3.2:latest");
        assert_eq!(model(&known, "QWEN3:4b"), "qwen3:4b");
        assert_eq!((model(&known, "qwen3").as_str(), model(&known, "").as_str()), ("qwen3", ""));
    }
}
