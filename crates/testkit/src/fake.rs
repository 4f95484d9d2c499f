//! The handle a test holds: starts the fake, changes its script, reads its records and waits for them.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::sync::{mpsc, oneshot};
use url::Url;

use crate::{
    gate::Gate,
    record::{DEADLINE, RecordedConnection, RecordedRequest, Recorder, Records, lock},
    script::{Model, Script},
    serve::{self, Listen},
};

/// What the handle and the server's connections share.
pub(crate) struct Shared {
    pub(crate) script: Mutex<Script>,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) gate: Gate,
    /// Answers `/__fake/…`.
    pub(crate) control: bool,
}

/// Describes a fake before it starts. `FakeOllama::builder().models(["llama3.2"]).chunks(5).start().await`.
#[derive(Debug, Default)]
pub struct Builder {
    script: Script,
    control: bool,
    held: bool,
    port: u16,
}

impl Builder {
    /// Names or [`Model`]s, in the order listed. A name without a tag gets `:latest`.
    pub fn models<M: Into<Model>>(mut self, models: impl IntoIterator<Item = M>) -> Self {
        self.script.models = models.into_iter().map(Into::into).collect();
        self
    }

    /// What `/api/version` says; `0.5.1` unless told.
    pub fn version(mut self, version: &str) -> Self {
        self.script.version = version.to_owned();
        self
    }

    /// Content frames of a streamed answer; 3 unless told. A closing frame follows them.
    pub fn chunks(mut self, chunks: usize) -> Self {
        self.script.chunks = chunks;
        self
    }

    /// Milliseconds between frames.
    pub fn chunk_delay(mut self, milliseconds: u64) -> Self {
        self.script.chunk_delay = Duration::from_millis(milliseconds);
        self
    }

    /// Milliseconds before the headers of inference answers.
    pub fn first_byte_delay(mut self, milliseconds: u64) -> Self {
        self.script.first_byte_delay = Duration::from_millis(milliseconds);
        self
    }

    /// Bearer token every request must carry; otherwise 401.
    pub fn token(mut self, token: &str) -> Self {
        self.script.token = Some(token.to_owned());
        self
    }

    /// Starts with all inference answers held, see [`FakeOllama::hold`].
    pub fn held(mut self) -> Self {
        self.held = true;
        self
    }

    /// Any other change of the script.
    pub fn script(mut self, change: impl FnOnce(&mut Script)) -> Self {
        change(&mut self.script);
        self
    }

    /// Answers `GET /__fake/records` and the like, for tests in other languages.
    pub fn control(mut self) -> Self {
        self.control = true;
        self
    }

    /// A fixed port; 0, the default, takes any free one.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Starts it on 127.0.0.1, on a thread and runtime of its own: a test's paused clock does not stop it.
    pub async fn start(self) -> FakeOllama {
        let listener = std::net::TcpListener::bind(("127.0.0.1", self.port)).expect("loopback has a free port");
        listener.set_nonblocking(true).expect("a socket can be non-blocking");
        let address = listener.local_addr().expect("a bound socket has an address");
        let gate = Gate::new();
        if self.held {
            gate.hold();
        }
        let shared = Arc::new(Shared {
            script: Mutex::new(self.script),
            recorder: Arc::new(Recorder::new()),
            gate,
            control: self.control,
        });
        let (commands, receiver) = mpsc::unbounded_channel();
        let for_thread = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("fake-ollama".to_owned())
            .spawn(move || {
                tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .expect("a runtime starts")
                    .block_on(serve::run(listener, address, for_thread, receiver));
            })
            .expect("a thread starts");
        FakeOllama { address, shared, commands }
    }
}

/// A running fake backend. It stops when this is dropped.
pub struct FakeOllama {
    address: SocketAddr,
    shared: Arc<Shared>,
    commands: mpsc::UnboundedSender<Listen>,
}

impl FakeOllama {
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub fn url(&self) -> Url {
        Url::parse(&self.base()).expect("the address makes a URL")
    }

    /// `http://127.0.0.1:PORT` without a trailing slash.
    pub fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes the script; in force for requests that arrive from now on.
    pub fn set(&self, change: impl FnOnce(&mut Script)) {
        change(&mut lock(&self.shared.script));
    }

    /// From now on every frame of an inference answer waits for [`Self::release_chunk`]. The first one holds the
    /// headers too, as Ollama sends them with its first line. An answer in one piece is one frame.
    pub fn hold(&self) {
        self.shared.gate.hold();
    }

    /// Lets one held frame go.
    pub fn release_chunk(&self) {
        self.shared.gate.release(1);
    }

    /// Lets that many held frames go.
    pub fn release_chunks(&self, frames: usize) {
        self.shared.gate.release(frames);
    }

    /// Ends [`Self::hold`].
    pub fn release_all(&self) {
        self.shared.gate.open();
    }

    /// Closes the port and every connection, as if the process had died. The address stays this fake's own.
    pub async fn refuse_connections(&self) {
        self.listen(false).await;
    }

    /// Opens the port again.
    pub async fn accept_connections(&self) {
        self.listen(true).await;
    }

    async fn listen(&self, on: bool) {
        let (done, answer) = oneshot::channel();
        assert!(self.commands.send(Listen(on, done)).is_ok(), "the fake runs");
        answer.await.expect("the fake answers");
    }

    pub fn records(&self) -> Records {
        self.shared.recorder.records()
    }

    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.records().requests
    }

    pub fn connections(&self) -> Vec<RecordedConnection> {
        self.records().connections
    }

    /// Requests that asked for inference; a gateway's own listings (`/api/tags` …) are left out.
    pub fn inference_requests(&self) -> Vec<RecordedRequest> {
        self.records().inference().cloned().collect()
    }

    /// Distinct paths asked for so far.
    pub fn paths(&self) -> BTreeSet<String> {
        self.requests().into_iter().map(|request| request.path).collect()
    }

    /// Waits until the records meet the condition, and returns them. Works under a paused clock, whose time stands still
    /// meanwhile. Panics after 10 s of real time, with what was seen.
    pub async fn wait_for(&self, condition: impl Fn(&Records) -> bool) -> Records {
        let mut changes = self.shared.recorder.subscribe();
        // A running blocking task keeps tokio from advancing a paused clock, and measures real time.
        let (done, waiting) = std::sync::mpsc::channel::<()>();
        let mut deadline = tokio::task::spawn_blocking(move || waiting.recv_timeout(DEADLINE));
        loop {
            let records = self.records();
            if condition(&records) {
                drop(done);
                return records;
            }
            tokio::select! {
                changed = changes.changed() => changed.expect("the recorder lives as long as the fake"),
                _ = &mut deadline => panic!("not seen within {DEADLINE:?}; seen at {}:\n{}", self.address, self.records().summary()),
            }
        }
    }
}
