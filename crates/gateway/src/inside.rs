//! Doors to the data plane's insides for benches and fuzz targets, which are crates of their own. The program has none of
//! them (feature `inside`), and they promise nothing to anybody else.

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use bytes::Bytes;
use domain::{
    endpoint::Endpoint,
    id::{BackendId, KeyId, UserId},
    key::{KeyStatus, SECRET_LENGTH, assemble_key},
};
use http::{HeaderMap, HeaderValue, Method, request::Parts};
use url::Url;

use crate::{
    account::Tee,
    auth::{self, FailureLimit},
    backend::{Fleet, http1::replay, look::Listing, rows},
    balance::Picked,
    endpoints, headers,
    policy::Now,
    request, resolve,
    snapshot::{BackendEntry, KeyEntry, Pepper, Rules, Settings, Snapshot},
    wire::Framing,
};

const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// So many keys, all in force.
pub struct Keys {
    snapshot: Snapshot,
    failures: FailureLimit,
}

impl Keys {
    pub fn new(count: usize) -> Option<Self> {
        let mut snapshot = snapshot(Vec::new());
        for number in 0..count {
            let id = key_id(number)?;
            let entry = KeyEntry {
                hash: Some(snapshot.pepper.hash(&Self::text(number)?)),
                id: id.clone(),
                user: UserId::new("uuuuuuuuuuuu").ok()?,
                status: KeyStatus::Active,
                user_enabled: true,
                limit: None,
                rules: Rules::default(),
            };
            snapshot.keys.insert(id, Arc::new(entry));
        }
        Some(Self { snapshot, failures: FailureLimit::default() })
    }

    /// What the owner of a key sends.
    pub fn text(number: usize) -> Option<String> {
        Some(assemble_key(&key_id(number)?, &"x".repeat(SECRET_LENGTH)))
    }

    /// The whole of authentication. Answers the key's id, or nothing for whatever is wrong.
    pub fn authenticate(&self, request: &Parts) -> Option<KeyId> {
        let now = Now { mono: 0, unix: 1 };
        let principal = auth::authenticate(&self.snapshot, request, PEER, &self.failures, now).ok()?;
        Some(principal.key().id.clone())
    }
}

fn key_id(number: usize) -> Option<KeyId> {
    KeyId::new(&format!("{number:012}")).ok()
}

fn snapshot(backends: Vec<Arc<BackendEntry>>) -> Snapshot {
    Snapshot { revision: 1, keys: HashMap::new(), backends, settings: Settings::default(), pepper: Pepper([7; 32]) }
}

/// A fleet that nobody connects to.
pub struct Backends(Fleet);

impl Backends {
    /// So many models `model-0`, `model-1`, … on so many backends, each on `holders` of them.
    pub fn new(models: usize, backends: usize, holders: usize) -> Option<Self> {
        let entry = |number: usize| {
            Some(Arc::new(BackendEntry {
                id: BackendId::new(&format!("{number:012}")).ok()?,
                name: format!("gpu-{number}"),
                url: Url::parse("http://127.0.0.1:1").ok()?,
                enabled: true,
                token: None,
                created_at: 1,
                parallel: None,
                weight: 1,
                priority: 0,
                draining: false,
                timeouts: Default::default(),
            }))
        };
        let mut lists = vec![Vec::new(); backends];
        for model in 0..models {
            for holder in 0..holders {
                lists
                    .get_mut((model * holders + holder) % backends)?
                    .push(format!(r#"{{"name":"model-{model}:latest"}}"#));
            }
        }
        let fleet = Fleet::new();
        fleet.publish(snapshot((0..backends).map(entry).collect::<Option<_>>()?));
        let listing = |rows: Vec<String>| {
            let models = rows::tags(format!(r#"{{"models":[{}]}}"#, rows.join(",")).as_bytes())?;
            Some(Listing { version: None, models, running: None, native: true, certificate_end: None })
        };
        fleet.take_all(lists.into_iter().map(listing).collect::<Option<_>>()?);
        Some(Self(fleet))
    }

    /// Resolves a model as a client spells it, takes a slot at the best of its backends, and gives it back.
    pub fn pick(&self, model: &str) -> bool {
        let view = self.0.view();
        let candidates = resolve::resolve(&view, model);
        candidates.is_ok_and(|candidates| matches!(candidates.pick(0), Picked::Member(..)))
    }
}

/// Whether the table knows the path with this method.
pub fn is_route(method: &Method, path: &str) -> bool {
    endpoints::find(method, path).is_ok()
}

/// The model that a body names at an endpoint, or why it is refused.
pub fn model(endpoint: Endpoint, body: &[u8]) -> Result<String, String> {
    request::read_now(endpoint, &HeaderMap::new(), body).map(|facts| facts.model).map_err(|error| error.to_string())
}

/// How an answer comes.
#[derive(Debug, Clone, Copy)]
pub enum Form {
    Ndjson,
    Sse,
    Whole,
}

impl Form {
    fn framing(self) -> Framing {
        match self {
            Self::Ndjson => Framing::Ndjson,
            Self::Sse => Framing::Sse,
            Self::Whole => Framing::Whole,
        }
    }
}

/// The listener beside an answer.
pub struct Listener(Tee);

/// All that it heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    pub prompt: Option<u64>,
    pub completion: Option<u64>,
    pub estimated: bool,
    pub proper_end: bool,
    pub events: u64,
    pub at_line_start: bool,
}

impl Listener {
    pub fn new(endpoint: Endpoint, form: Form) -> Self {
        Self(Tee::new(endpoint, form.framing()))
    }

    pub fn feed(&mut self, bytes: &[u8]) {
        self.0.feed(bytes);
    }

    pub fn finish(mut self) -> Heard {
        let (events, at_line_start) = (self.0.events(), self.0.at_line_start());
        let heard = self.0.finish(0);
        Heard {
            prompt: heard.counts.prompt,
            completion: heard.counts.completion,
            estimated: heard.counts.estimated,
            proper_end: heard.proper_end,
            events,
            at_line_start,
        }
    }
}

/// What a backend sees of a request's headers.
pub fn to_backend(from: &HeaderMap) -> HeaderMap {
    headers::ToBackend::new(from, &HeaderValue::from_static("1")).to_map()
}

/// What a client sees of an answer's headers.
pub fn to_client(from: &HeaderMap, form: Form) -> HeaderMap {
    headers::to_client(from.clone(), form.framing())
}

/// What the client towards backends reads out of a connection that says `pieces` and closes: status, body and what is wrong
/// with it, or why there is no response.
pub fn read_response(pieces: &[&[u8]]) -> Result<(u16, Bytes, Option<String>), String> {
    replay::read(pieces)
}
