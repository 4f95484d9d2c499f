//! What a command prints: a table for people, or an array of objects with `--json`. A new key is printed alone, so that
//! `KEY=$(ollama-fortress key create …)` works.

use std::{
    io::{self, Write},
    time::{SystemTime, UNIX_EPOCH},
};

use control::command::Reply;
use domain::{
    admin::AdminView,
    alias::{AliasView, TargetState},
    auto::{AutoTarget, AutoView},
    backend::{BackendState, BackendView},
    key::{CreatedKey, KeyStatus, KeyView},
    limit::RateLimit,
    policy::{Policy, format_utc},
    user::UserView,
};
use serde::Serialize;

use super::{model, secrets};
use crate::config::{Listed, OVERRIDDEN};

/// Prints the reply of a command on standard output.
pub fn print(reply: Reply, json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match reply {
        Reply::Done if json => array::<()>(&mut out, &[]),
        Reply::Done => Ok(()),
        Reply::Admins(rows) => list(
            &mut out,
            &rows,
            json,
            &["NAME", "ID", "ROLE", "STATE", "SECOND FACTOR", "SESSIONS", "LAST SEEN"],
            admin,
        ),
        Reply::Aliases(rows) => list(&mut out, &rows, json, &["NAME", "MODELS", "NOW", "NOTE"], alias),
        Reply::Auto(view) if json => array(&mut out, &[view]),
        Reply::Auto(view) => {
            let from = if view.models.is_empty() { "all models of the fleet" } else { "the models below" };
            writeln!(out, "auto is {}, and picks from {from}", if view.on { "on" } else { "off" })?;
            list(&mut out, &auto_rows(&view), json, &["MODEL", "FOR", "CAN", "NOW"], Clone::clone)
        }
        Reply::Backends(rows) => {
            let head = ["NAME", "ID", "URL", "STATE", "AT ONCE", "WEIGHT", "PRIORITY", "TOKEN", "MODELS"];
            list(&mut out, &rows, json, &head, backend)
        }
        Reply::Users(rows) => {
            list(&mut out, &rows, json, &["NAME", "ID", "STATE", "KEYS", "REQUESTS", "LABEL", "POLICY"], user)
        }
        Reply::Keys(rows) => {
            let head = ["KEY", "USER", "NAME", "STATE", "LIMIT", "REQUESTS", "LAST FROM", "LABEL", "POLICY"];
            list(&mut out, &rows, json, &head, key)
        }
        Reply::Rotated(report) if json => array(&mut out, &[report]),
        Reply::Rotated(report) => out.write_all(secrets::describe(&report).as_bytes()),
        // Printed where it was written.
        Reply::BackedUp(_) => Ok(()),
        // Printed where it is followed.
        Reply::Upgrade(_) => Ok(()),
        Reply::Pulls(rows) => list(&mut out, &rows, json, &model::PULL_HEAD, model::pull_cells),
        Reply::Kept(rows) => list(&mut out, &rows, json, &model::KEPT_HEAD, model::kept_cells),
        // Printed a page at a time elsewhere.
        Reply::Audit(page) => array(&mut out, &page.entries),
        Reply::CreatedKey(created) if json => array(&mut out, &[Created::from(*created)]),
        Reply::CreatedKey(created) => writeln!(out, "{}", created.token),
    }?;
    out.flush()
}

