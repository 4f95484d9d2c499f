//! What a fake backend saw: connections, requests, bytes and how each ended, and waiting for any of it.

use std::{
    fmt::Write as _,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, Method, Uri};
use tokio::sync::watch;

/// Longest a test waits for something to be seen, by the real clock.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);

/// How a request ended, seen from the backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The whole answer was handed to the socket.
    Complete,
    /// The caller closed the connection before the answer was complete.
    CallerGone,
    /// A scripted fault ended it.
    Fault,
}

/// One request. It is recorded when its body has arrived, or has broken off.
#[derive(Debug, Clone)]
pub struct RecordedRequest {
    /// Position of its connection among all ever accepted.
    pub connection: usize,
    pub method: Method,
    /// Without query.
    pub path: String,
    pub query: Option<String>,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub at: Instant,
    /// Frames of the answer given to the socket so far.
    pub frames: usize,
    /// `None` while it is being answered.
    pub ended: Option<Ended>,
}

impl RecordedRequest {
    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The body as JSON; panics if it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("the request body is JSON")
    }

    /// It asked for inference, as opposed to the listings a gateway fetches for itself.
    pub fn is_inference(&self) -> bool {
        self.method == Method::POST && self.path != "/api/show"
    }
}

/// One connection.
#[derive(Debug, Clone)]
pub struct RecordedConnection {
    pub opened: Instant,
    pub closed: Option<Instant>,
    pub bytes_in: u64,
    pub bytes_out: u64,
}

/// Everything seen so far, oldest first.
#[derive(Debug, Clone, Default)]
pub struct Records {
    pub requests: Vec<RecordedRequest>,
    pub connections: Vec<RecordedConnection>,
}

impl Records {
    /// Requests that asked for inference.
    pub fn inference(&self) -> impl Iterator<Item = &RecordedRequest> {
        self.requests.iter().filter(|request| request.is_inference())
    }

    /// Requests to one path.
    pub fn to(&self, path: &str) -> impl Iterator<Item = &RecordedRequest> {
        self.requests.iter().filter(move |request| request.path == path)
    }

    /// Connections that are open now. One whose last request is not recorded as ended counts as open: the two are noticed
    /// by different tasks, and whoever waits for the close wants to see how the request ended.
    pub fn open_connections(&self) -> usize {
        let ends_missing = |at| self.requests.iter().any(|request| request.connection == at && request.ended.is_none());
        let open = |(at, connection): &(usize, &RecordedConnection)| connection.closed.is_none() || ends_missing(*at);
        self.connections.iter().enumerate().filter(open).count()
    }

    /// A few lines for the message of a failed test.
    pub(crate) fn summary(&self) -> String {
        let mut text = String::new();
        for request in &self.requests {
            let RecordedRequest { connection, method, path, frames, ended, body, .. } = request;
            let _ = writeln!(
                text,
                "  {method} {path} on connection {connection}: {} bytes in, {frames} frames out, ended: {ended:?}",
                body.len()
            );
        }
        for (index, RecordedConnection { closed, bytes_in, bytes_out, .. }) in self.connections.iter().enumerate() {
            let state = if closed.is_some() { "closed" } else { "open" };
            let _ = writeln!(text, "  connection {index}: {bytes_in} bytes in, {bytes_out} bytes out, {state}");
        }
        text
    }
}

/// Counters of one connection, shared with its socket.
#[derive(Debug)]
pub(crate) struct ConnectionState {
    pub(crate) opened: Instant,
    pub(crate) closed: Mutex<Option<Instant>>,
    pub(crate) bytes_in: AtomicU64,
    pub(crate) bytes_out: AtomicU64,
    /// Used by the control requests of a test, so not part of the records.
    pub(crate) hidden: AtomicBool,
}

/// The records as the server fills them.
#[derive(Debug)]
pub(crate) struct Recorder {
    requests: Mutex<Vec<RecordedRequest>>,
    connections: Mutex<Vec<Arc<ConnectionState>>>,
    changed: watch::Sender<u64>,
}

impl Recorder {
    /// The connection carries its second request, or a later one.
    pub(crate) fn is_reused(&self, connection: usize) -> bool {
        lock(&self.requests).iter().filter(|request| request.connection == connection).nth(1).is_some()
    }

    pub(crate) fn new() -> Self {
        Self { requests: Mutex::default(), connections: Mutex::default(), changed: watch::Sender::new(0) }
    }

    pub(crate) fn touch(&self) {
        self.changed.send_modify(|version| *version += 1);
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    pub(crate) fn connection(&self) -> (usize, Arc<ConnectionState>) {
        let state = Arc::new(ConnectionState {
            opened: Instant::now(),
            closed: Mutex::default(),
            bytes_in: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
            hidden: AtomicBool::new(false),
        });
        let mut connections = lock(&self.connections);
        connections.push(Arc::clone(&state));
        let index = connections.len() - 1;
        drop(connections);
        self.touch();
        (index, state)
    }

    pub(crate) fn request(
        &self,
        connection: usize,
        method: Method,
        uri: &Uri,
        headers: HeaderMap,
        body: Bytes,
    ) -> usize {
        let mut requests = lock(&self.requests);
        requests.push(RecordedRequest {
            connection,
            method,
            path: uri.path().to_owned(),
            query: uri.query().map(str::to_owned),
            headers,
            body,
            at: Instant::now(),
            frames: 0,
            ended: None,
        });
        let index = requests.len() - 1;
        drop(requests);
        self.touch();
        index
    }

    pub(crate) fn update(&self, request: usize, change: impl FnOnce(&mut RecordedRequest)) {
        if let Some(request) = lock(&self.requests).get_mut(request) {
            change(request);
        }
        self.touch();
    }

    pub(crate) fn records(&self) -> Records {
        let connections = lock(&self.connections);
        let visible = |state: &&Arc<ConnectionState>| !state.hidden.load(Ordering::Relaxed);
        Records {
            requests: lock(&self.requests).clone(),
            connections: connections
                .iter()
                .filter(visible)
                .map(|state| RecordedConnection {
                    opened: state.opened,
                    closed: *lock(&state.closed),
                    bytes_in: state.bytes_in.load(Ordering::Relaxed),
                    bytes_out: state.bytes_out.load(Ordering::Relaxed),
                })
                .collect(),
        }
    }
}

/// A poisoned lock only means that another test thread failed; the data is still whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Marks a request as abandoned unless it was ended otherwise: the server drops it when the caller goes away.
pub(crate) struct RequestGuard {
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) request: usize,
    ended: bool,
}

impl RequestGuard {
    pub(crate) fn new(recorder: Arc<Recorder>, request: usize) -> Self {
        Self { recorder, request, ended: false }
    }

    pub(crate) fn frame(&self) {
        self.recorder.update(self.request, |request| request.frames += 1);
    }

    pub(crate) fn end(&mut self, how: Ended) {
        self.ended = true;
        self.recorder.update(self.request, |request| request.ended = Some(how));
    }
}

impl Drop for RequestGuard {
    fn drop(&mut self) {
        if !self.ended {
            self.end(Ended::CallerGone);
        }
    }
}
