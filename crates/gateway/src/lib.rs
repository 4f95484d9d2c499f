//! The data plane: authenticate, admit, resolve, choose, forward, stream, account. It reads one immutable snapshot per
//! request and knows neither database nor admin pages: configuration comes in through [`Gateway::publish`], usage goes
//! out through a bounded channel.

mod account;
mod alarm;
mod alias;
mod auth;
mod backend;
mod balance;
mod breaker;
pub mod certificate;
mod endpoints;
mod error;
mod forward;
mod hash;
mod headers;
pub mod holdings;
mod hop;
mod ids;
#[cfg(feature = "inside")]
pub mod inside;
mod insider;
pub mod lanes;
mod limit;
mod listing;
mod pipeline;
mod policy;
pub mod probe;
mod pulling;
mod queue;
mod request;
mod resolve;
mod retry;
mod signal;
pub mod snapshot;
mod stream;
mod told;
pub mod upkeep;
mod verdict;
mod warmth;
mod wire;

pub use alarm::Alarm;
pub use backend::Drift;
pub use insider::{InsideCall, Insider};
pub use limit::{Authority, RedisSettings};
pub use policy::Spend;
pub use pulling::Pulling;
pub use signal::{Signal, Watch};
pub use told::ErrorCount;
pub use warmth::Loaded;

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Instant,
};

use domain::{backend::ProbeResult, id::KeyId, live::LiveStatus, settings::RedisStatus, usage::UsageRecord};
use tokio::{
    runtime::Handle,
    sync::{mpsc, watch},
};
use tokio_util::sync::CancellationToken;

use crate::{
    account::UsageSink,
    auth::FailureLimit,
    backend::Fleet,
    ids::RequestIds,
    limit::Limiter,
    policy::Ledger,
    request::BodyBudget,
    retry::RetryBudget,
    snapshot::{KeyEntry, Snapshot},
    told::Told,
};

/// Body of everything the gateway answers.
pub type Body = http_body_util::combinators::UnsyncBoxBody<bytes::Bytes, BodyError>;
/// Why a response body broke off.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// The data plane of one process; cheap to clone.
#[derive(Clone)]
pub struct Gateway(Arc<Inner>);

struct Inner {
    fleet: Fleet,
    limiter: Arc<Limiter>,
    failures: FailureLimit,
    bodies: BodyBudget,
    usage: Arc<UsageSink>,
    ledger: Ledger,
    signal: Arc<Signal>,
    ids: RequestIds,
    retries: RetryBudget,
    told: Told,
    /// New inference is refused.
    strained: AtomicBool,
    started: Instant,
    /// Of the data plane, where there is one.
    runtime: Option<Handle>,
}

impl Gateway {
    /// Makes a gateway without keys or backends, and the receiving end of its usage channel (`usage_capacity` records).
    /// Call it on the runtime of the data plane: connections to Redis live there.
    pub fn new(usage_capacity: usize) -> (Self, mpsc::Receiver<UsageRecord>) {
        let (sender, receiver) = mpsc::channel(usage_capacity.max(1));
        let fleet = Fleet::new();
        let inner = Inner {
            started: fleet.started(),
            fleet,
            limiter: Arc::default(),
            failures: FailureLimit::default(),
            bodies: BodyBudget::default(),
            usage: Arc::new(UsageSink::new(sender)),
            ledger: Ledger::default(),
            signal: Arc::default(),
            ids: RequestIds::default(),
            retries: RetryBudget::default(),
            told: Told::default(),
            strained: AtomicBool::new(false),
            runtime: Handle::try_current().ok(),
        };
        (Self(Arc::new(inner)), receiver)
    }

