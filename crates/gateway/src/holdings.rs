//! Which models each backend has and which of them are in its memory, as its last answers say: for the pages that show the
//! fleet's models. Nothing here decides where a request goes.

use std::collections::HashMap;

use domain::{
    backend::BackendState,
    id::BackendId,
    model::{ModelName, Source},
};

use crate::{
    Gateway,
    backend::{
        Backend,
        rows::{Row, Running},
        seen::Seen,
    },
};

/// Letters of a digest as this gateway compares it, without the name of its function.
const SHA256: &str = "sha256:";

/// One backend with its models. Cheap to make: the lists are shared with the catalogue.
pub struct Holdings {
    pub id: BackendId,
    pub name: String,
    pub state: BackendState,
    /// It was found to speak OpenAI's API only: it tells names, and can be asked for nothing else about models.
    pub foreign: bool,
    seen: Seen,
    /// Places of what is loaded, by [`Row::key`].
    loaded: HashMap<String, usize>,
}

/// One model of a backend's last list.
#[derive(Clone, Copy)]
pub struct Held<'a> {
    row: &'a Row,
    loaded: Option<&'a Running>,
    foreign: bool,
}

/// A model in a backend's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InMemory {
    /// Bytes, all of them and those on graphics cards; 0 where it does not say.
    pub size: u64,
    pub vram: u64,
    /// Unix seconds.
    pub expires: i64,
}

impl Gateway {
    /// Every backend of the configuration with what its last list has, in the configuration's order.
    pub fn holdings(&self) -> Vec<Holdings> {
        self.0.fleet.view().backends.iter().map(|backend| Holdings::of(backend)).collect()
    }

    /// What lies in the memory of each backend that is up, by the backend's own names.
    pub fn in_memory(&self) -> Vec<(BackendId, Vec<(String, InMemory)>)> {
        let view = self.0.fleet.view();
        view.backends.iter().map(|backend| (backend.id().clone(), backend.in_memory())).collect()
    }

    /// The same of one backend.
    pub fn holdings_of(&self, id: &BackendId) -> Option<Holdings> {
        self.0.fleet.view().backends.iter().find(|backend| backend.id() == id).map(|backend| Holdings::of(backend))
    }
}

impl Holdings {
    pub(crate) fn of(backend: &Backend) -> Self {
        let seen = backend.seen();
        let loaded = seen.running().iter().enumerate().map(|(at, running)| (running.key(), at)).collect();
        Self {
            id: backend.id().clone(),
            name: backend.name().to_owned(),
            state: backend.state(),
            foreign: seen.answered() && !seen.native(),
            loaded,
            seen,
        }
    }

    pub fn models(&self) -> impl Iterator<Item = Held<'_>> {
        self.seen.listed().iter().map(|row| self.held(row))
    }

    /// The model that people know as `name`, in whatever spelling of it.
    pub fn find(&self, name: &str) -> Option<Held<'_>> {
        let canonical = ModelName::parse(name).ok().map(|(name, _)| name);
        let is_it = |row: &&std::sync::Arc<Row>| match &row.canonical {
            Some(own) => canonical.as_ref() == Some(own),
            None => row.name == name,
        };
        self.seen.listed().iter().find(is_it).map(|row| self.held(row))
    }

    fn held<'a>(&'a self, row: &'a Row) -> Held<'a> {
        let loaded = self.loaded.get(row.key()).and_then(|at| self.seen.running().get(*at));
        Held { row, loaded, foreign: self.foreign }
    }
}

