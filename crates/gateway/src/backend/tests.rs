//! Connections and looks against a scripted backend, and what other modules' tests need of the fleet.

mod connections;
mod looks;
mod recovery;
mod tls;

use std::{sync::Arc, time::Duration};

use domain::{id::BackendId, live::LiveStatus};
use testkit::FakeOllama;
use url::Url;

use super::{Backend, Fleet, look::Listing, rows, seen::Seen};
use crate::snapshot::{BackendEntry, Pepper, Settings, Snapshot};

pub(crate) fn id(number: u8) -> BackendId {
    BackendId::new(&format!("backend{number:05}")).unwrap()
}

pub(crate) fn entry(number: u8, url: Url) -> BackendEntry {
    BackendEntry {
        id: id(number),
        name: format!("gpu-{number}"),
        url,
        enabled: true,
        token: None,
        created_at: 7,
        parallel: None,
        weight: 1,
        priority: 0,
        draining: false,
        timeouts: Default::default(),
    }
}

/// Looked at only when something happens.
pub(crate) fn quiet() -> Settings {
    Settings { catalogue_interval: Duration::from_secs(3600), ..Settings::default() }
}

pub(crate) fn snapshot(backends: impl IntoIterator<Item = BackendEntry>) -> Snapshot {
    Snapshot {
        revision: 1,
        keys: Default::default(),
        backends: backends.into_iter().map(Arc::new).collect(),
        settings: quiet(),
        pepper: Pepper([0; 32]),
    }
}

/// A fleet of these fakes, numbered from 0, each looked at once.
pub(crate) async fn fleet(fakes: &[&FakeOllama]) -> Fleet {
    let fleet = Fleet::new();
    fleet.publish(snapshot((0..).zip(fakes).map(|(number, fake)| entry(number, fake.url()))));
    fleet.refresh(None).await;
    fleet
}

/// Waits until the live status meets the condition.
pub(crate) async fn until(fleet: &Fleet, condition: impl Fn(&LiveStatus) -> bool) -> LiveStatus {
    let mut changes = fleet.changes();
    let seen = async {
        loop {
            let live = fleet.live();
            if condition(&live) {
                return live;
            }
            changes.changed().await.unwrap();
        }
    };
    match tokio::time::timeout(Duration::from_secs(10), seen).await {
        Ok(live) => live,
        Err(_) => panic!("not seen: {:#?}", fleet.live()),
    }
}

/// A backend that is never connected to.
pub(crate) fn backend(number: u8) -> Arc<Backend> {
    backend_with(number, |_| ())
}

/// The same, configured.
pub(crate) fn backend_with(number: u8, change: impl FnOnce(&mut BackendEntry)) -> Arc<Backend> {
    let mut entry = entry(number, Url::parse("http://127.0.0.1:1").unwrap());
    change(&mut entry);
    let changes = tokio::sync::watch::Sender::new(0);
    let (parallel, open) = (entry.parallel, entry.enabled && !entry.draining);
    let backend = Backend::new(Arc::new(entry), None, &Arc::default(), &changes);
    backend.load().configure(parallel, open);
    Arc::new(backend)
}

/// What an Ollama has shown that gave this list and runs `running`.
pub(crate) fn ollama(tags: &str, running: &str, version: &str) -> Seen {
    let listing = Listing {
        version: Some(version.to_owned()),
        models: rows::tags(tags.as_bytes()).unwrap(),
        running: rows::running(running.as_bytes()),
        native: true,
        certificate_end: None,
    };
    let mut seen = Seen::default();
    seen.take(listing, true);
    seen
}

/// The same with names alone.
pub(crate) fn ollama_with(names: &[&str]) -> Seen {
    let rows: Vec<String> = names.iter().map(|name| format!(r#"{{"name":"{name}"}}"#)).collect();
    ollama(&format!(r#"{{"models":[{}]}}"#, rows.join(",")), r#"{"models":[]}"#, "0.5.1")
}

/// What a server of OpenAI's API has shown.
pub(crate) fn openai(list: &str) -> Seen {
    let models = rows::openai(list.as_bytes()).unwrap();
    let mut seen = Seen::default();
    let listing = Listing { version: None, models, running: None, native: false, certificate_end: None };
    seen.take(listing, true);
    seen
}
