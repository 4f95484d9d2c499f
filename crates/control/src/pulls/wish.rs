//! Models that are to be kept on so many backends: what is stored of such a wish, and the rule by which it is carried out.
//! Pure. Nothing is ever removed.
//!
//! - A copy counts on every enabled backend whose last list has the model, also while the backend is down or drained: it is
//!   on its disk, and another copy would be a download of gigabytes for a reboot.
//! - A pull that waits or runs counts as a copy that comes.
//! - The next copy goes to the backend with the fewest models, by name where several have as few: Ollama does not say how
//!   much room it has. A backend that is down, drained, disabled, busy with another pull, or speaks OpenAI's API only is
//!   not chosen.
//! - While a backend was not looked at yet nothing is begun: after a start it may have the model. Nor while one is down that
//!   has never told its models.
//! - One where the pull failed is left alone: a minute, then twice as long with each further failure, an hour at most. After
//!   failures on several the others are left alone, too: it may be the model's name, or its size.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use domain::{
    audit::AuditField,
    backend::{BackendState, BackendView},
    error::AdminError,
    id::BackendId,
};
use serde::{Deserialize, Serialize};
use store::row::Op;
use tokio::time::Instant;

use super::{
    queue::{Asked, key, same},
    words,
};
use crate::{fault, state::State, upgrade::named};

/// The row of the settings that holds them all.
pub(crate) const SETTING: &str = "mark.kept_models";
/// How long a backend is left alone after the first failure, and at most.
const PAUSE: Duration = Duration::from_secs(60);
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(3_600);
/// Backends that a model is tried on one after another.
const TRIED: usize = 3;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Wish {
    pub model: String,
    pub copies: u32,
    /// The only backends it may be pulled to; empty for all.
    pub backends: Vec<BackendId>,
}

/// Every wish that is stored. What cannot be read is as good as none, and said.
pub(super) fn wishes(state: &State) -> Vec<Wish> {
    state.setting(SETTING).map(read).unwrap_or_default()
}

fn read(text: &str) -> Vec<Wish> {
    let read = serde_json::from_str(text);
    read.inspect_err(|error| tracing::error!(%error, "the stored wishes for models cannot be read; they are left out"))
        .unwrap_or_default()
}

pub(super) fn op(wishes: &[Wish]) -> Result<Op, AdminError> {
    let text =
        serde_json::to_string(wishes).map_err(|error| fault::internal("wishes cannot be written as JSON", &error))?;
    Ok(Op::PutSetting(SETTING.into(), text))
}

/// What the audit log tells of a write: each wish that is another than before.
pub(crate) fn told(before: Option<&str>, after: &str) -> Vec<AuditField> {
    let (before, after) = (before.map(read).unwrap_or_default(), read(after));
    let of = |wishes: &[Wish], model: &str| wishes.iter().find(|wish| same(&wish.model, model)).map(in_words);
    let mut models: Vec<&str> = before.iter().chain(&after).map(|wish| wish.model.as_str()).collect();
    models.sort_by_key(|model| key(model));
    models.dedup_by(|one, other| same(one, other));
    let fields = models.into_iter().map(|model| AuditField {
        field: model.to_owned(),
        before: of(&before, model),
        after: of(&after, model),
    });
    fields.filter(|field| field.before != field.after).collect()
}

fn in_words(wish: &Wish) -> String {
    let copies = if wish.copies == 1 { "1 backend".to_owned() } else { format!("{} backends", wish.copies) };
    let ids: Vec<&str> = wish.backends.iter().map(BackendId::as_str).collect();
    if ids.is_empty() { copies } else { format!("{copies} of {}", ids.join(", ")) }
}

/// The fleet as far as it matters to a wish.
pub(super) struct Fleet<'f> {
    /// With the keys of the models that each has.
    places: Vec<(&'f BackendView, HashSet<String>)>,
    /// Those that speak OpenAI's API only.
    foreign: &'f [BackendId],
    queue: &'f [Asked],
    pauses: &'f Pauses,
    now: Instant,
}

/// What follows from a wish.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Judged {
    /// Names of the backends that have it, and of those it is on its way to.
    pub on: Vec<String>,
    pub coming: Vec<String>,
    /// Where the next copy goes.
    pub next: Option<BackendId>,
    /// Why it is on fewer than wished.
    pub short: Option<String>,
}

fn names(backends: &[&BackendView]) -> Vec<String> {
    let mut names: Vec<String> = backends.iter().map(|backend| backend.name.clone()).collect();
    names.sort();
    names
}

impl<'f> Fleet<'f> {
    pub fn new(
        backends: &'f [BackendView],
        foreign: &'f [BackendId],
        queue: &'f [Asked],
        pauses: &'f Pauses,
        now: Instant,
    ) -> Self {
        let enabled = backends.iter().filter(|backend| backend.enabled);
        let mut places: Vec<_> =
            enabled.map(|backend| (backend, backend.models.iter().map(|model| key(model)).collect())).collect();
        places.sort_by_key(|(backend, models): &(_, HashSet<_>)| (models.len(), &backend.name));
        Self { places, foreign, queue, pauses, now }
    }

