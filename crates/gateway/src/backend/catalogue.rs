//! Everything the fleet offers, computed once when a list changes and then only read: where each model can be sent, and
//! the merged bodies of the listing endpoints.

use std::sync::Arc;

use super::{
    Backend,
    drift::{self, Drift},
    seen::Seen,
};
use crate::{alias::Aliases, listing::Listings, resolve::Routes};

/// Immutable; replaced whole.
#[derive(Default)]
pub(crate) struct Catalogue {
    pub(crate) routes: Routes,
    pub(crate) listings: Listings,
    pub(crate) drift: Vec<Drift>,
}

/// An enabled backend and what is known of it, in the order of the snapshot.
pub(crate) struct Source {
    pub(crate) backend: Arc<Backend>,
    pub(crate) seen: Seen,
}

impl Catalogue {
    /// From all backends, and other names for what they have; disabled ones offer nothing. Turns of the old catalogue go on in the new one.
    pub(crate) fn build(backends: &[Arc<Backend>], aliases: &Aliases, old: &Self) -> Self {
        let enabled = backends.iter().filter(|backend| backend.entry.enabled);
        let sources: Vec<Source> =
            enabled.map(|backend| Source { backend: Arc::clone(backend), seen: backend.origin.seen() }).collect();
        let seen: Vec<&Seen> = sources.iter().map(|source| &source.seen).collect();
        Self {
            listings: Listings::build(&seen, aliases),
            routes: Routes::build(&sources, &old.routes),
            drift: drift::find(&sources),
        }
    }
}