/// Prints text as it is.
pub fn text(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Says something on standard error that is no failure.
pub fn warn(text: &str) -> io::Result<()> {
    writeln!(io::stderr().lock(), "warning: {text}")
}

/// Says on standard error how to go on.
pub fn hint(text: &str) -> io::Result<()> {
    writeln!(io::stderr().lock(), "{text}")
}

/// Prints rows as a table, or as an array of objects.
pub fn print_rows<T: Serialize>(
    rows: &[T],
    json: bool,
    head: &[&str],
    cells: impl Fn(&T) -> Vec<String>,
) -> io::Result<()> {
    let mut out = io::stdout().lock();
    list(&mut out, rows, json, head, cells)?;
    out.flush()
}

/// Prints the configuration that `check` found.
pub fn print_config(rows: &[Listed], json: bool) -> io::Result<()> {
    let cells = |row: &Listed| vec![row.name.to_owned(), row.value.clone(), row.source.to_owned()];
    let mut out = io::stdout().lock();
    list(&mut out, rows, json, &["NAME", "VALUE", "FROM"], cells)?;
    if json {
        return Ok(());
    }
    writeln!(out, "\nWhat is saved on the Settings page comes before {}.", OVERRIDDEN.join(", "))
}

/// A new key as `--json` shows it: the key's fields, and its text.
#[derive(Serialize)]
struct Created {
    token: String,
    #[serde(flatten)]
    view: KeyView,
}

impl From<CreatedKey> for Created {
    fn from(created: CreatedKey) -> Self {
        Self { token: created.token, view: created.view }
    }
}

fn list<T: Serialize>(
    out: &mut impl Write,
    rows: &[T],
    json: bool,
    head: &[&str],
    cells: impl Fn(&T) -> Vec<String>,
) -> io::Result<()> {
    if json { array(out, rows) } else { table(out, head, &rows.iter().map(cells).collect::<Vec<_>>()) }
}

fn array<T: Serialize>(out: &mut impl Write, rows: &[T]) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, rows)?;
    writeln!(out)
}

