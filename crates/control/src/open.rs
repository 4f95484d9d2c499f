//! Start-up and the end: loads everything, checks that the secret fits the database, and makes what the environment
//! asks for and is not there yet.

use std::sync::{Arc, atomic::AtomicBool};

use arc_swap::ArcSwap;
use domain::{error::AdminError, id::KeyId};
use gateway::Gateway;
use store::{
    Store,
    row::{AdminRow, BackendRow, KeyRow, Op},
};
use url::Url;

use crate::{
    Control, ControlConfig, Inner, OpenError,
    account::FactorSetups,
    attempts::Attempts,
    audit::Pending,
    backends::{leads_to, place},
    by::By,
    clock::Now,
    doors::InForce,
    expiry::Reminded,
    flash::Flash,
    halfway::Tickets,
    live::Feed,
    name,
    password::Hasher,
    pulls::Pulls,
    secrets::{
        CHECK, random,
        ring::{Keyring, STRANGER},
    },
    session::Sessions,
    setup::{SetupPasses, shown},
    state::State,
    tls::Pairs,
    tombstones::{Tombstones, revoked_in},
    upgrade::Upgrades,
    usage::Usage,
};

/// Marks an address of `OLLAMA_SERVERS` that was taken over once, so that removing its backend lasts.
const TAKEN_OVER: &str = "mark.ollama_server.";

impl Control {
    /// Loads everything, makes the key file, creates the environment's admin and backends where they are new, and
    /// publishes the first snapshot.
    pub async fn open(config: ControlConfig, store: Store, gateway: Gateway) -> Result<Self, OpenError> {
        let mut state = State { rows: store.load().await? };
        let secrets = Keyring::find(&config, &state)?;
        let tombstones = Tombstones::read(&config.data_dir)?;
        // A database from a backup may not know yet that they were revoked.
        let risen = tombstones.lay(&mut state);
        let usage = Usage::load(&store, Now::read().wall).await?;
        let ollama_servers = servers(&config.ollama_servers)?;
        let inner = Inner {
            store,
            gateway,
            secrets,
            tombstones: Arc::new(tombstones),
            environment: config.environment,
            ollama_servers,
            listens: config.listens,
            state: ArcSwap::from_pointee(State::default()),
            write: Arc::default(),
            doubtful: AtomicBool::new(false),
            reminded: Reminded::default(),
            sessions: Sessions::default(),
            attempts: Attempts::default(),
            hasher: Hasher::new(),
            setup: SetupPasses::default(),
            pending: Pending::default(),
            flash: Flash::default(),
            codes: Flash::default(),
            tickets: Tickets::default(),
            factor_setups: FactorSetups::default(),
            doors: InForce::default(),
            pairs: Pairs::default(),
            usage,
            sums: Default::default(),
            feed: Feed::new(),
            upgrades: Upgrades::new().map_err(other)?,
            pulls: Pulls::new().map_err(other)?,
        };
        inner.know_spending(&state).await;
        inner.install(state);
        let control = Self(Arc::new(inner));
        if let Some(why) = control.0.store.read_only() {
            tracing::warn!(%why, "the store cannot be written; serving what is in it");
            return Ok(control);
        }
        control.keep_revoked(risen).await?;
        control.take_over_environment(config.admin).await?;
        Ok(control)
    }

    /// Revokes again what was revoked before a backup was restored, and writes down what is revoked.
    async fn keep_revoked(&self, risen: Vec<KeyRow>) -> Result<(), OpenError> {
        let revoked: Vec<KeyId> = self.state().rows.keys.iter().filter_map(revoked_in).collect();
        self.0.bury(revoked).await;
        if risen.is_empty() {
            return Ok(());
        }
        tracing::warn!(keys = risen.len(), "keys of the database were revoked before: they stay revoked");
        let ops: Vec<Op> = risen.into_iter().map(Op::PutKey).collect();
        let by = By::gateway("revoked keys stay revoked");
        self.mutate(by, |_| Ok((ops.clone(), ()))).await.map_err(other)
    }

