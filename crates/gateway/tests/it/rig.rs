//! A gateway on a port of its own, with one user, one key, and the backends a test gives it.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use domain::{
    backend::Timeouts,
    id::{BackendId, KeyId, UserId},
    key::{KeyStatus, SECRET_LENGTH, assemble_key},
    limit::RateLimit,
    policy::Policy,
    usage::UsageRecord,
};
use gateway::{
    Gateway,
    snapshot::{BackendEntry, KeyEntry, Pepper, Rules, Settings, Snapshot},
};
use hyper_util::rt::TokioIo;
use testkit::FakeOllama;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

/// Longest a test waits for something that must happen.
pub const DEADLINE: Duration = Duration::from_secs(10);

pub struct Rig {
    pub gateway: Gateway,
    pub address: SocketAddr,
    pub key: String,
    usage: mpsc::Receiver<UsageRecord>,
    client: reqwest::Client,
    plan: Plan,
}

/// What the gateway is configured with.
#[derive(Clone)]
pub struct Plan {
    pub status: KeyStatus,
    pub user_enabled: bool,
    pub limit: Option<RateLimit>,
    pub policy: Policy,
    pub user_policy: Policy,
    /// Of another key of the same user.
    pub second_policy: Policy,
    pub settings: Settings,
    pub backends: Vec<url::Url>,
    /// Bound of every backend.
    pub parallel: Option<u32>,
    /// Numbers of those that get nothing new.
    pub draining: Vec<usize>,
    /// The place of a backend with a higher priority than all others.
    pub preferred: Option<usize>,
    /// Their own time-outs, in their order; those that are not there have the settings'.
    pub timeouts: Vec<Timeouts>,
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

const SECOND: &str = "secondsecond";

/// The text of the user's other key.
pub fn second_key() -> String {
    assemble_key(&KeyId::new(SECOND).unwrap(), &"o".repeat(SECRET_LENGTH))
}

impl Plan {
    fn snapshot(&self, key: &str, revision: u64) -> Snapshot {
        let pepper = Pepper([9; 32]);
        let entry = KeyEntry {
            id: KeyId::new("keykeykeykey").unwrap(),
            user: UserId::new("useruseruser").unwrap(),
            hash: (self.status != KeyStatus::Revoked).then(|| pepper.hash(key)),
            status: self.status,
            user_enabled: self.user_enabled,
            limit: self.limit,
            rules: Rules::new(&self.policy, &self.user_policy),
        };
        let second = KeyEntry {
            id: KeyId::new(SECOND).unwrap(),
            user: entry.user.clone(),
            hash: Some(pepper.hash(&second_key())),
            status: KeyStatus::Active,
            user_enabled: self.user_enabled,
            limit: None,
            rules: Rules::new(&self.second_policy, &self.user_policy),
        };
        let backends = self.backends.iter().enumerate().map(|(index, url)| {
            let id = BackendId::new(&format!("backend{index:05}")).unwrap();
            Arc::new(BackendEntry {
                id,
                name: format!("b{index}"),
                url: url.clone(),
                enabled: true,
                token: None,
                created_at: 1,
                parallel: self.parallel,
                weight: 1,
                priority: if self.preferred == Some(index) { 7 } else { 0 },
                timeouts: self.timeouts.get(index).copied().unwrap_or_default(),
                draining: self.draining.contains(&index),
            })
        });
        Snapshot {
            revision,
            keys: [entry, second].into_iter().map(|entry| (entry.id.clone(), Arc::new(entry))).collect(),
            backends: backends.collect(),
            settings: self.settings.clone(),
            pepper,
        }
    }
}

impl Rig {
    pub async fn start(backends: &[&FakeOllama]) -> Self {
        Self::with(backends, |_| ()).await
    }

    pub async fn with(backends: &[&FakeOllama], change: impl FnOnce(&mut Plan)) -> Self {
        let mut plan = Plan {
            status: KeyStatus::Active,
            user_enabled: true,
            limit: None,
            policy: Policy::default(),
            user_policy: Policy::default(),
            second_policy: Policy::default(),
            settings: Settings::default(),
            backends: backends.iter().map(|backend| backend.url()).collect(),
            parallel: None,
            draining: Vec::new(),
            preferred: None,
            timeouts: Vec::new(),
        };
        change(&mut plan);
        let key = assemble_key(&KeyId::new("keykeykeykey").unwrap(), &"s".repeat(SECRET_LENGTH));
        let (gateway, usage) = Gateway::new(1_000);
        gateway.publish(plan.snapshot(&key, 1));
        gateway.refresh(None).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, gateway.clone()));
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { gateway, address, key, usage, client, plan }
    }

    /// Publishes a changed configuration.
    pub fn change(&mut self, change: impl FnOnce(&mut Plan)) {
        change(&mut self.plan);
        self.gateway.publish(self.plan.snapshot(&self.key, self.gateway.snapshot().revision + 1));
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method.parse().unwrap(), self.url(path))
    }

    /// With the rig's key.
    pub fn keyed(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.request(method, path).bearer_auth(&self.key)
    }

    pub async fn get(&self, path: &str) -> Answer {
        read(self.keyed("GET", path)).await
    }

    pub async fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> Answer {
        read(self.keyed("POST", path).body(body)).await
    }

    /// The next usage record.
    pub async fn record(&mut self) -> UsageRecord {
        tokio::time::timeout(DEADLINE, self.usage.recv()).await.expect("a usage record in time").unwrap()
    }

    pub fn no_record(&mut self) {
        assert!(self.usage.try_recv().is_err());
    }

    pub async fn idle(&self) {
        eventually("nothing in flight", || self.gateway.in_flight() == 0).await;
    }

    /// A connection whose every byte the test writes itself.
    pub async fn raw(&self, text: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    }

    /// A POST with the rig's key, as text.
    pub fn raw_post(&self, path: &str, body: &str) -> String {
        format!(
            "POST {path} HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\r\n{body}",
            self.key,
            body.len()
        )
    }
}

pub async fn read(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Answer { status, headers, body: response.text().await.unwrap() }
}

/// Reads until `marker` was seen.
pub async fn read_until(stream: &mut TcpStream, marker: &str) -> String {
    let mut text = Vec::new();
    let mut buffer = [0; 4096];
    while !String::from_utf8_lossy(&text).contains(marker) {
        let read = tokio::time::timeout(DEADLINE, stream.read(&mut buffer)).await.expect("bytes in time").unwrap();
        assert!(read > 0, "{marker:?} not in {:?}", String::from_utf8_lossy(&text));
        text.extend_from_slice(&buffer[..read]);
    }
    String::from_utf8(text).unwrap()
}

/// Everything until the gateway closes the connection.
pub async fn read_to_close(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    // A reset after the last byte is a close too.
    let _ = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut text)).await.expect("a close in time");
    String::from_utf8(text).unwrap()
}

pub async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = std::time::Instant::now() + DEADLINE;
    while !condition() {
        assert!(std::time::Instant::now() < deadline, "not within {DEADLINE:?}: {what}");
        tokio::task::yield_now().await;
    }
}

async fn serve(listener: TcpListener, gateway: Gateway) {
    loop {
        let (stream, peer) = listener.accept().await.unwrap();
        let gateway = gateway.clone();
        let service = hyper::service::service_fn(move |request| {
            let gateway = gateway.clone();
            async move { Ok::<_, std::convert::Infallible>(gateway.handle(request, peer).await) }
        });
        tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}
