//! The fleet of one gateway: takes configuration in, hands out views, and rebuilds the catalogue when a look has changed
//! something. Who looks and when is `refresh`'s business.

use std::{
    sync::{Arc, Mutex},
    time::Instant,
};

use arc_swap::ArcSwap;
use domain::{backend::ProbeResult, id::BackendId, live::LiveStatus};
use tokio::sync::watch;

use super::{Backend, FleetLoad, bump, catalogue::Catalogue, certificate, lock, look::Listing, seen::Change, unix_now};
use crate::{
    queue::Queue,
    snapshot::{Pepper, Settings, Snapshot},
};

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct Fleet(pub(super) Arc<Shared>);

pub(super) struct Shared {
    view: ArcSwap<View>,
    /// Held by whoever replaces the view, so that none replaces another's.
    writing: Mutex<()>,
    pub(super) load: Arc<FleetLoad>,
    changes: watch::Sender<u64>,
    pub(super) published: watch::Sender<u64>,
}

/// Configuration and catalogue at one moment. A request takes one at its start and uses it to the end.
pub(crate) struct View {
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) catalogue: Arc<Catalogue>,
    /// In the snapshot's order, disabled ones included.
    pub(crate) backends: Vec<Arc<Backend>>,
}

impl View {
    fn backend(&self, id: &BackendId) -> Option<&Arc<Backend>> {
        self.backends.iter().find(|backend| backend.id() == id)
    }

    /// Those that requests may be sent to.
    pub(super) fn enabled(&self) -> impl Iterator<Item = &Arc<Backend>> {
        self.backends.iter().filter(|backend| backend.entry.enabled)
    }
}

impl Fleet {
    pub(crate) fn new() -> Self {
        let snapshot = Snapshot {
            revision: 0,
            keys: Default::default(),
            backends: Vec::new(),
            settings: Settings::default(),
            pepper: Pepper([0; 32]),
        };
        let view = View { snapshot: Arc::new(snapshot), catalogue: Arc::default(), backends: Vec::new() };
        Self(Arc::new(Shared {
            view: ArcSwap::from_pointee(view),
            writing: Mutex::new(()),
            load: Arc::default(),
            changes: watch::Sender::new(0),
            published: watch::Sender::new(0),
        }))
    }

    /// Puts a new configuration in force. What is known of a backend stays unless its address or token changed.
    pub(crate) fn publish(&self, snapshot: Snapshot) {
        let _writing = lock(&self.0.writing);
        let old = self.view();
        let backends: Vec<Arc<Backend>> = snapshot.backends.iter().map(|entry| self.carry(&old, entry)).collect();
        for gone in old.backends.iter().filter(|old| !backends.iter().any(|new| Arc::ptr_eq(&new.origin, &old.origin)))
        {
            gone.origin.pool.set_open(false);
        }
        // Requests that wait look at the load, whatever configuration they began with.
        for removed in old.backends.iter().filter(|old| !backends.iter().any(|new| new.id() == old.id())) {
            removed.load.configure(removed.entry.parallel, false);
        }
        for Backend { load, entry, .. } in backends.iter().map(AsRef::as_ref) {
            load.configure(entry.parallel, entry.enabled && !entry.draining);
        }
        let moved = old.snapshot.settings.backend_networks != snapshot.settings.backend_networks;
        for backend in &backends {
            if moved {
                // Idle connections may lead to where backends may no longer be.
                backend.origin.pool.set_open(false);
            }
            backend.origin.pool.set_open(backend.entry.enabled);
        }
        let same = backends.len() == old.backends.len()
            && backends.iter().zip(&old.backends).all(|(new, old)| Arc::ptr_eq(new, old));
        let aliases = &snapshot.settings.aliases;
        let catalogue = if same && *aliases == old.snapshot.settings.aliases {
            Arc::clone(&old.catalogue)
        } else {
            Arc::new(Catalogue::build(&backends, aliases, &old.catalogue))
        };
        self.0.view.store(Arc::new(View { snapshot: Arc::new(snapshot), catalogue, backends }));
        bump(&self.0.published);
        self.queue().renewed();
        if !same {
            bump(&self.0.changes);
        }
    }