fn table(out: &mut impl Write, head: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
    let width = |column: usize| {
        rows.iter().map(|row| row[column].chars().count()).chain([head[column].len()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let mut line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded: Vec<String> = cells.zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        writeln!(out, "{}", padded.join("  ").trim_end())
    };
    line(&mut head.iter().copied())?;
    for row in rows {
        line(&mut row.iter().map(String::as_str))?;
    }
    Ok(())
}

/// Models and errors are what other servers say: nothing of it may steer the terminal or break a line.
pub fn clean(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}

fn admin(row: &AdminView) -> Vec<String> {
    let state = if row.enabled { "enabled" } else { "disabled" };
    let factor = if row.second_factor == Some(true) { "on" } else { "off" };
    let seen = row.last_seen_at.map_or_else(|| "never".to_owned(), |at| format_utc(at).replace('T', " "));
    let (role, sessions) = (row.role.to_string(), row.sessions.len().to_string());
    vec![row.name.clone(), row.id.to_string(), role, state.into(), factor.into(), sessions, seen]
}

fn alias(row: &AliasView) -> Vec<String> {
    let next = row.models.iter().find(|target| target.state == TargetState::Next);
    let now = next.map_or_else(|| "nothing".to_owned(), |next| clean(&format!("{} {}", next.model, next.why)));
    let note = if row.note.is_empty() { "-".to_owned() } else { clean(&row.note) };
    vec![row.name.clone(), row.targets.join(", "), now, note]
}

/// The models of `auto` in the order of a plain question; while it is off, as they were saved.
fn auto_rows(view: &AutoView) -> Vec<Vec<String>> {
    let purposes = |model: &str| {
        let saved = view.models.iter().find(|saved| saved.model == model);
        saved.map_or_else(|| "-".to_owned(), |saved| saved.purposes.words())
    };
    if view.targets.is_empty() {
        let none = || "-".to_owned();
        return view.models.iter().map(|row| vec![clean(&row.model), row.purposes.words(), none(), none()]).collect();
    }
    let can = |target: &AutoTarget| if target.can.is_empty() { "-".to_owned() } else { target.can.clone() };
    let row =
        |target: &AutoTarget| vec![clean(&target.model), purposes(&target.model), can(target), clean(&target.why)];
    let mut rows: Vec<Vec<String>> = view.targets.iter().map(row).collect();
    if view.more > 0 {
        rows.push(vec![format!("and {} more", view.more), String::new(), String::new(), String::new()]);
    }
    rows
}

fn backend(row: &BackendView) -> Vec<String> {
    let state = match (row.state, &row.last_error) {
        (BackendState::Disabled, _) => "disabled".to_owned(),
        // Nothing looks at backends while the server is stopped.
        (BackendState::Unknown, _) => "enabled".to_owned(),
        (BackendState::Up | BackendState::Draining, _) => "up".to_owned(),
        (BackendState::Down, Some(error)) => format!("down: {}", clean(&error.message)),
        (BackendState::Down, None) => "down".to_owned(),
    };
    let state = match row.drained() {
        Some(drained) => format!("{state}, {}", drained.to_lowercase()),
        None => state,
    };
    let ejected = row.breakers.iter().filter(|breaker| breaker.model.is_some()).count();
    let state = match ejected {
        _ if row.breakers.len() > ejected => format!("{state}, ejected"),
        0 => state,
        1 => format!("{state}, 1 model ejected"),
        count => format!("{state}, {count} models ejected"),
    };
    let at_once = match (row.parallel, row.limit) {
        (Some(parallel), _) => parallel.to_string(),
        (None, Some(learned)) => format!("auto ({learned})"),
        (None, None) => "auto".to_owned(),
    };
    let models = if row.models.is_empty() { "-".to_owned() } else { clean(&row.models.join(", ")) };
    let token = if row.has_token { "yes" } else { "no" };
    let (weight, priority) = (row.weight.to_string(), row.priority.to_string());
    vec![row.name.clone(), row.id.to_string(), row.url.clone(), state, at_once, weight, priority, token.into(), models]
}

fn user(row: &UserView) -> Vec<String> {
    let state = if row.enabled { "enabled" } else { "disabled" };
    let (keys, requests) = (row.keys.to_string(), row.requests.to_string());
    let label = or_dash(&row.remarks.label);
    vec![row.name.clone(), row.id.to_string(), state.into(), keys, requests, label, policy(&row.policy)]
}

fn key(row: &KeyView) -> Vec<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let is_over = row.policy.expires_at.is_some_and(|at| u128::from(at) <= now);
    let state = match row.status {
        KeyStatus::Active if is_over && row.replaced_by.is_none() => "expired",
        KeyStatus::Active if row.replaced_by.is_some() => "replaced",
        KeyStatus::Active => "active",
        KeyStatus::Disabled => "disabled",
        KeyStatus::Revoked => "revoked",
    };
    let limit = row.limit.map_or_else(|| "default".to_owned(), |limit: RateLimit| limit.to_string());
    let (id, requests) = (format!("op_{}", row.id), row.requests.to_string());
    let (from, label) = (or_dash(row.last_address.as_deref().unwrap_or_default()), or_dash(&row.remarks.label));
    vec![id, row.user.clone(), row.name.clone(), state.into(), limit, requests, from, label, policy(&row.policy)]
}

fn or_dash(text: &str) -> String {
    if text.is_empty() { "-".into() } else { text.to_owned() }
}

fn policy(policy: &Policy) -> String {
    if policy.is_default() { "-".into() } else { policy.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_end_clean() {
        let mut out = Vec::new();
        table(&mut out, &["NAME", "X"], &[vec!["é".into(), String::new()], vec!["longer".into(), "1".into()]]).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "NAME    X\né\nlonger  1\n");
    }

    #[test]
    fn a_backend_that_is_down_says_why_and_none_steers_the_terminal() {
        let id = domain::id::BackendId::new("bbbbbbbbbbbb").unwrap();
        let row = BackendView {
            state: BackendState::Down,
            models: vec!["a\u{1b}[2Jb".into()],
            last_error: Some(domain::backend::LastError { at: 0, message: "connection\nrefused".into() }),
            ..BackendView::new(id, "gpu".into(), "http://gpu".into())
        };
        let cells = backend(&row);
        assert_eq!(cells[3], "down: connection\u{fffd}refused");
        assert_eq!(cells[8], "a\u{fffd}[2Jb");
        assert_eq!(cells[4..7], ["auto", "1", "0"]);
        let draining = BackendView { state: BackendState::Draining, draining: true, in_flight: 2, ..row.clone() };
        assert_eq!(backend(&draining)[3], "up, draining, 2 requests left");
        let set = BackendView { state: BackendState::Up, limit: Some(4), weight: 3, ..row };
        assert_eq!(backend(&set)[3..7], ["up", "auto (4)", "3", "0"]);
        let ejected = |model: Option<&str>| {
            let breaker = domain::backend::BreakerView {
                model: model.map(str::to_owned),
                state: domain::backend::BreakerState::Open,
                until: 1,
            };
            backend(&BackendView { breakers: vec![breaker], ..set.clone() })[3].clone()
        };
        assert_eq!((ejected(None).as_str(), ejected(Some("a")).as_str()), ("up, ejected", "up, 1 model ejected"));
    }

    #[test]
    fn nothing_is_an_empty_array() {
        let mut out = Vec::new();
        list(&mut out, &Vec::<UserView>::new(), true, &["NAME"], user).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "[]\n");
    }
}
