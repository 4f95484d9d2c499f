//! From an alias to one of its models: the first that the key may use and that some backend can take a request for, and the
//! next ones where that turns out not to be so. Explained in words that usage keeps.

use std::{fmt::Write, sync::Arc};

use domain::alias::{TargetState, TargetView};

use super::{Candidates, Picked, ResolveError, resolve};
use crate::{alias::Alias, backend::View, policy::Rules};

/// Bytes after which the explanation grows no further: usage and headers keep less.
const LONGEST: usize = 1_000;

/// Why a model of the alias was passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    /// The key may use neither the alias nor the model.
    Forbidden,
    Missing,
    /// All its backends are down, ejected, drained, or speak another API.
    Out,
    /// It was asked and did not answer.
    Failed,
}

/// The models that one request for an alias may be sent to.
pub(crate) struct Chain {
    alias: Arc<Alias>,
    /// Instead of the alias's models, where they were picked for this request.
    picked: Option<Picked>,
    /// The alias itself is one of the key's models, so that the key may use whatever it leads to.
    admitted: bool,
    native: bool,
    /// The one in use, as a place among the models.
    at: usize,
    via: String,
}

impl Chain {
    pub(crate) fn new(alias: &Arc<Alias>, rules: &Rules, native: bool) -> Self {
        let via = format!("asked for as {}", alias.name);
        let admitted = rules.admits_model(&alias.display);
        Self { admitted, alias: Arc::clone(alias), picked: None, native, at: 0, via }
    }

    /// Of models that were picked among those that the key may use.
    pub(crate) fn of(alias: &Arc<Alias>, picked: Picked, native: bool) -> Self {
        let via = format!("asked for as {}: {}", alias.name, picked.reason);
        Self { admitted: true, alias: Arc::clone(alias), picked: Some(picked), native, at: 0, via }
    }

    /// Why the models were picked, where they were. Names none of them.
    pub(crate) fn reason(&self) -> Option<&str> {
        self.picked.as_ref().map(|picked| picked.reason.as_str())
    }

    fn models(&self) -> &[String] {
        self.picked.as_ref().map_or(&self.alias.models, |picked| &picked.models)
    }

    /// How the alias led to the model in use, without full stop.
    pub(crate) fn via(&self) -> &str {
        &self.via
    }

    /// What backends are to be asked for.
    pub(crate) fn model(&self) -> &str {
        self.models().get(self.at).map_or("", String::as_str)
    }

    /// The first model that can be used. Where none can now, the first that some backend has: whether it answers all the
    /// same is decided as if it had been asked for by its own name.
    pub(crate) fn first(&mut self, view: &View, rules: &Rules, now: u64) -> Result<Candidates, ResolveError> {
        let mut nobody = ResolveError::Unknown;
        // The first, and the first that could be asked once its backends are back.
        let (mut spare, mut better) = (None, None);
        for at in 0..self.models().len() {
            let left = match self.look(at, view, rules) {
                Ok(candidates) if candidates.is_routable(now) => {
                    self.at = at;
                    return Ok(candidates);
                }
                Ok(candidates) => {
                    let speaks = !self.native || candidates.all_native().next().is_some();
                    let place = if speaks { &mut better } else { &mut spare };
                    place.get_or_insert((at, candidates));
                    Left::Out
                }
                Err(Some(ResolveError::NoBackend)) => {
                    nobody = ResolveError::NoBackend;
                    Left::Missing
                }
                Err(Some(_)) => Left::Missing,
                Err(None) => Left::Forbidden,
            };
            self.leave(at, left);
        }
        let (at, candidates) = better.or(spare).ok_or(nobody)?;
        self.at = at;
        self.via.truncate(0);
        // Writing into a String never fails.
        _ = write!(self.via, "asked for as {}, none of whose models any backend could take", self.alias.name);
        Ok(candidates)
    }

    /// The next one that can be used, after the one in use could not.
    pub(crate) fn next(&mut self, view: &View, rules: &Rules, now: u64) -> Option<Candidates> {
        let before = self.via.len();
        self.leave(self.at, Left::Failed);
        for at in self.at + 1..self.models().len() {
            let left = match self.look(at, view, rules) {
                Ok(candidates) if candidates.is_routable(now) => {
                    self.at = at;
                    return Some(candidates);
                }
                Ok(_) => Left::Out,
                Err(Some(_)) => Left::Missing,
                Err(None) => Left::Forbidden,
            };
            self.leave(at, left);
        }
        self.via.truncate(before);
        None
    }

    /// `Err(None)` for a model that the key may not use.
    fn look(&self, at: usize, view: &View, rules: &Rules) -> Result<Candidates, Option<ResolveError>> {
        let model = &self.models()[at];
        // First, so that a key learns nothing of what it may not use, not even that it is gone.
        if !self.admitted && !rules.admits_model(model) {
            return Err(None);
        }
        let mut candidates = resolve(view, model).map_err(Some)?;
        if self.native {
            candidates.native_only();
        }
        Ok(candidates)
    }

    fn leave(&mut self, at: usize, left: Left) {
        if self.via.len() > LONGEST {
            return;
        }
        let why = match left {
            // Without its name, because keys may read this.
            Left::Forbidden => return self.via.push_str(", a model of it is not for this key"),
            Left::Missing => "is on no backend",
            Left::Out => "had no backend that could take it",
            Left::Failed => "failed before it answered",
        };
        let models = self.picked.as_ref().map_or(&self.alias.models, |picked| &picked.models);
        _ = write!(self.via, ", {} {why}", models[at]);
    }
}

/// How it stands now with everything that an alias leads to, for people who may know the fleet.
pub(crate) fn targets(alias: &Alias, view: &View, now: u64) -> Vec<TargetView> {
    let mut taken = false;
    alias.models.iter().map(|model| target(model, view, now, &mut taken)).collect()
}

/// How it stands with one model, where `taken` says that another gets the next request.
pub(super) fn target(model: &str, view: &View, now: u64, taken: &mut bool) -> TargetView {
    let (state, why) = match resolve(view, model) {
        Ok(candidates) if candidates.is_routable(now) => {
            let state = if *taken { TargetState::Standby } else { TargetState::Next };
            *taken = true;
            (state, candidates.outlook(now))
        }
        Ok(candidates) => (TargetState::Out, candidates.outlook(now)),
        Err(ResolveError::Cloud) => (TargetState::Missing, "runs at ollama.com, which is not served".to_owned()),
        Err(ResolveError::NoBackend) => (TargetState::Missing, "no backend has told its models yet".to_owned()),
        Err(_) => (TargetState::Missing, "no backend has it".to_owned()),
    };
    TargetView { model: model.to_owned(), state, why }
}
