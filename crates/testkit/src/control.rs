//! The fake as seen by tests in other languages: JSON under `/__fake/`, on the same port, never part of the records.
//!
//! - `GET /__fake/records?after=V`: the records with their version; waits until the version is past `V`.
//! - `POST /__fake/script`: members of [`Patch`], each optional; `fault: null` ends the general fault.
//! - `POST /__fake/hold`, `/__fake/release?N`, `/__fake/open`: frames of answers one at a time.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use crate::{
    fake::Shared,
    record::{DEADLINE, RecordedRequest, Records, lock},
    script::{Fault, Model, Script},
    serve::{Body, full},
};

pub(crate) const PREFIX: &str = "/__fake/";

/// Changes to a script.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Patch {
    models: Option<Vec<String>>,
    /// Digests by the names of models.
    #[serde(default)]
    digests: std::collections::BTreeMap<String, String>,
    version: Option<String>,
    chunks: Option<usize>,
    chunk_delay_ms: Option<u64>,
    first_byte_delay_ms: Option<u64>,
    #[serde(default, deserialize_with = "present")]
    pull: Option<Option<Vec<String>>>,
    #[serde(default, deserialize_with = "present")]
    token: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    fault: Option<Option<Fault>>,
    faults: Option<std::collections::BTreeMap<String, Fault>>,
}

/// Tells `null` from an absent member.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl Patch {
    fn apply(self, script: &mut Script) {
        if let Some(models) = self.models {
            script.models = models.iter().map(|name| Model::new(name)).collect();
        }
        for model in &mut script.models {
            if let Some(digest) = self.digests.get(&model.name) {
                model.digest.clone_from(digest);
            }
        }
        script.version = self.version.unwrap_or_else(|| script.version.clone());
        script.chunks = self.chunks.unwrap_or(script.chunks);
        script.chunk_delay = self.chunk_delay_ms.map_or(script.chunk_delay, Duration::from_millis);
        script.first_byte_delay = self.first_byte_delay_ms.map_or(script.first_byte_delay, Duration::from_millis);
        if let Some(pull) = self.pull {
            script.pull = pull;
        }
        if let Some(token) = self.token {
            script.token = token;
        }
        if let Some(fault) = self.fault {
            script.fault = fault;
        }
        if let Some(faults) = self.faults {
            script.faults = faults;
        }
    }
}

pub(crate) async fn answer(request: Request<Incoming>, shared: &Shared) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let query = parts.uri.query().unwrap_or_default();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    match (&parts.method, &parts.uri.path()[PREFIX.len()..]) {
        (&Method::GET, "records") => {
            let after = query.strip_prefix("after=").and_then(|version| version.parse().ok());
            json_response(200, &records_after(after, shared).await)
        }
        (&Method::POST, "script") => match serde_json::from_slice::<Patch>(&body) {
            Ok(patch) => {
                patch.apply(&mut lock(&shared.script));
                json_response(200, &json!({}))
            }
            Err(error) => json_response(400, &json!({"error": error.to_string()})),
        },
        (&Method::POST, "hold") => {
            shared.gate.hold();
            json_response(200, &json!({}))
        }
        (&Method::POST, "release") => {
            shared.gate.release(query.parse().unwrap_or(1));
            json_response(200, &json!({}))
        }
        (&Method::POST, "open") => {
            shared.gate.open();
            json_response(200, &json!({}))
        }
        _ => json_response(404, &json!({"error": "no such control"})),
    }
}

/// Waits for a change after the given version, at most the deadline, then answers with what there is.
async fn records_after(after: Option<u64>, shared: &Shared) -> Value {
    let mut changes = shared.recorder.subscribe();
    if let Some(after) = after {
        let changed = changes.wait_for(|version| *version > after);
        let _ = tokio::time::timeout(DEADLINE, changed).await;
    }
    // Read the version before the records: a change in between is then seen by the next call.
    let version = *changes.borrow();
    let Records { requests, connections } = shared.recorder.records();
    let connections: Vec<Value> = connections
        .iter()
        .map(|connection| {
            json!({
                "open": connection.closed.is_none(),
                "bytes_in": connection.bytes_in,
                "bytes_out": connection.bytes_out,
            })
        })
        .collect();
    json!({
        "version": version,
        "requests": requests.iter().map(request_json).collect::<Vec<_>>(),
        "connections": connections,
    })
}

fn request_json(request: &RecordedRequest) -> Value {
    let headers: serde_json::Map<String, Value> = request
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned().into()))
        .collect();
    json!({
        "method": request.method.as_str(),
        "path": request.path,
        "query": request.query,
        "headers": headers,
        "body": String::from_utf8_lossy(&request.body),
        "frames": request.frames,
        "ended": request.ended.map(|ended| format!("{ended:?}")),
    })
}

fn json_response(status: u16, body: &Value) -> Response<Body> {
    Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "application/json")
        .body(full(Bytes::from(body.to_string())))
        .expect("a JSON response is well-formed")
}
