//! One look at an address: what is there, which models it has, what it runs. For the catalogue and for probes alike;
//! control traffic, so through reqwest and apart from the data plane's connections.

use std::{
    error::Error,
    io,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use domain::{backend::ProbeResult, network::Networks};
use http::{HeaderMap, StatusCode, header};
use reqwest::{Client, redirect::Policy, tls::TlsInfo};
use rustls::ClientConfig;
use tokio::{sync::watch, time::Instant};
use url::Url;

use super::{
    address::AddressError,
    lock,
    reach::{self, GuardedResolver},
    rows::{self, Row, Running},
    tls,
};
use crate::{certificate, hop, snapshot::BackendToken};

const CONNECT: Duration = Duration::from_secs(3);
/// How much longer than the list of models the version and the loaded models may take.
const GRACE: Duration = Duration::from_secs(1);
/// A listing above this is not taken.
const MAX_BODY: usize = 8 * 1024 * 1024;

/// What a backend says of itself.
#[derive(Debug)]
pub(crate) struct Listing {
    pub(crate) version: Option<String>,
    pub(crate) models: Vec<Row>,
    /// `None` if it did not say.
    pub(crate) running: Option<Vec<Running>>,
    /// It speaks Ollama's own API, not only OpenAI's.
    pub(crate) native: bool,
    /// When the certificate ends that it showed, in Unix milliseconds.
    pub(crate) certificate_end: Option<u64>,
}

/// Asks `url` for its lists; no single question waits longer than `patience`. The fault is what a person should read.
/// Connects only where `networks` allow.
pub(crate) async fn look(
    url: &Url,
    token: Option<&BackendToken>,
    networks: &Networks,
    patience: Duration,
) -> Result<Listing, ProbeResult> {
    reach::check_literal(url, networks).map_err(|error| forbidden(&error))?;
    let base = url.as_str().trim_end_matches('/');
    let asker = Asker { client: client(networks)?, base, token, patience, certificate_end: AtomicU64::new(0) };
    let (listed, until) = watch::channel(None);
    let tags = async {
        let tags = asker.get("/api/tags").await;
        listed.send_replace(Some(Instant::now() + if tags.is_ok() { GRACE } else { Duration::ZERO }));
        tags
    };
    let (tags, version, running) =
        tokio::join!(tags, asker.extra("/api/version", until.clone()), asker.extra("/api/ps", until));
    let (status, body) = tags?;
    match status {
        StatusCode::OK => {
            let Some(models) = rows::tags(&body) else {
                return Err(not_ollama("/api/tags answered without a list of models"));
            };
            let version = version.and_then(|body| rows::version(&body));
            let running = running.and_then(|body| rows::running(&body));
            Ok(Listing { version, models, running, native: true, certificate_end: asker.certificate_end() })
        }
        StatusCode::UNAUTHORIZED => Err(ProbeResult::Unauthorized),
        StatusCode::FORBIDDEN if body.is_empty() => Err(ProbeResult::Failed {
            detail: "it answers 403: an Ollama that listens on loopback only refuses this host name".into(),
        }),
        StatusCode::FORBIDDEN => Err(ProbeResult::Unauthorized),
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => {
            let (status, body) = asker.get("/v1/models").await?;
            match status {
                StatusCode::OK => {
                    let models = rows::openai(&body)
                        .ok_or_else(|| not_ollama("/v1/models answered without a list of models"))?;
                    let certificate_end = asker.certificate_end();
                    Ok(Listing { version: None, models, running: None, native: false, certificate_end })
                }
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(ProbeResult::Unauthorized),
                _ => Err(not_ollama("it knows neither /api/tags nor /v1/models")),
            }
        }
        StatusCode::LOOP_DETECTED => Err(not_ollama("the address leads back to this gateway")),
        status if status.is_redirection() => Err(not_ollama("it redirects to another address")),
        status if status.is_server_error() => {
            Err(ProbeResult::Failed { detail: format!("/api/tags answered {}", status.as_u16()) })
        }
        status => Err(not_ollama(&format!("/api/tags answered {}", status.as_u16()))),
    }
}

fn not_ollama(detail: &str) -> ProbeResult {
    ProbeResult::NotOllama { detail: detail.into() }
}

fn forbidden(error: &AddressError) -> ProbeResult {
    ProbeResult::Failed { detail: error.to_string() }
}

/// One client for all looks, made anew when the networks change. It keeps no connection, so it belongs to no runtime, and
/// each look also shows that the backend still accepts connections.
pub(super) fn client(networks: &Networks) -> Result<Client, ProbeResult> {
    static LAST: Mutex<Option<(Networks, Client)>> = Mutex::new(None);
    let mut last = lock(&LAST);
    if let Some((known, client)) = last.as_ref()
        && known == networks
    {
        return Ok(client.clone());
    }
    let client = build(networks).map_err(|error| ProbeResult::Failed { detail: format!("no HTTP client: {error}") })?;
    *last = Some((networks.clone(), client.clone()));
    Ok(client)
}

fn build(networks: &Networks) -> Result<Client, String> {
    let tls = tls::trusting_platform().or_else(|error| {
        tracing::warn!(error, "no https backend can be trusted on this machine");
        tls::trusting_nobody()
    })?;
    Client::builder()
        .tls_backend_preconfigured(ClientConfig::clone(&tls))
        .no_proxy()
        .redirect(Policy::none())
        .referer(false)
        .tls_info(true)
        .connect_timeout(CONNECT)
        .pool_max_idle_per_host(0)
        .dns_resolver(GuardedResolver(networks.clone()))
        .user_agent("ollama-fortress")
        .default_headers(
            hop::onward(&HeaderMap::new()).map(|via| (header::VIA, via.into_owned())).into_iter().collect(),
        )
        .build()
        .map_err(|error| error.to_string())
}

struct Asker<'a> {
    client: Client,
    base: &'a str,
    token: Option<&'a BackendToken>,
    patience: Duration,
    /// Zero while none was seen.
    certificate_end: AtomicU64,
}