impl<'a> Held<'a> {
    /// As the backend spells it.
    pub fn name(self) -> &'a str {
        &self.row.name
    }

    /// As people know it, the same for every spelling.
    pub fn shown(self) -> &'a str {
        self.row.canonical.as_ref().map_or(&self.row.name, ModelName::display)
    }

    /// What it consists of, in hexadecimal digits; `None` where the backend does not say.
    pub fn digest(self) -> Option<&'a str> {
        let digest = self.row.digest.strip_prefix(SHA256).unwrap_or(&self.row.digest);
        Some(digest).filter(|digest| !self.foreign && !digest.is_empty())
    }

    /// Bytes on disk; 0 where the backend does not say.
    pub fn size(self) -> u64 {
        self.row.about.size
    }

    pub fn family(self) -> &'a str {
        &self.row.about.family
    }

    /// `3.2B`.
    pub fn parameters(self) -> &'a str {
        &self.row.about.parameters
    }

    /// `Q4_K_M`.
    pub fn quantization(self) -> &'a str {
        &self.row.about.quantization
    }

    pub fn capabilities(self) -> impl Iterator<Item = &'a str> {
        self.row.about.capabilities.iter().map(AsRef::as_ref)
    }

    /// Only a stub: it runs at ollama.com under the account of the backend's owner.
    pub fn remote(self) -> bool {
        self.row.remote
    }

    /// How it lies in the backend's memory; `None` where it does not, as far as is known.
    pub fn in_memory(self) -> Option<InMemory> {
        let Running { size, vram, expires, .. } = self.loaded?;
        Some(InMemory { size: *size, vram: *vram, expires: expires.as_second() })
    }
}

/// The name that people know a model under, where `text` is one that a backend can give it.
pub fn new_name(text: &str) -> Option<ModelName> {
    let (name, source) = ModelName::parse(text).ok()?;
    (source == Source::Unspecified).then_some(name)
}

#[cfg(test)]
mod tests {
    use testkit::{FakeOllama, Fault, Model};

    use super::*;
    use crate::backend::tests::{entry, snapshot};

    #[tokio::test]
    async fn every_backend_tells_its_models_with_what_is_loaded() {
        let fake = FakeOllama::builder().models(["Llama3.2", "nomic-embed-text"]).start().await;
        fake.set(|script| script.loaded.push("llama3.2:latest".into()));
        let other = FakeOllama::builder().models([Model::new("llama3.2").digest("sha256:ab")]).start().await;
        let foreign = FakeOllama::builder().models(["Llama3.2"]).start().await;
        foreign.set(|script| script.fault_at("/api/tags", Fault::Status(404)));
        let (gateway, _records) = Gateway::new(1);
        gateway.publish(snapshot([entry(1, fake.url()), entry(2, other.url()), entry(3, foreign.url())]));
        gateway.refresh(None).await;
        let holdings = gateway.holdings();
        let [first, second, third] = holdings.as_slice() else { panic!("three backends") };

        let models: Vec<_> =
            first.models().map(|held| (held.name(), held.shown(), held.in_memory().is_some())).collect();
        let llama = ("Llama3.2:latest", "llama3.2:latest", true);
        assert_eq!(models, [llama, ("nomic-embed-text:latest", "nomic-embed-text:latest", false)]);
        let held = first.find("library/LLAMA3.2").unwrap();
        assert_eq!((held.parameters(), held.quantization(), held.family()), ("3.2B", "Q4_K_M", "llama"));
        assert_eq!(held.in_memory().map(|loaded| loaded.vram), Some(held.size()));
        assert_eq!(second.find("llama3.2").unwrap().digest(), Some("ab"), "the function's name is no part of it");
        assert_eq!(first.find("llama3"), None);

        assert!(third.foreign && !first.foreign);
        let held = third.find("Llama3.2:latest").unwrap();
        assert_eq!((held.digest(), held.size()), (None, 0), "what the lists make up for it is not told");
        assert_eq!(third.find("llama3.2"), None, "names of other servers count letter by letter");
    }

    impl PartialEq for Held<'_> {
        fn eq(&self, other: &Self) -> bool {
            std::ptr::eq(self.row, other.row)
        }
    }

    impl std::fmt::Debug for Held<'_> {
        fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.write_str(self.name())
        }
    }

    #[test]
    fn a_new_name_says_nothing_of_where_it_runs() {
        assert_eq!(new_name(" Mine ").unwrap().display(), "mine:latest");
        for text in ["", "a b", "x:cloud", "x:local", "../x"] {
            assert!(new_name(text).is_none(), "{text}");
        }
    }
}