    async fn take_over_environment(&self, admin: Option<(String, String)>) -> Result<(), OpenError> {
        let admin = match admin {
            Some((name, password)) if self.state().rows.admins.is_empty() => {
                Some(self.new_admin("ADMIN_USER", &name, "ADMIN_PASSWORD", &password).await.map_err(other)?)
            }
            _ => None,
        };
        let result = self
            .mutate(By::gateway("environment taken over"), |state| {
                let mut ops = new_backends(state, &self.0.ollama_servers)?;
                if state.setting(CHECK).is_none() {
                    ops.push(Op::PutSetting(CHECK.into(), self.0.secrets.now().check_value().into()));
                }
                if let Some(admin) = admin.clone().filter(|_| state.rows.admins.is_empty()) {
                    ops.push(Op::PutAdmin(AdminRow { ..admin }));
                }
                Ok((ops, ()))
            })
            .await;
        match result {
            // The disk filled up at this very moment: serving goes before saving.
            Err(AdminError::ReadOnly { message }) => {
                tracing::warn!(%message, "what the environment asks for is not saved")
            }
            other_result => other_result.map_err(other)?,
        }
        // Another gateway on a shared database may have made its mark first.
        if self.0.secrets.follow(&self.state()) { Ok(()) } else { Err(OpenError::Secret(STRANGER.into())) }
    }

    /// Writes what is still in memory and closes the store.
    pub async fn close(self) -> Result<(), store::StoreError> {
        self.write_sessions(Now::read(), true).await;
        self.write_refusals(Now::read(), true).await;
        // Waits for a write that is under way; nothing writes afterwards.
        let _held = self.0.write.lock().await;
        self.0.store.clone().close().await
    }
}

fn other(error: AdminError) -> OpenError {
    OpenError::Other(error.to_string())
}

/// `OLLAMA_SERVERS` in the spelling of stored addresses, each once.
fn servers(urls: &[Url]) -> Result<Vec<Url>, OpenError> {
    let mut servers: Vec<Url> = Vec::new();
    for url in urls {
        let url = gateway::probe::normalise_url(url.as_str()).map_err(|message| {
            OpenError::Other(format!("OLLAMA_SERVERS: {}: {message}", url.host_str().unwrap_or("?")))
        })?;
        if !servers.iter().any(|known| place::same(known, &url)) {
            servers.push(url);
        }
    }
    Ok(servers)
}

/// Backends for addresses that were never taken over, and their marks.
fn new_backends(state: &State, servers: &[Url]) -> Result<Vec<Op>, AdminError> {
    let mut ops = Vec::new();
    let mut names: Vec<String> = state.rows.backends.iter().map(|row| row.name.clone()).collect();
    for url in servers {
        let mark = format!("{TAKEN_OVER}{}", shown(url));
        if state.setting(&mark).is_some() {
            continue;
        }
        ops.push(Op::PutSetting(mark, "1".into()));
        if state.rows.backends.iter().any(|row| leads_to(row, url)) {
            continue;
        }
        let name = name_for(url, servers, &names);
        names.push(name.clone());
        let (id, created_at) = (random::id()?, Now::read().wall);
        ops.push(Op::PutBackend(BackendRow {
            id,
            name,
            url: shown(url),
            enabled: true,
            sealed_token: None,
            parallel: None,
            weight: 1,
            priority: 0,
            draining: false,
            timeouts: Default::default(),
            created_at,
        }));
    }
    Ok(ops)
}

/// The host, with its port where several have that host, and counted where even that is taken.
fn name_for(url: &Url, servers: &[Url], taken: &[String]) -> String {
    let host: String = url.host_str().unwrap_or("backend").chars().take(name::MAX_NAME - 10).collect();
    let with_port = match url.port_or_known_default() {
        Some(port) => format!("{host}:{port}"),
        None => host.clone(),
    };
    let several = servers.iter().filter(|other| other.host_str() == url.host_str()).count() > 1;
    let is_free = |name: &String| !taken.iter().any(|known| name::same(known, name));
    let counted = (2..).map(|count| format!("{with_port} {count}"));
    let mut names = (!several).then_some(host).into_iter().chain([with_port.clone()]).chain(counted);
    names.find(is_free).unwrap_or(with_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(urls: &[&str]) -> Vec<String> {
        let servers: Vec<Url> = urls.iter().map(|url| Url::parse(url).unwrap()).collect();
        let ops = new_backends(&State::default(), &servers).unwrap();
        ops.into_iter()
            .filter_map(|op| match op {
                Op::PutBackend(row) => Some(row.name),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn backends_are_named_after_their_host_and_its_port_where_needed() {
        assert_eq!(names(&["http://gpu-1:11434/", "http://gpu-2:11434/"]), ["gpu-1", "gpu-2"]);
        assert_eq!(names(&["http://127.0.0.1:1001/", "http://127.0.0.1:1002/"]), ["127.0.0.1:1001", "127.0.0.1:1002"]);
        assert_eq!(names(&["http://h:1/a", "http://h:1/b"]), ["h:1", "h:1 2"]);
    }
}