impl Asker<'_> {
    async fn get(&self, path: &str) -> Result<(StatusCode, Bytes), ProbeResult> {
        let mut request = self.client.get(format!("{}{path}", self.base)).timeout(self.patience);
        if let Some(token) = self.token {
            request = request.bearer_auth(&token.0);
        }
        let mut response = request.send().await.map_err(|error| classify(&error))?;
        let shown = response.extensions().get::<TlsInfo>().and_then(TlsInfo::peer_certificate);
        if let Some(certificate) = shown.and_then(certificate::read) {
            self.certificate_end.store(certificate.not_after, Ordering::Relaxed);
        }
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| classify(&error))? {
            if body.len() + chunk.len() > MAX_BODY {
                return Err(not_ollama(&format!("{path} answered with more than 8 MiB")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok((response.status(), body.freeze()))
    }

    fn certificate_end(&self) -> Option<u64> {
        Some(self.certificate_end.load(Ordering::Relaxed)).filter(|end| *end > 0)
    }

    /// What a look can do without: waits no longer than to the moment in `until`, once there is one.
    async fn extra(&self, path: &str, mut until: watch::Receiver<Option<Instant>>) -> Option<Bytes> {
        let late = async {
            let moment = until.wait_for(Option::is_some).await.ok().and_then(|moment| *moment);
            tokio::time::sleep_until(moment.unwrap_or_else(Instant::now)).await;
        };
        tokio::select! {
            found = self.get(path) => found.ok().filter(|(status, _)| *status == StatusCode::OK).map(|(_, body)| body),
            () = late => None,
        }
    }
}

/// The cause at the bottom of reqwest's error, in the words of a probe.
fn classify(error: &reqwest::Error) -> ProbeResult {
    if error.is_timeout() {
        return ProbeResult::TimedOut;
    }
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(fault) = known(error) {
            return fault;
        }
        cause = error.source();
    }
    ProbeResult::Failed { detail: "the connection broke off".into() }
}

fn known(error: &(dyn Error + 'static)) -> Option<ProbeResult> {
    if let Some(error) = error.downcast_ref::<AddressError>() {
        return Some(match error {
            AddressError::Dns => ProbeResult::Dns,
            _ => forbidden(error),
        });
    }
    if let Some(error) = error.downcast_ref::<rustls::Error>() {
        return Some(match error {
            rustls::Error::InvalidCertificate(_) => ProbeResult::Tls,
            _ => ProbeResult::Failed { detail: "TLS failed: does it speak https at this port?".into() },
        });
    }
    if let Some(error) = error.downcast_ref::<hyper::Error>() {
        return (error.is_parse() || error.is_parse_too_large()).then(|| not_ollama("its answer is not HTTP"));
    }
    let error = error.downcast_ref::<io::Error>()?;
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Some(ProbeResult::Refused),
        io::ErrorKind::TimedOut => Some(ProbeResult::TimedOut),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            Some(ProbeResult::Failed { detail: "no route to the machine".into() })
        }
        // An `io::Error` hides the error it wraps from `source`.
        _ => error.get_ref().and_then(|inner| known(inner)),
    }
}
