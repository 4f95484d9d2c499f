//! From the model a client asks for to the backends that have it: exact spelling first, then Ollama's canonical name.
//! No I/O; the tables are built with the catalogue.

mod auto;
mod candidates;
mod chain;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError, Weak},
};

use domain::{
    auto::Abilities,
    model::{ModelName, ModelNameError, Source as NameSource},
};

use crate::{
    backend::{View, catalogue::Source, rows::Row},
    balance::{Member, Turn},
};

pub(crate) use auto::{Picked, all_targets};
pub(crate) use candidates::{Candidates, Choice, Kind, Tried};
pub(crate) use chain::{Chain, targets};

/// Why a model goes nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ResolveError {
    #[error("no backend has the model")]
    Unknown,
    /// The backend would hand the call to ollama.com under its owner's account.
    #[error("models that run at ollama.com are not served")]
    Cloud,
    #[error(transparent)]
    Invalid(#[from] ModelNameError),
    /// No backend is configured, or none has ever given its list.
    #[error("no backend is available")]
    NoBackend,
    /// `auto` found no model that can do this.
    #[error("no model can {0}")]
    Wanting(&'static str),
}

struct Route {
    display: String,
    members: Vec<Member>,
    /// What any of them says that the model can do.
    can: Abilities,
    turn: Arc<Turn>,
    /// The route that took the place of this one when the catalogue was built anew, or this one itself.
    latest: Arc<Mutex<Weak<Route>>>,
}

impl Route {
    /// In the place of `old`, which those who wait may still hold.
    fn new(display: String, members: Vec<Member>, can: Abilities, old: Option<&Arc<Self>>) -> Arc<Self> {
        let turn = old.map(|old| Arc::clone(&old.turn)).unwrap_or_default();
        let latest = old.map(|old| Arc::clone(&old.latest)).unwrap_or_default();
        let route = Arc::new(Self { display, members, can, turn, latest });
        *route.latest.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(&route);
        route
    }

    fn latest(&self) -> Option<Arc<Self>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).upgrade()
    }
}

/// Where each model can be sent.
#[derive(Default)]
pub(crate) struct Routes {
    /// By the spellings that lists and clients use.
    exact: HashMap<String, Arc<Route>>,
    canonical: HashMap<String, Arc<Route>>,
    /// Canonical names that only stubs of cloud models have.
    remote: HashSet<String>,
    /// At least one backend has ever given a list.
    answered: bool,
    /// What each model is found by, sorted.
    all: Vec<String>,
}

/// Finds the backends for `model` as the client wrote it.
pub(crate) fn resolve(view: &View, model: &str) -> Result<Candidates, ResolveError> {
    let route = view.catalogue.routes.find(model)?;
    Ok(Candidates::new(Arc::clone(route), view.snapshot.settings.balance))
}

impl Routes {
    fn find(&self, model: &str) -> Result<&Arc<Route>, ResolveError> {
        if let Some(route) = self.exact.get(model) {
            return Ok(route);
        }
        let (name, source) = ModelName::parse(model)?;
        if source == NameSource::Cloud {
            return Err(ResolveError::Cloud);
        }
        match self.canonical.get(name.as_str()) {
            Some(route) => Ok(route),
            None if self.remote.contains(name.as_str()) => Err(ResolveError::Cloud),
            None if self.answered => Err(ResolveError::Unknown),
            None => Err(ResolveError::NoBackend),
        }
    }

