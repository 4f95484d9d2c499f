//! What backends have in memory, and having one load a model: for whoever takes a backend away and brings it back as it
//! was.

use std::time::Duration;

use domain::id::BackendId;
use jiff::Timestamp;

use crate::{Gateway, backend::Backend};

/// Whoever expires that far in the future was told to stay for ever.
const FOR_EVER_S: i64 = 100 * 365 * 24 * 3_600;
/// No model stays for less once it was loaded again: Ollama's own default.
const LEAST_S: i64 = 300;

/// A model in a backend's memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// As the backend names it.
    pub model: String,
    /// Seconds for which it stays without another request; negative is for ever.
    pub keep_alive_s: i64,
}

impl Gateway {
    /// What the last look at a backend found loaded; nothing for one that is down or unknown.
    pub fn loaded(&self, backend: &BackendId) -> Vec<Loaded> {
        let now = Timestamp::now().as_second();
        let view = self.0.fleet.view();
        let running = view.backends.iter().find(|other| other.id() == backend).map(|backend| backend.running());
        let loaded = |(model, expires)| Loaded { model, keep_alive_s: keep_alive(expires, now) };
        running.unwrap_or_default().into_iter().map(loaded).collect()
    }

    /// Backends that were found to speak OpenAI's API only.
    pub fn foreign(&self) -> Vec<BackendId> {
        self.ids(Backend::is_foreign)
    }

    /// Backends whose last look failed, where only the next one says whether they are down.
    pub fn unsure(&self) -> Vec<BackendId> {
        self.ids(Backend::is_unsure)
    }

    fn ids(&self, fits: impl Fn(&Backend) -> bool) -> Vec<BackendId> {
        let view = self.0.fleet.view();
        view.backends.iter().filter(|backend| fits(backend)).map(|backend| backend.id().clone()).collect()
    }

    /// Has a backend load a model, and returns when it is loaded, or after `patience`. The error is a few words for people.
    pub async fn load_model(&self, backend: &BackendId, wanted: &Loaded, patience: Duration) -> Result<(), String> {
        let view = self.0.fleet.view();
        let found = view.backends.iter().find(|other| other.id() == backend);
        let backend = found.ok_or_else(|| "the backend is not there any more".to_owned())?;
        self.load(backend, &wanted.model, Some(wanted.keep_alive_s), patience).await
    }
}

/// Seconds that are left of a model's time, as they are asked for again.
fn keep_alive(expires_s: i64, now_s: i64) -> i64 {
    match expires_s.saturating_sub(now_s) {
        left if left > FOR_EVER_S => -1,
        left => left.max(LEAST_S),
    }
}

#[cfg(test)]
mod tests {
    use testkit::{FakeOllama, Fault};

    use super::*;
    use crate::backend::tests::{entry, snapshot};

    #[test]
    fn what_stays_for_ever_stays_for_ever_and_the_rest_at_least_five_minutes() {
        assert_eq!(keep_alive(1_000, 990), 300);
        assert_eq!(keep_alive(1_000, 2_000), 300);
        assert_eq!(keep_alive(10_000, 1_000), 9_000);
        assert_eq!(keep_alive(292 * 365 * 24 * 3_600, 0), -1);
    }

    #[tokio::test]
    async fn models_are_loaded_again_by_the_request_they_understand() {
        let fake = FakeOllama::builder().models(["llama3.2", "nomic-embed-text"]).start().await;
        let (gateway, _records) = Gateway::new(1);
        let entry = entry(1, fake.url());
        let id = entry.id.clone();
        gateway.publish(snapshot([entry]));
        let load = async |model: &str| {
            let wanted = Loaded { model: model.into(), keep_alive_s: 1_234 };
            gateway.load_model(&id, &wanted, Duration::from_secs(10)).await
        };
        assert_eq!((load("llama3.2").await, load("nomic-embed-text").await), (Ok(()), Ok(())));
        let asked: Vec<_> = fake.inference_requests().iter().map(|request| request.path.clone()).collect();
        assert_eq!(asked, ["/api/generate", "/api/generate", "/api/embed"]);
        assert_eq!(fake.inference_requests()[0].json()["keep_alive"], 1_234);
        gateway.refresh(None).await;
        let mut loaded: Vec<_> = gateway.loaded(&id).into_iter().map(|loaded| loaded.model).collect();
        loaded.sort();
        assert_eq!(loaded, ["llama3.2:latest", "nomic-embed-text:latest"]);
        assert!(load("missing").await.unwrap_err().starts_with("it answered 404: model"));
        fake.set(|script| script.fault = Some(Fault::Status(500)));
        assert_eq!(load("llama3.2").await.unwrap_err(), "it answered 500: scripted fault");
        fake.refuse_connections().await;
        assert!(load("llama3.2").await.is_err());
    }
}
