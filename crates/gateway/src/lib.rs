//! The data plane: authenticate, admit, resolve, choose, forward, stream, account. It reads one immutable snapshot per
//! request and knows neither database nor admin pages: configuration comes in through [`Gateway::publish`], usage goes
//! out through a bounded channel.

mod account;
mod auth;
mod backend;
mod balance;
mod endpoints;
mod error;
mod forward;
mod headers;
mod hop;
mod ids;
mod limit;
mod listing;
mod pipeline;
pub mod probe;
mod request;
mod resolve;
mod signal;
pub mod snapshot;
mod stream;
mod wire;

use std::{net::SocketAddr, sync::Arc, time::Instant};

use domain::{live::LiveStatus, usage::UsageRecord};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    account::UsageSink, auth::FailureLimit, backend::Fleet, ids::RequestIds, limit::Limiter, request::BodyBudget,
    signal::Signal, snapshot::Snapshot,
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
    limiter: Limiter,
    failures: FailureLimit,
    bodies: BodyBudget,
    usage: Arc<UsageSink>,
    signal: Arc<Signal>,
    ids: RequestIds,
    started: Instant,
}

impl Gateway {
    /// Makes a gateway without keys or backends, and the receiving end of its usage channel (`usage_capacity` records).
    pub fn new(usage_capacity: usize) -> (Self, mpsc::Receiver<UsageRecord>) {
        let (sender, receiver) = mpsc::channel(usage_capacity.max(1));
        let inner = Inner {
            fleet: Fleet::new(),
            limiter: Limiter::default(),
            failures: FailureLimit::default(),
            bodies: BodyBudget::default(),
            usage: Arc::new(UsageSink::new(sender)),
            signal: Arc::default(),
            ids: RequestIds::default(),
            started: Instant::now(),
        };
        (Self(Arc::new(inner)), receiver)
    }

    /// Puts a new configuration in force. When this returns, every request that starts later sees it, and running
    /// requests of keys that are no longer in force have been told to end.
    pub fn publish(&self, snapshot: Snapshot) {
        let before = self.snapshot();
        let ended = before.keys.values().any(|key| auth::in_force(key) && !auth::still_in_force(&snapshot, &key.id));
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
    pub async fn handle(
        &self,
        request: http::Request<hyper::body::Incoming>,
        peer: SocketAddr,
    ) -> http::Response<Body> {
        pipeline::handle(&self.0, request, peer).await
    }

    /// An error of the listener's own for a request that never gets here, as clients of `path` understand it.
    pub fn refuse(&self, path: &str, status: http::StatusCode, message: &str) -> http::Response<Body> {
        let id = self.0.ids.next();
        let mut response = wire::refusal(endpoints::dialect_of(path), status, message, id);
        wire::seal(response.headers_mut(), id);
        response
    }

    /// Keeps the catalogue fresh until `stop`: at the snapshot's interval, at once after a backend was added or changed,
    /// and after a backend answered 404 for a model the catalogue says it has.
    pub async fn run_catalogue(&self, stop: CancellationToken) {
        self.0.fleet.run(stop).await;
    }

    /// Looks at one backend (or, with `None`, all) now and returns when the catalogue has the result.
    pub async fn refresh(&self, backend: Option<domain::id::BackendId>) {
        self.0.fleet.refresh(backend).await;
    }

    /// The gateway's part of the live status: backends with state, models, version, in-flight and last error, in the
    /// snapshot's order, and the dropped count. `minutes`, `sequence`, `at` and `read_only` are control's to fill.
    pub fn live(&self) -> LiveStatus {
        LiveStatus { usage_dropped: self.0.usage.dropped(), ..self.0.fleet.live() }
    }

    /// Increases with every change of what `live` would say about a backend's state, models or errors.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.fleet.changes()
    }

    /// Requests in flight, streaming bodies included.
    pub fn in_flight(&self) -> u64 {
        self.0.fleet.in_flight()
    }

    /// Ends every running stream with the dialect's in-band error, and refuses what comes later; the drain deadline calls
    /// it.
    pub fn cancel_all(&self) {
        self.0.signal.stop();
    }
}
