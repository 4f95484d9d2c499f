//! What was refused, on its way into the log. Anybody can be refused as often as he likes, so refusals are counted in
//! memory and written by housekeeping: per minute one row for the same thing, at most so many rows a minute and an hour for
//! strangers, and one row for all the others. Nothing that was typed gets into a row.

use std::{collections::HashMap, net::IpAddr, sync::Mutex};

use domain::{
    address::network,
    audit::{AuditActor, AuditChange, AuditEntry, AuditOutcome},
    error::AdminError,
    id::AdminId,
};

use super::actions;
use crate::{Actor, Client, Control, by::By, clock::Now, lock::lock, name, secrets::random};

/// Rows of different strangers or different refusals of theirs in one minute, and in one hour.
const STRANGERS_A_MINUTE: usize = 60;
const STRANGERS_AN_HOUR: usize = 600;
/// The same for whoever is signed in, in one minute.
const SIGNED_IN_A_MINUTE: usize = 600;
/// Rows that wait for a store that cannot be written.
const WAITING: usize = 1_000;
const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
/// Name of whoever has no session.
pub(super) const STRANGER: &str = "not signed in";
/// Stands for every name that is no account: people type passwords where names belong.
pub(super) const UNKNOWN: &str = "unknown account";
/// Stands for all that are too many to tell apart.
pub(super) const OTHERS: &str = "others";
/// Longest reason.
const REASON: usize = 200;

/// What is counted together.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Line {
    actor: AuditActor,
    action: &'static str,
    outcome: AuditOutcome,
    reason: Option<String>,
}

impl Line {
    /// Stands for all that are too many to tell apart.
    fn others() -> Self {
        let actor = AuditActor { name: OTHERS.into(), id: None, role: None, address: None };
        let reason = Some("too many different refusals to tell apart".into());
        Self { actor, action: "several actions", outcome: AuditOutcome::Refused, reason }
    }
}

struct Counted {
    /// Not written yet; since when.
    count: u64,
    since: u64,
    /// A row of this minute is written: what comes now waits for its end.
    told: bool,
}

/// Rows that are counted and rows that wait to be written.
#[derive(Default)]
pub(crate) struct Pending(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    minute: u64,
    hour: u64,
    lines: HashMap<Line, Counted>,
    /// Different lines of strangers in this minute and in this hour, and of everybody else in this minute.
    strangers: usize,
    strangers_of_hour: usize,
    signed_in: usize,
    waiting: Vec<AuditEntry>,
    lost: u64,
}

impl Inner {
    fn note(&mut self, line: Line, stranger: bool, now: u64) {
        self.turn(now);
        let full = if stranger {
            self.strangers >= STRANGERS_A_MINUTE || self.strangers_of_hour >= STRANGERS_AN_HOUR
        } else {
            self.signed_in >= SIGNED_IN_A_MINUTE
        };
        let line = if full && !self.lines.contains_key(&line) { Line::others() } else { line };
        if !self.lines.contains_key(&line) && !full {
            let (strangers, signed_in) = if stranger { (1, 0) } else { (0, 1) };
            self.strangers += strangers;
            self.strangers_of_hour += strangers;
            self.signed_in += signed_in;
        }
        let counted = self.lines.entry(line).or_insert(Counted { count: 0, since: now, told: false });
        if counted.count == 0 {
            counted.since = now;
        }
        counted.count = counted.count.saturating_add(1);
    }

    /// Goes on to the minute of `now`; what was counted before is to be written.
    fn turn(&mut self, now: u64) {
        if now / HOUR != self.hour {
            (self.hour, self.strangers_of_hour) = (now / HOUR, 0);
        }
        if now / MINUTE != self.minute {
            self.collect(true);
            (self.minute, self.strangers, self.signed_in) = (now / MINUTE, 0, 0);
            self.lines.clear();
        }
    }