    /// Backends that answer are preferred; where none of a model's backends does, all are kept for the data plane to try.
    pub(crate) fn build(sources: &[Source], old: &Self) -> Self {
        let mut routes = Self { answered: sources.iter().any(|source| source.seen.answered()), ..Self::default() };
        let mut named: HashMap<ModelName, Vec<(&Source, &Row)>> = HashMap::new();
        let mut lettered: HashMap<&str, Vec<(&Source, &Row)>> = HashMap::new();
        let mut spellings: HashSet<&str> = HashSet::new();
        for source in sources {
            for row in source.seen.rows() {
                match &row.canonical {
                    Some(name) if row.remote => _ = routes.remote.insert(name.as_str().to_owned()),
                    Some(name) => {
                        spellings.insert(&row.name);
                        push(named.entry(name.clone()).or_default(), (source, row));
                    }
                    None if row.remote => {}
                    None => push(lettered.entry(&row.name).or_default(), (source, row)),
                }
            }
        }
        for (name, sources) in &named {
            let display = name.display();
            let before = old.canonical.get(name.as_str());
            let route = Route::new(display.to_owned(), members(sources), abilities(sources), before);
            routes.all.push(display.to_owned());
            for spelling in [Some(display), display.strip_suffix(":latest")].into_iter().flatten() {
                routes.exact.insert(spelling.to_owned(), Arc::clone(&route));
            }
            routes.canonical.insert(name.as_str().to_owned(), route);
        }
        for spelling in spellings {
            if let Some(route) =
                ModelName::parse(spelling).ok().and_then(|(name, _)| routes.canonical.get(name.as_str()))
            {
                routes.exact.insert(spelling.to_owned(), Arc::clone(route));
            }
        }
        for (id, mut sources) in lettered {
            // The same text may also name a model of an Ollama: then both kinds of backend have it.
            let parsed = ModelName::parse(id).ok().filter(|(_, source)| *source != NameSource::Cloud);
            // A spelling of a model that goes by its canonical name was another route until now.
            let canonical = parsed.as_ref().and_then(|(name, _)| old.canonical.get(name.as_str()));
            let before = old.exact.get(id).filter(|old| canonical.is_none_or(|other| !Arc::ptr_eq(old, other)));
            let mut display = id.to_owned();
            if let Some((name, others)) = parsed.and_then(|(name, _)| named.get_key_value(&name)) {
                display = name.display().to_owned();
                others.iter().for_each(|other| push(&mut sources, *other));
            }
            routes.all.push(id.to_owned());
            let route = Route::new(display, members(&sources), abilities(&sources), before);
            routes.exact.insert(id.to_owned(), route);
        }
        routes.all.sort_unstable();
        routes.all.dedup();
        routes
    }
}

fn push<'a>(sources: &mut Vec<(&'a Source, &'a Row)>, source: (&'a Source, &'a Row)) {
    if !sources.iter().any(|(other, _)| Arc::ptr_eq(&other.backend, &source.0.backend)) {
        sources.push(source);
    }
}

fn abilities(sources: &[(&Source, &Row)]) -> Abilities {
    let told = |(_, row): &(&Source, &Row)| {
        Abilities::told(row.about.capabilities.iter().map(AsRef::as_ref), &row.about.family)
    };
    sources.iter().map(told).fold(Abilities::default(), Abilities::or)
}

