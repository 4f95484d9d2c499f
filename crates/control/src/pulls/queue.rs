//! The pulls that are to be made, as they are stored: those that wait and those that run, in the order in which they were
//! asked for. A restart goes on with them, and Ollama with what it has. How far they are is in memory only.

use domain::{
    audit::AuditField,
    error::AdminError,
    id::{BackendId, PullId},
    model::ModelName,
};
use serde::{Deserialize, Serialize};
use store::row::Op;

use crate::{fault, state::State};

/// The row of the settings that holds them. The mark keeps it out of what people save and reset.
pub(crate) const SETTING: &str = "mark.pulls";

/// With a shared database: how often a driver says that it drives, and after which silence another takes over.
const SAY_MS: u64 = 10_000;
const LEASE_MS: u64 = 40_000;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Queue {
    pub pulls: Vec<Asked>,
    /// Those that the last write took out, for the audit log.
    #[serde(default)]
    pub ended: Vec<Ended>,
    /// The process that makes them, and when it last said so: gateways on one database must not all do it.
    pub driver: String,
    pub driven_at: u64,
}

/// A pull that was asked for and has not ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Asked {
    pub id: PullId,
    pub model: String,
    pub backend: BackendId,
    /// The backend's name then, for when it is removed.
    pub backend_name: String,
    pub by: String,
    pub asked_at: u64,
    /// The gateway asked, because a model is to be kept.
    #[serde(default)]
    pub kept: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ended {
    pub id: PullId,
    /// `done`, `cancelled`, or why it failed.
    pub outcome: String,
}

impl Asked {
    pub fn is_of(&self, model: &str, backend: &BackendId) -> bool {
        self.backend == *backend && same(&self.model, model)
    }
}

impl Queue {
    /// What is stored. What cannot be read is as good as nothing, and said.
    pub fn of(state: &State) -> Self {
        state.setting(SETTING).map(Self::read).unwrap_or_default()
    }

    fn read(text: &str) -> Self {
        let read = serde_json::from_str(text);
        read.inspect_err(|error| tracing::error!(%error, "the stored pulls cannot be read; they are left out"))
            .unwrap_or_default()
    }

    pub fn op(&self) -> Result<Op, AdminError> {
        let text =
            serde_json::to_string(self).map_err(|error| fault::internal("pulls cannot be written as JSON", &error))?;
        Ok(Op::PutSetting(SETTING.into(), text))
    }

    /// Of several gateways the one called `own` makes these pulls, or may take them over.
    pub fn is_for(&self, own: &str, wall: u64) -> bool {
        self.driver == own || self.pulls.is_empty() || wall.saturating_sub(self.driven_at) >= LEASE_MS
    }

    /// The one called `own` has to say that it makes them.
    pub fn is_to_be_claimed(&self, own: &str, wall: u64) -> bool {
        let fresh = self.driver == own && wall.saturating_sub(self.driven_at) < SAY_MS;
        !self.pulls.is_empty() && !fresh
    }

    /// Takes a pull out; `None` where it is not in it.
    pub fn end(&mut self, id: &PullId, outcome: &str) -> Option<Asked> {
        let at = self.pulls.iter().position(|asked| asked.id == *id)?;
        self.ended = vec![Ended { id: id.clone(), outcome: outcome.to_owned() }];
        Some(self.pulls.remove(at))
    }
}

/// Two spellings of one model's name.
pub(super) fn same(one: &str, other: &str) -> bool {
    key(one) == key(other)
}

/// A model's name, whatever its spelling.
pub(super) fn key(model: &str) -> String {
    ModelName::parse(model).map_or_else(|_| model.to_owned(), |(name, _)| name.as_str().to_owned())
}