    /// Makes rows of what is counted: of what has none in this minute yet, or of everything.
    fn collect(&mut self, all: bool) {
        let mut rows = Vec::new();
        for (line, counted) in &mut self.lines {
            if counted.count == 0 || counted.told && !all {
                continue;
            }
            // Only the operating system's random numbers can fail here; then the next call does it.
            let Ok(id) = random::id::<AdminId>() else { continue };
            rows.push(AuditEntry {
                id: id.into(),
                at: counted.since,
                actor: line.actor.clone(),
                action: line.action.to_owned(),
                outcome: line.outcome,
                reason: line.reason.clone(),
                count: counted.count,
                changes: Vec::new(),
            });
            (counted.count, counted.told) = (0, true);
        }
        rows.sort_by_key(|row| row.at);
        let room = WAITING.saturating_sub(self.waiting.len());
        self.lost += rows.iter().skip(room).map(|row| row.count).sum::<u64>();
        self.waiting.extend(rows.into_iter().take(room));
    }

    /// A row that says how many are missing.
    fn tell_loss(&mut self, now: u64) {
        if self.lost == 0 || self.waiting.len() >= WAITING {
            return;
        }
        let Ok(id) = random::id::<AdminId>() else { return };
        let actor = AuditActor { name: super::GATEWAY.into(), id: None, role: None, address: None };
        let reason = Some("refusals could not be written and were not kept".into());
        let (count, outcome) = (std::mem::take(&mut self.lost), AuditOutcome::Refused);
        let action = "audit rows lost".to_owned();
        self.waiting.push(AuditEntry {
            id: id.into(),
            at: now,
            actor,
            action,
            outcome,
            reason,
            count,
            changes: vec![],
        });
    }
}

impl Control {
    /// Notes that a server function, named by its path, answered with an error. `reads` tells that it changes nothing: then
    /// only a missing right is worth a row.
    pub fn note_refused_call(
        &self,
        actor: Option<&Actor>,
        address: IpAddr,
        path: &str,
        reads: bool,
        error: &AdminError,
    ) {
        use AdminError::{Forbidden, LoginRefused, NeedsPassword, Unauthenticated};
        let matters = !reads || matches!(error, Forbidden { .. } | NeedsPassword | Unauthenticated);
        // Signing in has told more of it already.
        if !matters || matches!(error, LoginRefused { .. }) {
            return;
        }
        let action = actions::of_path(path);
        match actor {
            Some(actor) => self.note_refused(actor, action, error),
            None => self.note_line(stranger(STRANGER, address), action, Some(reason(error)), true),
        }
    }

    /// Notes that somebody without a session was refused at `path` before anything was looked at. The reason is one of
    /// ours and repeats nothing of the request.
    pub fn note_stranger(&self, address: IpAddr, path: &str, reason: &'static str) {
        self.note_line(stranger(STRANGER, address), actions::of_path(path), Some(reason.to_owned()), true);
    }

    /// Notes an action that changes nothing in the store.
    pub fn note_done(&self, actor: &Actor, action: &'static str) {
        self.note(Line { actor: actor.audited(), action, outcome: AuditOutcome::Done, reason: None }, false);
    }

    /// Notes an action that changed something elsewhere than in the store, and writes it down at once where that can be.
    pub(crate) async fn note_changes(&self, by: &By, changes: Vec<AuditChange>) -> Result<(), AdminError> {
        if let Some(entry) = super::done(by, changes)? {
            {
                let mut pending = lock(&self.0.pending.0);
                match pending.waiting.len() {
                    0..WAITING => pending.waiting.push(entry),
                    _ => pending.lost += 1,
                }
            }
            self.write_refusals(Now::read(), false).await;
        }
        Ok(())
    }

    /// Notes what counts although the store cannot be written now. A full disk may outlast this process, and the row with
    /// it: so the log has it too.
    pub(crate) fn note_unsaved(&self, by: &By) {
        let Some(actor) = by.actor.clone() else { return };
        tracing::warn!(
            action = by.what,
            name = %actor.name,
            address = actor.address.as_deref().unwrap_or("this machine"),
            "done while nothing can be saved: its row waits for the audit log"
        );
        self.note(Line { actor, action: by.what, outcome: AuditOutcome::Done, reason: None }, false);
    }

