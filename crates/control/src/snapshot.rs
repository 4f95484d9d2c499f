//! From the configuration to what the gateway serves requests from.

use std::{collections::HashMap, sync::Arc, time::Duration};

use domain::policy::Classes;
use gateway::snapshot::{BackendEntry, BackendToken, KeyEntry, Settings, Snapshot};
use store::row::BackendRow;
use url::Url;

use crate::{
    EnvironmentSettings, aliases, doors,
    policy::Users,
    secrets::{Secrets, seal::Place},
    settings,
    state::State,
};

/// Builds the gateway's view. A backend whose address or token cannot be read is left out and reported, so that one bad
/// row does not stop the rest.
pub(crate) fn build(state: &State, secrets: &Secrets, environment: &EnvironmentSettings) -> Snapshot {
    let enabled: HashMap<_, _> =
        state.rows.users.iter().map(|user| (&user.id, user.enabled && user.removed_at.is_none())).collect();
    let users = Users::of(state);
    let keys = state.rows.keys.iter().map(|key| {
        let entry = KeyEntry {
            id: key.id.clone(),
            user: key.user.clone(),
            hash: key.hash,
            status: key.status,
            user_enabled: enabled.get(&key.user).copied().unwrap_or(false),
            limit: key.limit,
            rules: users.rules(&key.user, &key.policy),
        };
        (key.id.clone(), Arc::new(entry))
    });
    Snapshot {
        revision: state.rows.revision,
        keys: keys.collect(),
        backends: state.rows.backends.iter().filter_map(|row| backend(row, secrets)).map(Arc::new).collect(),
        settings: of_settings(state, environment),
        pepper: secrets.pepper(),
    }
}

fn backend(row: &BackendRow, secrets: &Secrets) -> Option<BackendEntry> {
    let Ok(url) = Url::parse(&row.url) else {
        tracing::error!(backend = %row.id, "the stored address of a backend cannot be read; it is left out");
        return None;
    };
    let token = match &row.sealed_token {
        None => None,
        Some(sealed) => match secrets.sealer().open(&Place::backend_token(&row.id), sealed) {
            Some(token) => Some(BackendToken(token.as_str().to_owned())),
            None => {
                tracing::error!(backend = %row.id, "the stored token of a backend cannot be opened; it is left out");
                return None;
            }
        },
    };
    let (id, name) = (row.id.clone(), row.name.clone());
    Some(BackendEntry {
        id,
        name,
        url,
        enabled: row.enabled,
        token,
        created_at: row.created_at,
        parallel: row.parallel,
        weight: row.weight.max(1),
        priority: row.priority,
        draining: row.draining,
        timeouts: row.timeouts,
    })
}

fn of_settings(state: &State, environment: &EnvironmentSettings) -> Settings {
    let view = settings::view(state, environment);
    let seconds = |value: u32| Duration::from_secs(u64::from(value));
    Settings {
        default_limit: view.default_limit.value,
        classes: Classes {
            inference: view.class_inference.value,
            catalogue: view.class_catalogue.value,
            management: view.class_management.value,
        },
        catalogue_interval: seconds(view.catalogue_interval_s.value),
        connect_timeout: seconds(view.connect_timeout_s.value),
        first_byte_timeout: seconds(view.first_byte_timeout_s.value),
        stall_timeout: seconds(view.stall_timeout_s.value),
        backend_networks: doors::backend_networks(state, &environment.network),
        max_body: view.max_body_mb.value as usize * 1_000_000,
        body_memory: view.body_memory_mb.value as usize * 1_000_000,
        doors: doors::api(state, &environment.network),
        replicas: view.replicas.value,
        balance: view.balance.value,
        queue_max: view.queue_max.value as usize,
        queue_timeout: seconds(view.queue_seconds.value),
        aliases: Arc::new(aliases::flat(state)),
    }
}