    pub fn judge(&self, wish: &Wish) -> Judged {
        let wanted = key(&wish.model);
        let (mut on, mut coming, mut places, mut unknown) = (Vec::new(), Vec::new(), Vec::new(), false);
        for (place, models) in &self.places {
            if !wish.backends.is_empty() && !wish.backends.contains(&place.id) {
                continue;
            }
            unknown |= place.state == BackendState::Unknown;
            if models.contains(&wanted) {
                on.push(*place);
            } else if self.queue.iter().any(|asked| asked.is_of(&wish.model, &place.id)) {
                coming.push(*place);
            } else {
                places.push(*place);
            }
        }
        let (on, coming) = (names(&on), names(&coming));
        let wished = wish.copies as usize;
        if on.len() >= wished {
            return Judged { on, coming, next: None, short: None };
        }
        if on.len() + coming.len() >= wished {
            let short = Some(format!("on its way to {}", named(&coming)));
            return Judged { on, coming, next: None, short };
        }
        let mut others: Vec<String> = Vec::new();
        let mut next = None;
        let silent = places.iter().find(|place| place.state == BackendState::Down && place.models.is_empty());
        let silent = silent.map(|place| place.name.clone());
        let is_paused = |place: &&&BackendView| self.pause(place, &wish.model).is_some();
        let tired = places.iter().filter(is_paused).count() >= TRIED;
        for place in places {
            match self.unfit(place, &wish.model) {
                Some(why) => others.push(format!("{} {why}", place.name)),
                None if next.is_none() => next = Some(place),
                None => {}
            }
        }
        let waits = self.queue.iter().find(|asked| asked.kept);
        let short = match (next, waits) {
            _ if unknown => "the backends are being looked at".to_owned(),
            (Some(_), _) if tired => {
                format!("it failed on {TRIED} backends, and others are left alone until they are tried again")
            }
            (Some(_), _) if silent.is_some() => {
                format!("{} is down and has not told its models yet", silent.as_deref().unwrap_or_default())
            }
            (Some(place), None) => format!("next is {}", place.name),
            (Some(place), Some(asked)) => {
                format!("next is {}, once {} is on {}", place.name, asked.model, asked.backend_name)
            }
            (None, _) if others.is_empty() => "no further backend may have it".to_owned(),
            (None, _) => format!("no other backend can take it now: {}", others.join("; ")),
        };
        let held = unknown || tired || silent.is_some() || waits.is_some();
        let next = next.filter(|_| !held).map(|backend| backend.id.clone());
        Judged { on, coming, next, short: Some(short) }
    }

    /// The backend is left alone with the model now.
    fn pause(&self, backend: &BackendView, model: &str) -> Option<&Pause> {
        self.pauses.of(model, &backend.id).filter(|pause| pause.until > self.now)
    }

    /// Why a backend is not chosen; it follows its name.
    fn unfit(&self, backend: &BackendView, model: &str) -> Option<String> {
        if self.foreign.contains(&backend.id) {
            return Some("speaks OpenAI's API only, which pulls nothing".into());
        }
        match backend.state {
            BackendState::Down => return Some("is down".into()),
            BackendState::Draining => return Some("is drained".into()),
            _ => {}
        }
        if let Some(pause) = self.pause(backend, model) {
            let left = pause.until.duration_since(self.now).as_secs() + 1;
            return Some(format!("{} and is tried again in {}", pause.why, words::stretch(left)));
        }
        let busy = self.queue.iter().find(|asked| asked.backend == backend.id);
        busy.map(|asked| format!("pulls {} first", asked.model))
    }
}

/// A backend that is left alone with a model.
#[derive(Debug, Clone)]
pub(super) struct Pause {
    failures: u32,
    pub until: Instant,
    why: String,
}

/// By model and backend; forgotten with the process.
#[derive(Debug, Default)]
pub(super) struct Pauses(HashMap<(String, BackendId), Pause>);

impl Pauses {
    fn of(&self, model: &str, backend: &BackendId) -> Option<&Pause> {
        self.0.get(&(key(model), backend.clone()))
    }

    pub fn failed(&mut self, model: &str, backend: &BackendId, why: &str, now: Instant) {
        let failures = self.of(model, backend).map_or(0, |pause| pause.failures);
        let pause = PAUSE.saturating_mul(1 << failures.min(6)).min(LONGEST_PAUSE);
        self.put(model, backend, Pause { failures: failures + 1, until: now + pause, why: format!("failed ({why})") });
    }

    /// Somebody did not want it there just now.
    pub fn cancelled(&mut self, model: &str, backend: &BackendId, who: &str, now: Instant) {
        let why = format!("was cancelled by {who}");
        self.put(model, backend, Pause { failures: 1, until: now + LONGEST_PAUSE, why });
    }

    fn put(&mut self, model: &str, backend: &BackendId, pause: Pause) {
        // Whatever is over for so long says nothing any more.
        self.0.retain(|_, known| known.until + 2 * LONGEST_PAUSE > pause.until);
        self.0.insert((key(model), backend.clone()), pause);
    }

    pub fn forget(&mut self, model: &str, backend: Option<&BackendId>) {
        let model = key(model);
        self.0.retain(|(known, at), _| *known != model || backend.is_some_and(|backend| backend != at));
    }

    /// When the next one is over.
    pub fn next(&self, now: Instant) -> Option<Instant> {
        self.0.values().map(|pause| pause.until).filter(|until| *until > now).min()
    }
}

#[cfg(test)]
#[path = "wish/tests.rs"]
mod tests;