    pub(crate) fn note_refused(&self, actor: &Actor, action: &'static str, error: &AdminError) {
        self.note_line(actor.audited(), action, Some(reason(error)), false);
    }

    /// Notes a sign-in that failed. The name counts only where it is an account's.
    pub(crate) fn refused_sign_in(&self, typed: &str, client: &Client, reason: &'static str) {
        let state = self.state();
        let known = name::find(state.rows.admins.iter(), typed, |row| &row.name);
        let name = known.map_or(UNKNOWN, |row| row.name.as_str());
        self.note_line(stranger(name, client.address), actions::SIGNED_IN, Some(reason.to_owned()), true);
    }

    fn note_line(&self, actor: AuditActor, action: &'static str, reason: Option<String>, is_stranger: bool) {
        self.note(Line { actor, action, outcome: AuditOutcome::Refused, reason }, is_stranger);
    }

    fn note(&self, line: Line, stranger: bool) {
        lock(&self.0.pending.0).note(line, stranger, Now::read().wall);
    }

    /// Rows that could not be written yet.
    #[cfg(test)]
    pub(crate) fn waiting_rows(&self) -> Vec<AuditEntry> {
        lock(&self.0.pending.0).waiting.clone()
    }

    /// Writes what is to be written; at the end of the process, everything. What cannot be written waits.
    pub(crate) async fn write_refusals(&self, now: Now, all: bool) {
        let rows = {
            let mut pending = lock(&self.0.pending.0);
            pending.turn(now.wall);
            pending.collect(all);
            if self.0.store.read_only().is_some() {
                return;
            }
            pending.tell_loss(now.wall);
            pending.waiting.clone()
        };
        if rows.is_empty() {
            return;
        }
        match self.0.store.append_audit(rows.clone()).await {
            // Written twice they are there once, so that nothing is lost where this is cut off.
            Ok(()) => lock(&self.0.pending.0).waiting.retain(|row| rows.iter().all(|done| done.id != row.id)),
            Err(error) => tracing::warn!(%error, rows = rows.len(), "the audit log could not be written; trying again"),
        }
    }
}

fn stranger(name: &str, address: IpAddr) -> AuditActor {
    let address = Some(shown(address));
    AuditActor { name: name.to_owned(), id: None, role: None, address }
}

/// An address of IPv4 whole, of IPv6 its network.
fn shown(address: IpAddr) -> String {
    match network(address) {
        network if network.is_ipv4() => network.to_string(),
        _ if address.is_loopback() => address.to_string(),
        network => format!("{network}/64"),
    }
}

/// Why, without anything that was typed: of faults only the fields they belong to.
fn reason(error: &AdminError) -> String {
    let text = match error {
        AdminError::Unauthenticated => "not signed in".to_owned(),
        AdminError::LoginRefused { .. } => "name, password or code was wrong".to_owned(),
        AdminError::NeedsPassword => "the password was not given again".to_owned(),
        AdminError::Invalid { fields } => {
            let mut names: Vec<&str> = fields.iter().map(|fault| fault.field.as_str()).collect();
            names.retain(|name| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte)));
            names.dedup();
            format!("a value was not accepted: {}", names.join(", "))
        }
        AdminError::NotFound { what } => format!("{what} not found"),
        AdminError::Forbidden { message } | AdminError::Conflict { message } => message.clone(),
        AdminError::ReadOnly { .. } => "nothing can be saved now".to_owned(),
        AdminError::Busy => "too busy".to_owned(),
        AdminError::Internal { .. } => "a fault of the gateway; its log has the detail".to_owned(),
    };
    text.chars().take(REASON).collect()
}

#[cfg(test)]
#[path = "refusals/tests.rs"]
mod tests;
