//! What a fake backend has and how it behaves. Everything here can be changed while it runs.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

/// A model the fake lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Model {
    /// As listed, tag included.
    pub name: String,
    /// 64 hexadecimal digits.
    pub digest: String,
    /// Bytes.
    pub size: u64,
    /// RFC 3339.
    pub modified_at: String,
    /// Answers `embed` and nothing else, as an embedding model does.
    pub embedding: bool,
    /// What newer servers list of it; nothing is listed where it is empty.
    #[serde(default)]
    pub capabilities: Vec<String>,
}

impl Model {
    /// A model with a digest made from its name; one with `embed` in its name only embeds. Without a tag it gets `:latest`.
    pub fn new(name: &str) -> Self {
        let name = if has_tag(name) { name.to_owned() } else { format!("{name}:latest") };
        let hash = fnv(&name);
        Self {
            digest: format!("{hash:016x}").repeat(4),
            size: 1_000_000_000 + hash % 1_000_000_000,
            modified_at: "2026-05-04T17:37:44.706015396-07:00".to_owned(),
            embedding: name.contains("embed"),
            capabilities: Vec::new(),
            name,
        }
    }

    pub fn digest(mut self, digest: &str) -> Self {
        self.digest = digest.to_owned();
        self
    }

    pub fn can(mut self, capabilities: &[&str]) -> Self {
        self.capabilities = capabilities.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    pub fn modified_at(mut self, modified_at: &str) -> Self {
        self.modified_at = modified_at.to_owned();
        self
    }
}

impl From<&str> for Model {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl From<String> for Model {
    fn from(name: String) -> Self {
        Self::new(&name)
    }
}

/// A way to misbehave. A "frame" is one NDJSON line or one SSE event; an answer in one piece counts as two halves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Answers with this status and `{"error":"scripted fault"}`.
    Status(u16),
    /// Answers with this status, content type `application/json; charset=utf-8` and exactly this body.
    StatusBody(u16, String),
    /// Takes the request and never answers.
    HangBeforeHeaders,
    /// Takes the request and closes the connection without a byte.
    CloseBeforeHeaders,
    /// As `CloseBeforeHeaders`, once the gate lets it: many callers can be made to see it at the same time.
    CloseWhenReleased,
    /// As `CloseBeforeHeaders` where the connection has carried a request before, as a server does whose idle time ran out
    /// at that moment. A fresh connection is served well.
    CloseReused,
    /// Sends the headers and this many frames, then nothing more, leaving the connection open.
    StallAfter(usize),
    /// Sends the headers and this many frames, then closes without ending the body.
    CutAfter(usize),
    /// As `CutAfter`, but the connection is reset.
    ResetAfter(usize),
    /// Sends this many frames, then the line `{"error":"..."}` and a proper end, as Ollama does when a runner dies.
    ErrorAfter(usize, String),
    /// Status 200 and JSON of another shape than the endpoint's.
    WrongJson,
    /// Status 200, content type `application/json`, and a body that is no JSON at all.
    NotJson,
    /// Writes exactly this text to the socket in place of a response, then closes.
    RawBytes(String),
}

/// Behaviour of a fake backend.
#[derive(Debug, Clone)]
pub struct Script {
    pub models: Vec<Model>,
    /// Canonical names that `/api/ps` lists. Grows by use; `keep_alive: 0` takes one out.
    pub loaded: Vec<String>,
    pub version: String,
    /// Content frames of a streamed answer, and words of any answer.
    pub chunks: usize,
    /// Letters that are added to each word of an answer.
    pub padding: usize,
    /// Pause before every frame after the first.
    pub chunk_delay: Duration,
    /// Pause before the headers of inference answers.
    pub first_byte_delay: Duration,
    /// Further pauses before the headers, by path.
    pub delays: BTreeMap<String, Duration>,
    /// What an answer to a pull consists of, piece by piece, in place of the usual lines. The model is there once a piece
    /// with `success` was sent.
    pub pull: Option<Vec<String>>,
    /// Bearer token that every request must carry.
    pub token: Option<String>,
    /// Fault of every path that has no fault of its own.
    pub fault: Option<Fault>,
    /// Faults by path.
    pub faults: BTreeMap<String, Fault>,
}

impl Script {
    /// Lets one path misbehave.
    pub fn fault_at(&mut self, path: &str, fault: Fault) {
        self.faults.insert(path.to_owned(), fault);
    }

    /// Lets one path answer late.
    pub fn delay_at(&mut self, path: &str, delay: Duration) {
        self.delays.insert(path.to_owned(), delay);
    }

    /// Ends all faults and delays of paths.
    pub fn heal(&mut self) {
        self.fault = None;
        self.faults.clear();
        self.delays.clear();
    }

    /// Has a model that was pulled.
    pub(crate) fn pulled(&mut self, model: &str) {
        if self.find(model).is_none() {
            self.models.push(model.into());
        }
    }

    pub(crate) fn fault_for(&self, path: &str) -> Option<Fault> {
        self.faults.get(path).or(self.fault.as_ref()).cloned()
    }

    /// Looks a model up by Ollama's rules: case does not matter, host, namespace and tag have defaults.
    pub(crate) fn find(&self, name: &str) -> Option<&Model> {
        let wanted = canonical(name);
        self.models.iter().find(|model| canonical(&model.name) == wanted)
    }
}

impl Default for Script {
    fn default() -> Self {
        Self {
            models: Vec::new(),
            loaded: Vec::new(),
            version: "0.5.1".to_owned(),
            chunks: 3,
            padding: 0,
            chunk_delay: Duration::ZERO,
            first_byte_delay: Duration::ZERO,
            delays: BTreeMap::new(),
            pull: None,
            token: None,
            fault: None,
            faults: BTreeMap::new(),
        }
    }
}

/// Lower case, without the default host and namespace, with a tag.
pub(crate) fn canonical(name: &str) -> String {
    let name = name.trim().to_ascii_lowercase();
    let name = name.strip_prefix("registry.ollama.ai/").unwrap_or(&name);
    let name = name.strip_prefix("library/").unwrap_or(name);
    if has_tag(name) { name.to_owned() } else { format!("{name}:latest") }
}

fn has_tag(name: &str) -> bool {
    name.rfind(':').is_some_and(|colon| name.rfind('/').is_none_or(|slash| slash < colon))
}

pub(crate) fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
