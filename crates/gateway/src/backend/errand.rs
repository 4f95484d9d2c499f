//! One management request to one backend: a pull, a blob, a removal. Control traffic, so through reqwest and apart from the
//! data plane's connections; bodies stream both ways, and nothing is ever sent twice.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Response};

use super::{Backend, SendError, connect::ConnectError, look, reach, rows::Running};
use crate::{holdings::InMemory, snapshot::Settings};

impl Backend {
    /// Sends the request over a connection of its own and waits at most `patience` for the answer's head. Dropping the
    /// future or the answer's body closes the connection.
    pub(crate) async fn errand(
        &self,
        settings: &Settings,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: reqwest::Body,
        patience: Duration,
    ) -> Result<Response<reqwest::Body>, SendError> {
        let url = &self.entry.url;
        let other = |text: String| SendError::Connect(ConnectError::Other(text));
        reach::check_literal(url, &settings.backend_networks).map_err(|error| other(error.to_string()))?;
        let client = look::client(&settings.backend_networks).map_err(|fault| other(fault.message()))?;
        let base = url.as_str().trim_end_matches('/');
        let mut request = client.request(method, format!("{base}{path}")).headers(headers).body(body);
        if let Some(token) = &self.entry.token {
            request = request.bearer_auth(&token.0);
        }
        match tokio::time::timeout(patience, request.send()).await {
            Err(_) => Err(SendError::FirstByteTimeout),
            Ok(Ok(response)) => Ok(response.into()),
            Ok(Err(error)) if error.is_connect() => Err(other("it cannot be reached".into())),
            Ok(Err(_)) => Err(SendError::ClosedBeforeResponse { reused: false }),
        }
    }

    /// It speaks Ollama's own API, as far as anybody knows.
    pub(crate) fn may_be_ollama(&self) -> bool {
        let seen = self.origin.seen();
        !seen.answered() || seen.native()
    }

    /// What the last look found loaded, as it names it, and when each expires in Unix seconds.
    pub(crate) fn running(&self) -> Vec<(String, i64)> {
        let seen = self.origin.seen();
        seen.running().iter().map(|running| (running.name.clone(), running.expires.as_second())).collect()
    }

    /// What lies in its memory; nothing while it is down.
    pub(crate) fn in_memory(&self) -> Vec<(String, InMemory)> {
        let told = |running: &Running| {
            let Running { size, vram, expires, .. } = running;
            (running.name.clone(), InMemory { size: *size, vram: *vram, expires: expires.as_second() })
        };
        self.origin.seen().running().iter().map(told).collect()
    }

    pub(crate) fn enabled(&self) -> bool {
        self.entry.enabled
    }
}

/// A body that is passed on as it comes, each piece at most `idle` after the one before.
pub(crate) fn streamed<B>(body: B, idle: Duration) -> reqwest::Body
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    use http_body_util::BodyExt as _;
    let pieces = futures_util::stream::unfold(Some(body), move |body| async move {
        let mut body = body?;
        loop {
            match tokio::time::timeout(idle, body.frame()).await {
                Err(_) => return Some((Err(std::io::Error::from(std::io::ErrorKind::TimedOut)), None)),
                Ok(None) => return None,
                Ok(Some(Err(error))) => return Some((Err(std::io::Error::other(error)), None)),
                Ok(Some(Ok(frame))) => {
                    // Trailers are the client's own affair.
                    if let Ok(data) = frame.into_data() {
                        return Some((Ok(data), Some(body)));
                    }
                }
            }
        }
    });
    reqwest::Body::wrap_stream(pieces)
}