    /// Puts a new configuration in force. When this returns, every request that starts later sees it, and running
    /// requests of keys that are no longer in force, or from addresses that are no longer admitted, have been told to end.
    pub fn publish(&self, snapshot: Snapshot) {
        let before = self.snapshot();
        let unix = self.0.clock().unix;
        let lost = |key: &KeyEntry| {
            auth::in_force(key, unix)
                && (!auth::still_in_force(&snapshot, &key.id, unix)
                    || snapshot.keys.get(&key.id).is_some_and(|now| !now.rules.same_networks(&key.rules)))
        };
        let doors = before.settings.doors != snapshot.settings.doors;
        let ended = doors || before.keys.values().any(|key| lost(key));
        self.0.ledger.follow(&snapshot);
        self.0.fleet.publish(snapshot);
        if ended {
            self.0.signal.raise();
        }
    }

    /// The configuration in force.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.0.fleet.view().snapshot.clone()
    }

    /// Answers one request of the data plane: `/api/*`, `/v1/*`, and `GET`/`HEAD` `/`.
    pub fn handle(
        &self,
        request: http::Request<hyper::body::Incoming>,
        peer: SocketAddr,
    ) -> impl Future<Output = http::Response<Body>> {
        pipeline::handle(&self.0, request, peer)
    }

    /// Answers a request of an administrator's own, as `/api/chat` and `/api/embed` answer one with a key: the same bounds,
    /// queue, backends and usage. Of the request's head only what is said of its body counts.
    pub fn handle_insider<B>(
        &self,
        request: http::Request<B>,
        (insider, call): (Insider, InsideCall),
        address: IpAddr,
    ) -> impl Future<Output = http::Response<Body>>
    where
        B: http_body::Body<Data = bytes::Bytes> + Unpin,
    {
        pipeline::handle_insider(&self.0, request, (insider, call), address)
    }

    /// Ends all that runs for this insider, as a revoked key's requests are ended.
    pub fn end_insider(&self, insider: &Insider) {
        insider.end();
        self.0.signal.raise();
    }

    /// An error of the listener's own for a request that never gets here, as clients of `path` understand it.
    pub fn refuse(&self, path: &str, status: http::StatusCode, message: &str) -> http::Response<Body> {
        self.0.told.count_listener(status);
        let id = self.0.ids.next();
        let mut response = wire::refusal(endpoints::dialect_of(path), status, message, id);
        wire::seal(response.headers_mut(), wire::request_id(id));
        response
    }

    /// Shares limits and lock-outs through this Redis from now on, or through none. Returns at once; the connection is made
    /// in the background, and tried again for ever. Until it stands, and whenever it is lost, this gateway counts alone.
    pub fn set_redis(&self, settings: Option<RedisSettings>) {
        let Some(runtime) = self.0.runtime.clone().or_else(|| Handle::try_current().ok()) else {
            return tracing::error!("Redis cannot be used: there is no runtime");
        };
        self.0.limiter.set_redis(settings, &runtime, self.0.started);
    }

    /// How it is with Redis now.
    pub fn redis_state(&self) -> RedisStatus {
        self.0.limiter.redis_status()
    }

    /// Runs a small script atomically in Redis, within half a second. `None` where Redis is not in use, fails, or answers anything
    /// but a list of integers.
    pub async fn redis_script(&self, script: &str, keys: &[String], arguments: &[String]) -> Option<Vec<i64>> {
        self.0.limiter.redis_script(script, keys, arguments).await
    }

    /// Keeps the catalogue fresh until `stop`: at the snapshot's interval, at once after a backend was added or changed,
    /// and after a backend answered 404 for a model the catalogue says it has.
    pub async fn run_catalogue(&self, stop: CancellationToken) {
        tokio::join!(self.0.fleet.run(stop.clone()), policy::expiry::watch(&self.0, stop));
    }

    /// Takes over what keys have used before: at the start, from stored usage, and again whenever a key or user is given a
    /// budget, because nothing is counted for those that have none. Raises counts and never lowers them.
    pub fn seed_spend(&self, spent: &[Spend]) {
        self.0.ledger.seed(spent, self.0.clock());
    }

    /// Where a key and its user stand at this moment, `None` for a key that is not in the configuration.
    pub fn standing(&self, key: &KeyId) -> Option<domain::policy::Standing> {
        let snapshot = self.snapshot();
        let entry = snapshot.keys.get(key)?;
        let now = self.0.clock();
        let window =
            entry.limit.or(snapshot.settings.default_limit).map(|limit| self.0.limiter.look(key, limit, now.mono));
        Some(domain::policy::Standing { window, ..self.0.ledger.standing(entry, now) })
    }

    /// Looks at one backend (or, with `None`, all) now and returns when the catalogue has the result.
    pub async fn refresh(&self, backend: Option<domain::id::BackendId>) {
        self.0.fleet.refresh(backend).await;
    }

    /// How it stands now with every model that an alias leads to; nothing for what is none.
    pub fn alias_targets(&self, name: &str) -> Vec<domain::alias::TargetView> {
        let view = self.0.fleet.view();
        let alias = view.snapshot.settings.aliases.find(name);
        alias.map(|alias| resolve::targets(alias, &view, self.0.now())).unwrap_or_default()
    }

    /// How it stands now with the first `most` models that `auto` may pick, and how many more there are.
    pub fn auto_targets(&self, most: usize) -> (Vec<domain::auto::AutoTarget>, usize) {
        let view = self.0.fleet.view();
        resolve::all_targets(&view.snapshot.settings.aliases, &view, self.0.now(), most)
    }

    /// Some backend has a model of this name, whatever else the name means.
    pub fn has_model(&self, name: &str) -> bool {
        resolve::resolve(&self.0.fleet.view(), name).is_ok()
    }

    /// The first looks at all backends: waits for `all` of them so long where one has answered by then, and so long for
    /// `one` where none has.
    pub async fn first_looks(&self, all: std::time::Duration, one: std::time::Duration) {
        self.0.fleet.first_looks(all, one).await;
    }

    /// The gateway's part of the live status: backends with state, models, version, in-flight and last error, in the
    /// snapshot's order, and the dropped count. `minutes`, `sequence`, `at` and `read_only` are control's to fill.
    pub fn live(&self) -> LiveStatus {
        LiveStatus { usage_dropped: self.0.usage.dropped(), redis: self.redis_state(), ..self.0.fleet.live() }
    }

    /// How long the request waits for a slot that has waited longest, in milliseconds; 0 while nobody waits.
    pub fn longest_wait(&self) -> u64 {
        self.0.fleet.queue().longest()
    }

    /// Models that are not the same on every backend that has them.
    pub fn drift(&self) -> Vec<Drift> {
        self.0.fleet.view().catalogue.drift.clone()
    }

    /// Increases with every change of what `live` would say about a backend's state, models or errors.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.fleet.changes()
    }

    /// Looks at an address before it becomes a backend: what answers there, if backends may be there. Takes 3 seconds at
    /// most to connect and about 5 in all.
    pub async fn probe(&self, url: &url::Url, token: Option<&snapshot::BackendToken>) -> ProbeResult {
        probe::probe_among(url, token, &self.snapshot().settings.backend_networks).await
    }

    /// Counts a wrong credential for anything but the API together with wrong keys from the same address. `Some(seconds)`
    /// says that the address is over its limit, and when it may fail again.
    pub fn credential_failed(&self, address: IpAddr) -> Option<u64> {
        self.0.failures.record(address, self.0.now())
    }

    /// How often each kind of error was told instead of a backend's answer, since the start.
    pub fn errors(&self) -> Vec<ErrorCount> {
        self.0.told.counts()
    }

    /// Requests in flight, streaming bodies included.
    pub fn in_flight(&self) -> u64 {
        self.0.fleet.in_flight()
    }

    /// From now on new inference is answered with 503, or served again; what runs goes on. For whoever watches the memory.
    pub fn refuse_inference(&self, refuse: bool) {
        self.0.strained.store(refuse, Relaxed);
    }

    /// Ends every running stream with the dialect's in-band error, and refuses what comes later; the drain deadline calls
    /// it.
    pub fn cancel_all(&self) {
        self.0.signal.stop();
    }
}