/// What the audit log tells of a write: each pull that came in or went out.
pub(crate) fn told(before: Option<&str>, after: &str) -> Vec<AuditField> {
    let (before, after) = (before.map(Queue::read).unwrap_or_default(), Queue::read(after));
    let name = |asked: &Asked| format!("{} on {}", asked.model, asked.backend_name);
    let queued = || Some("queued".to_owned());
    let is_in = |queue: &Queue, id: &PullId| queue.pulls.iter().any(|asked| asked.id == *id);
    let gone = before.pulls.iter().filter(|asked| !is_in(&after, &asked.id)).map(|asked| {
        let outcome = after.ended.iter().find(|ended| ended.id == asked.id).map(|ended| ended.outcome.clone());
        AuditField { field: name(asked), before: queued(), after: outcome }
    });
    let come = after.pulls.iter().filter(|asked| !is_in(&before, &asked.id));
    gone.chain(come.map(|asked| AuditField { field: name(asked), before: None, after: queued() })).collect()
}

/// Pulls that waited when a backup was made must not begin by themselves where that is restored.
pub(crate) fn held_back(settings: &[(String, String)]) -> Option<Op> {
    settings.iter().any(|(name, _)| name == SETTING).then(|| Op::DeleteSetting(SETTING.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(id: &str, model: &str) -> Asked {
        Asked {
            id: PullId::new(id).unwrap(),
            model: model.into(),
            backend: BackendId::new("backend00001").unwrap(),
            backend_name: "gpu-1".into(),
            by: "root".into(),
            asked_at: 1,
            kept: false,
        }
    }

    fn text(queue: &Queue) -> String {
        match queue.op().unwrap() {
            Op::PutSetting(name, text) if name == SETTING => text,
            _ => panic!("another row"),
        }
    }

    #[test]
    fn the_audit_log_is_told_what_came_in_and_how_what_went_out_ended() {
        let mut queue =
            Queue { pulls: vec![asked("pull00000001", "a"), asked("pull00000002", "b")], ..Queue::default() };
        let fields = told(None, &text(&queue));
        assert_eq!((fields[1].field.as_str(), fields[1].after.as_deref()), ("b on gpu-1", Some("queued")));
        let before = text(&queue);
        assert!(queue.end(&PullId::new("pull00000009").unwrap(), "done").is_none());
        queue.end(&PullId::new("pull00000001").unwrap(), "it answered 500").unwrap();
        let fields = told(Some(&before), &text(&queue));
        assert_eq!(fields.len(), 1);
        assert_eq!(
            (fields[0].field.as_str(), fields[0].before.as_deref(), fields[0].after.as_deref()),
            ("a on gpu-1", Some("queued"), Some("it answered 500"))
        );
        assert_eq!(told(Some("no JSON"), &text(&Queue::default())), []);
    }

    #[test]
    fn one_of_several_gateways_makes_them_and_another_once_it_is_silent() {
        let pulls = vec![asked("pull00000001", "a")];
        let queue = Queue { pulls, driver: "one".into(), driven_at: 1_000, ..Queue::default() };
        assert!(queue.is_for("one", 1_000) && !queue.is_for("two", 1_000 + LEASE_MS - 1));
        assert!(queue.is_for("two", 1_000 + LEASE_MS) && queue.is_to_be_claimed("two", 1_000 + LEASE_MS));
        assert!(!queue.is_to_be_claimed("one", 1_000 + SAY_MS - 1) && queue.is_to_be_claimed("one", 1_000 + SAY_MS));
        assert!(!queue.is_for("two", 0), "a clock that was set back takes nothing over");
        let empty = Queue { pulls: Vec::new(), ..queue };
        assert!(empty.is_for("two", 1_000) && !empty.is_to_be_claimed("two", 1_000), "nobody has anything to do");
    }

    #[test]
    fn names_are_the_same_in_any_spelling_that_ollama_takes_for_one() {
        assert!(asked("pull00000001", "Llama3").is_of("library/llama3:latest", &asked("pull00000001", "x").backend));
        assert!(!same("llama3", "llama3:8b"));
    }

    #[test]
    fn what_waited_in_a_backup_is_not_begun_where_it_is_restored() {
        assert!(held_back(&[("mark.other".into(), "{}".into())]).is_none());
        let stored = [(SETTING.to_owned(), text(&Queue::default()))];
        assert!(matches!(held_back(&stored), Some(Op::DeleteSetting(name)) if name == SETTING));
    }
}
