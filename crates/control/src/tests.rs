//! The rules of the control plane, each against a whole one: a store, a gateway, and no network but loopback.

mod administrators;
mod aliases;
mod attention;
mod audit;
mod doors;
mod enumeration;
mod find;
mod fleet;
mod follow;
mod key_texts;
mod keys;
mod login;
mod models;
mod policies;
mod read_only;
mod redis;
mod restart;
mod rotation;
mod setup;
mod upgrade;
mod usage;
mod usage_page;
mod users;

use std::{net::IpAddr, time::Duration};

use domain::{
    backend::AddBackend,
    error::AdminError,
    id::UserId,
    key::{CreateKey, CreatedKey},
    setup::{CreateFirstAdmin, Login},
    user::AddUser,
};
use store::StoreConfig;
use tempfile::TempDir;

use super::*;
use crate::clock::Now;

pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// A control plane with what it stands on.
pub(crate) struct Bench {
    pub control: Control,
    pub gateway: Gateway,
    /// Keeps the usage channel open.
    pub usage: Option<tokio::sync::mpsc::Receiver<domain::usage::UsageRecord>>,
    _folder: Option<TempDir>,
}

pub(crate) fn config(folder: &TempDir) -> ControlConfig {
    ControlConfig {
        data_dir: folder.path().to_owned(),
        secret_key: None,
        secret_key_previous: None,
        admin: None,
        ollama_servers: Vec::new(),
        listens: vec!["127.0.0.1:8080".parse().unwrap()],
        environment: EnvironmentSettings::default(),
    }
}

pub(crate) async fn open(config: ControlConfig, address: &str) -> Result<Bench, OpenError> {
    let store = Store::open(&StoreConfig { address: address.into() }).await?;
    open_on(config, store).await
}

pub(crate) async fn open_on(config: ControlConfig, store: Store) -> Result<Bench, OpenError> {
    let (gateway, usage) = Gateway::new(1_000);
    let control = Control::open(config, store, gateway.clone()).await?;
    Ok(Bench { control, gateway, usage: Some(usage), _folder: None })
}

pub(crate) async fn bench_of(folder: &TempDir, address: &str) -> Bench {
    open(config(folder), address).await.unwrap()
}

/// Runs a test with as much stack as the server's admin threads have: the engine recurses deeply.
pub(crate) fn deep<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send + 'static) {
    let run = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test());
    let thread = std::thread::Builder::new().stack_size(10 << 20).spawn(run).unwrap();
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// In memory, fresh.
pub(crate) async fn bench() -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let bench = bench_of(&folder, "mem://").await;
    Bench { _folder: Some(folder), ..bench }
}

pub(crate) fn client(address: &str) -> Client {
    Client { address: address.parse::<IpAddr>().unwrap(), user_agent: "test".into(), https: false }
}

pub(crate) fn guess(name: &str, password: &str) -> Login {
    Login { name: name.into(), password: password.into() }
}

impl Control {
    /// Signs in without a known device to an account without a second factor.
    pub(crate) async fn login(&self, input: Login, client: &Client) -> Result<NewSession, AdminError> {
        match self.sign_in(input, client, None).await? {
            SignedIn::In(session) => Ok(session),
            SignedIn::NeedsCode { .. } => panic!("a code is needed"),
        }
    }
}

impl Bench {
    /// The first administrator, signed in.
    pub async fn admin(&self) -> Actor {
        self.new_admin().await.actor
    }

    pub async fn new_admin(&self) -> NewSession {
        let token = self.control.new_setup_token().unwrap();
        let cookie = self.control.redeem_setup_token(&token).unwrap();
        let setup = self.control.setup_session(&cookie).unwrap();
        let input = CreateFirstAdmin { name: "root".into(), password: PASSWORD.into() };
        self.control.create_first_admin(&setup, input, &client("127.0.0.1"), None).await.unwrap()
    }

    pub async fn user(&self, actor: &Actor, name: &str) -> UserId {
        self.control.add_user(actor, AddUser { name: name.into(), policy: Default::default() }).await.unwrap().id
    }

    pub async fn key(&self, actor: &Actor, user: &UserId, name: &str) -> CreatedKey {
        self.try_key(actor, user, name, "", "").await.unwrap()
    }

    pub async fn try_key(
        &self,
        actor: &Actor,
        user: &UserId,
        name: &str,
        requests: &str,
        minutes: &str,
    ) -> Result<CreatedKey, AdminError> {
        let input = CreateKey {
            user_id: user.clone(),
            name: name.into(),
            requests: requests.into(),
            minutes: minutes.into(),
            policy: Default::default(),
        };
        self.control.create_key(actor, input).await
    }
}

pub(crate) fn add(name: &str, url: &str, token: &str) -> AddBackend {
    AddBackend::new(name.into(), url.into(), token.into())
}

/// Polls until `done`, for at most ten seconds.
pub(crate) async fn until(mut done: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while !done().await {
        assert!(tokio::time::Instant::now() < deadline, "it never came");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A moment later than now by `by`, on both clocks.
pub(crate) fn later(by: Duration) -> Now {
    Now::read().plus(by)
}
