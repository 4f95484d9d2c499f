//! Who looks at the backends, and when: one task a backend, so that a hung one delays nobody; at the settings' interval,
//! at once after its configuration changed, soon after the data plane complained, had a model loaded or a look failed, and
//! more often while it is down.

mod stir;

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use domain::{backend::BackendState, id::BackendId};
use futures_util::{
    future::join_all,
    stream::{FuturesUnordered, StreamExt},
};
use tokio::time::{Instant, timeout_at};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{Backend, Fleet, Origin, look};
use stir::Stir;

/// No question of a look waits longer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks that complaints ask for, and between the first that failed and the one that decides.
const GAP: Duration = Duration::from_secs(1);
/// Longest between two looks at a backend that is down.
const RETURN: Duration = Duration::from_secs(5);
/// Idle connections are swept, and tasks are counted, this often.
const SWEEP: Duration = Duration::from_secs(2);

struct Watcher {
    origin: Arc<Origin>,
    task: AbortOnDropHandle<()>,
}

impl Fleet {
    /// Keeps the catalogue fresh until `stop`.
    pub(crate) async fn run(&self, stop: CancellationToken) {
        let mut published = self.0.published.subscribe();
        let mut sweep = tokio::time::interval(SWEEP);
        let mut watchers = HashMap::new();
        loop {
            published.mark_unchanged();
            self.appoint(&mut watchers);
            tokio::select! {
                () = stop.cancelled() => return,
                // The sender is in `self`.
                _ = published.changed() => {}
                now = sweep.tick() => self.view().enabled().for_each(|backend| backend.origin.pool.sweep(now)),
            }
        }
    }

    /// One watcher for each enabled backend; one that panicked is replaced.
    fn appoint(&self, watchers: &mut HashMap<BackendId, Watcher>) {
        let view = self.view();
        watchers.retain(|id, watcher| {
            !watcher.task.is_finished()
                && view.enabled().any(|backend| backend.id() == id && Arc::ptr_eq(&backend.origin, &watcher.origin))
        });
        for backend in view.enabled() {
            if !watchers.contains_key(backend.id()) {
                let task = AbortOnDropHandle::new(tokio::spawn(self.clone().watch(Arc::clone(backend))));
                watchers.insert(backend.id().clone(), Watcher { origin: Arc::clone(&backend.origin), task });
            }
        }
    }

    async fn watch(self, backend: Arc<Backend>) {
        let mut published = self.0.published.subscribe();
        let mut stir = Stir::default();
        loop {
            stir.looks(Instant::now());
            let contradicted = backend.origin.contradicted.swap(false, Ordering::Relaxed);
            self.look(&backend, contradicted).await;
            let looked = Instant::now();
            let complaint = async {
                backend.origin.wake.notified().await;
                tokio::time::sleep_until(looked + GAP).await;
            };
            tokio::pin!(complaint);
            loop {
                let seen = backend.origin.seen();
                let longest = match seen.state() {
                    BackendState::Down => RETURN,
                    _ if seen.is_doubtful() => GAP,
                    _ => Duration::MAX,
                };
                let interval = self.view().snapshot.settings.catalogue_interval.min(longest);
                let due = stir.due(looked).map_or(looked + interval, |due| due.min(looked + interval));
                tokio::select! {
                    () = tokio::time::sleep_until(due) => break,
                    () = &mut complaint => break,
                    // One at a time: what comes after it stays with the backend until this one was looked into.
                    () = backend.origin.stirred.notified(), if stir.is_settled() => stir.begins(Instant::now()),
                    // Perhaps another interval.
                    _ = published.changed() => {}
                }
            }
        }
    }

    /// Looks at one backend, or at all enabled ones, and returns when the catalogue has the result.
    pub(crate) async fn refresh(&self, backend: Option<BackendId>) {
        let view = self.view();
        let wanted = view.enabled().filter(|other| backend.as_ref().is_none_or(|id| other.id() == id));
        join_all(wanted.map(|backend| self.look(backend, true))).await;
    }

    /// The first looks of a start: ends when all enabled backends were looked at; after `all` where one of them has
    /// answered, after `one` in any case.
    pub(crate) async fn first_looks(&self, all: Duration, one: Duration) {
        let view = self.view();
        let looks = view.enabled().map(|backend| async move {
            self.look(backend, true).await;
            backend.origin.seen().state() == BackendState::Up
        });
        let mut looks = looks.collect::<FuturesUnordered<_>>();
        let begun = Instant::now();
        let mut patience = one;
        while let Ok(Some(answered)) = timeout_at(begun + patience, looks.next()).await {
            if answered {
                patience = all;
            }
        }
    }

    async fn look(&self, backend: &Backend, believe: bool) {
        let _looking = backend.origin.looking.lock().await;
        let view = self.view();
        let networks = &view.snapshot.settings.backend_networks;
        let found = look::look(&backend.entry.url, backend.entry.token.as_ref(), networks, PATIENCE).await;
        if let Err(fault) = &found {
            tracing::debug!(backend = backend.name(), fault = fault.message(), "backend did not give its lists");
        }
        self.take(backend, found, believe);
    }
}