    fn carry(&self, old: &View, entry: &Arc<crate::snapshot::BackendEntry>) -> Arc<Backend> {
        let old = old.backend(&entry.id);
        let unchanged = old.filter(|old| {
            let old = &old.entry;
            (&old.name, &old.url, old.enabled, &old.token, old.created_at)
                == (&entry.name, &entry.url, entry.enabled, &entry.token, entry.created_at)
                && (old.parallel, old.weight, old.priority, old.draining, old.timeouts)
                    == (entry.parallel, entry.weight, entry.priority, entry.draining, entry.timeouts)
        });
        match unchanged {
            Some(backend) => Arc::clone(backend),
            None => Arc::new(Backend::new(Arc::clone(entry), old.map(AsRef::as_ref), &self.0.load, &self.0.changes)),
        }
    }

    /// Where requests wait for a slot.
    pub(crate) fn queue(&self) -> &Queue {
        &self.0.load.queue
    }

    pub(crate) fn load(&self) -> &Arc<FleetLoad> {
        &self.0.load
    }

    /// Where all times of the fleet are counted from, in milliseconds.
    pub(crate) fn started(&self) -> Instant {
        self.queue().started()
    }

    pub(crate) fn view(&self) -> Arc<View> {
        self.0.view.load_full()
    }

    /// Takes over what a look at `backend` found. With `believe` the list counts as it is.
    pub(super) fn take(&self, backend: &Backend, found: Result<Listing, ProbeResult>, believe: bool) {
        let failed = found.is_err();
        let change = match found {
            Ok(listing) => {
                if let Some(running) = &listing.running {
                    backend.origin.heat(running, self.queue().now());
                }
                backend.origin.found(self.queue().now());
                let mut seen = lock(&backend.origin.seen);
                if let Some(end) = listing.certificate_end {
                    certificate::warn(backend.name(), end, unix_now(), &mut seen.certificate_told);
                }
                seen.take(listing, believe)
            }
            Err(fault) => {
                backend.note(fault.message());
                backend.origin.lost(fault == ProbeResult::Refused)
            }
        };
        if change != Change::None {
            self.rebuild();
        }
        // One that was out may have come back.
        self.queue().freed();
        // The time of the last fault is shown, so each one is news.
        if change == Change::Status || failed {
            bump(&self.0.changes);
        }
    }

    /// Takes over a list for each backend, in their order, as if all had been looked at.
    #[cfg(feature = "inside")]
    pub(crate) fn take_all(&self, listings: Vec<Listing>) {
        for (backend, listing) in self.view().backends.iter().zip(listings) {
            lock(&backend.origin.seen).take(listing, true);
        }
        self.rebuild();
    }

    fn rebuild(&self) {
        let _writing = lock(&self.0.writing);
        let old = self.view();
        let catalogue = Arc::new(Catalogue::build(&old.backends, &old.snapshot.settings.aliases, &old.catalogue));
        let view = View { snapshot: Arc::clone(&old.snapshot), catalogue, backends: old.backends.clone() };
        self.0.view.store(Arc::new(view));
        self.queue().renewed();
    }

    /// The fleet's part of the live status; the rest is left at its default.
    pub(crate) fn live(&self) -> LiveStatus {
        let now = self.queue().now();
        let backends = self.view().backends.iter().map(|backend| backend.status(now)).collect();
        let waiting = self.queue().waiting() as u64;
        LiveStatus { backends, in_flight: self.in_flight(), waiting, ..LiveStatus::default() }
    }

    /// Counts up with every change of a backend's configuration, state, models or errors.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    /// Requests in flight, those at removed backends included.
    pub(crate) fn in_flight(&self) -> u64 {
        self.0.load.in_flight()
    }
}