fn members(sources: &[(&Source, &Row)]) -> Vec<Member> {
    let any_up = sources.iter().any(|(source, _)| source.seen.is_up());
    let usable = sources.iter().filter(|(source, _)| source.seen.is_up() || !any_up);
    let member = |(source, row): &(&Source, &Row)| Member {
        backend: Arc::clone(&source.backend),
        model: source.backend.model(row.key()),
        native: source.seen.native(),
    };
    usable.map(member).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::{
        seen::Seen,
        tests::{backend, ollama, ollama_with, openai},
    };

    fn routes(seen: impl IntoIterator<Item = Seen>) -> Routes {
        let sources: Vec<Source> =
            (0..).zip(seen).map(|(number, seen)| Source { backend: backend(number), seen }).collect();
        Routes::build(&sources, &Routes::default())
    }

    /// Names of the backends, or why there are none.
    fn found(routes: &Routes, model: &str) -> Result<Vec<String>, ResolveError> {
        let route = routes.find(model)?;
        Ok(route.members.iter().map(|member| member.backend.name().to_owned()).collect())
    }

    #[test]
    fn every_spelling_of_a_name_finds_the_same_backends() {
        let routes = routes([ollama_with(&["llama3:latest", "me/m:8b"]), ollama_with(&["LLama3:Latest"])]);
        for spelling in [
            "llama3",
            "llama3:latest",
            "LLAMA3",
            "Llama3:LATEST",
            " llama3 ",
            "library/llama3",
            "LLama3:Latest",
            "llama3:local",
            "registry.ollama.ai/library/llama3:latest",
            "https://registry.ollama.ai/library/llama3",
        ] {
            assert_eq!(found(&routes, spelling), Ok(vec!["gpu-0".into(), "gpu-1".into()]), "{spelling:?}");
            assert_eq!(routes.find(spelling).unwrap().display, "llama3:latest", "{spelling:?}");
        }
        assert_eq!(found(&routes, "ME/m:8B"), Ok(vec!["gpu-0".into()]));
        for other in ["llama3:8b", "llama", "hf.co/library/llama3", "me/m", "m:8b"] {
            assert_eq!(found(&routes, other), Err(ResolveError::Unknown), "{other}");
        }
    }

    #[test]
    fn what_is_no_name_says_so() {
        let routes = routes([ollama_with(&["a"])]);
        assert_eq!(found(&routes, ""), Err(ResolveError::Invalid(ModelNameError::Empty)));
        assert_eq!(found(&routes, "a b"), Err(ResolveError::Invalid(ModelNameError::Invalid)));
        assert!(matches!(
            found(&routes, "a:local:cloud"),
            Err(ResolveError::Invalid(ModelNameError::LocalAndCloud(_)))
        ));
    }

    #[test]
    fn foreign_ids_count_letter_by_letter_and_need_not_be_names() {
        let list =
            r#"{"data":[{"id":"Qwen/Qwen3-8B"},{"id":"my.org/m"},{"id":"a model"},{"id":"llama3"},{"id":"x:cloud"}]}"#;
        let routes = routes([ollama_with(&["qwen/qwen3-8b:latest", "llama3:latest"]), openai(list)]);
        for id in ["my.org/m", "a model", "x:cloud"] {
            assert_eq!(found(&routes, id), Ok(vec!["gpu-1".into()]), "{id}");
        }
        assert_eq!(
            found(&routes, "Qwen/Qwen3-8B"),
            Ok(vec!["gpu-1".into(), "gpu-0".into()]),
            "both know this spelling"
        );
        assert_eq!(found(&routes, "qwen/qwen3-8b"), Ok(vec!["gpu-0".into()]));
        assert_eq!(found(&routes, "llama3"), Ok(vec!["gpu-1".into(), "gpu-0".into()]));
        assert_eq!(found(&routes, "llama3:latest"), Ok(vec!["gpu-0".into()]));
        assert_eq!(found(&routes, "MY.ORG/m"), Err(ResolveError::Invalid(ModelNameError::Invalid)));
    }

    #[test]
    fn models_that_run_elsewhere_are_refused_under_every_name() {
        let stubs = r#"{"models":[{"name":"a:20b-cloud"},{"name":"mine","remote_host":"https://ollama.com"},{"name":"both","remote_model":"x"}]}"#;
        let routes = routes([ollama(stubs, r#"{"models":[]}"#, "1"), ollama_with(&["both"])]);
        for name in ["a:20b-cloud", "A:20B-Cloud", "a:20b", "x:cloud", "mine", "MINE:latest", "both:cloud"] {
            assert_eq!(found(&routes, name), Err(ResolveError::Cloud), "{name}");
        }
        assert_eq!(found(&routes, "both"), Ok(vec!["gpu-1".into()]), "the one that really has it");
    }

    #[test]
    fn without_any_list_it_is_not_the_models_fault() {
        assert_eq!(found(&routes([]), "a"), Err(ResolveError::NoBackend));
        assert_eq!(found(&routes([Seen::default()]), "a"), Err(ResolveError::NoBackend));
        assert_eq!(found(&routes([Seen::default(), ollama_with(&[])]), "a"), Err(ResolveError::Unknown));
    }

    #[test]
    fn turns_go_on_when_the_catalogue_is_replaced() {
        let sources: Vec<Source> =
            (0..3).map(|number| Source { backend: backend(number), seen: ollama_with(&["a"]) }).collect();
        let mut routes = Routes::default();
        let mut turns = Vec::new();
        for _ in 0..6 {
            routes = Routes::build(&sources, &routes);
            turns.push(routes.find("a").unwrap().turn.next());
        }
        assert_eq!(turns, [0, 1, 2, 3, 4, 5]);
    }
}
