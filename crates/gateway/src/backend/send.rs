//! One request to one backend: the head as the backend wants it, the wait for its head, and a body that gives the
//! connection back when it ended and closes it when it did not.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::time::Instant;
use url::{Position, Url};

use super::{
    Backend, Origin,
    connect::{self, ConnectError},
    http1::{self, Broken, Connection, GiveBack, Line, Lost, ResponseBody},
};
use crate::snapshot::{BackendToken, Settings};

/// Bytes of an unwanted answer that are read away to keep its connection.
const PUT_BY: usize = 64 * 1024;
const PUT_BY_PATIENCE: Duration = Duration::from_secs(1);

/// Why a backend gave no response.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    /// Nothing was sent.
    #[error("{0}")]
    Connect(#[from] ConnectError),
    /// It closed the connection and sent nothing. On a reused connection that is most likely its idle time-out.
    #[error("the connection was closed before a response came")]
    ClosedBeforeResponse { reused: bool },
    #[error("no response within the first-byte time-out")]
    FirstByteTimeout,
    /// What it sent is no HTTP response.
    #[error("malformed response: {0}")]
    Malformed(String),
}

/// The head of a backend's response, as it came, and its body.
pub(crate) struct BackendResponse {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: BackendBody,
}

/// What every request to a backend has in common.
pub(crate) struct Target {
    url: Url,
    host: HeaderValue,
    /// Path before the endpoint's, without slash at its end.
    prefix: String,
    authorization: Option<HeaderValue>,
}

impl Target {
    pub(crate) fn new(url: &Url, token: Option<&BackendToken>) -> Self {
        // The port is part of it unless it is the scheme's own. A URL's host is ASCII, so the fallback is never used.
        let authority = &url[Position::BeforeHost..Position::AfterPort];
        let authorization = token.and_then(|token| {
            let mut value = HeaderValue::try_from(format!("Bearer {}", token.0)).ok()?;
            value.set_sensitive(true);
            Some(value)
        });
        if token.is_some() && authorization.is_none() {
            tracing::error!(host = authority, "the backend's token is no valid header value and is not sent");
        }
        Self {
            host: HeaderValue::from_str(authority).unwrap_or(HeaderValue::from_static("localhost")),
            prefix: url.path().trim_end_matches('/').to_owned(),
            authorization,
            url: url.clone(),
        }
    }

    fn request<'h>(
        &self,
        method: &Method,
        path_and_query: &str,
        headers: impl IntoIterator<Item = Line<'h>>,
        body: Bytes,
    ) -> Result<http1::Request, SendError> {
        let own = [(&header::HOST, Some(&self.host)), (&header::AUTHORIZATION, self.authorization.as_ref())];
        let own = own.into_iter().filter_map(|(name, value)| Some((name, value?)));
        http1::request(method, [&self.prefix, path_and_query], own, headers, body)
            .ok_or_else(|| SendError::Malformed("the address has characters that no request may have".into()))
    }
}

impl Backend {
    /// Sends a request over a pooled or new connection and waits for the response's head. `headers` are what the backend
    /// may see of the client's; host, framing and the backend's own token are set here. Dropping the future closes the
    /// connection.
    pub(crate) fn send<'h>(
        &self,
        settings: &Settings,
        method: &Method,
        path_and_query: &str,
        headers: impl IntoIterator<Item = Line<'h>>,
        body: Bytes,
    ) -> impl Future<Output = Result<BackendResponse, SendError>> {
        // Written here, so that the future carries nothing of what it is made of.
        let request = self.target.request(method, path_and_query, headers, body);
        async move { self.send_written(settings, &request?).await }
    }

    async fn send_written(&self, settings: &Settings, request: &http1::Request) -> Result<BackendResponse, SendError> {
        loop {
            let now = Instant::now();
            let (mut connection, reused, begun) = match self.origin.pool.take(now) {
                Some(connection) => (connection, true, now),
                None => {
                    let (limit, networks) = (self.connect_timeout(settings), &settings.backend_networks);
                    (connect::connect(&self.target.url, limit, networks).await?, false, Instant::now())
                }
            };
            let lost = match connection.exchange(request, begun + self.first_byte_timeout(settings)).await {
                Ok(response) => return Ok(BackendResponse::new(response, connection, Arc::clone(&self.origin))),
                Err(lost) => lost,
            };
            if reused && lost != Lost::Late {
                self.origin.pool.clear();
            }
            match lost {
                // This is no second try.
                Lost::Unsent if reused => {}
                Lost::Unsent | Lost::Closed => return Err(SendError::ClosedBeforeResponse { reused }),
                Lost::Late => return Err(SendError::FirstByteTimeout),
                Lost::Malformed(fault) => return Err(SendError::Malformed(fault)),
            }
        }
    }
}

impl BackendResponse {
    fn new(mut response: http1::Response, connection: Box<Connection>, origin: Arc<Origin>) -> Self {
        let body = ResponseBody::new(connection, &mut response, origin);
        Self { status: response.status, headers: response.headers, body: BackendBody(body) }
    }
}

/// Connections whose bodies have ended go back to the pool.
impl GiveBack for Arc<Origin> {
    fn give_back(&self, connection: Box<Connection>) {
        self.pool.put(connection);
    }
}

/// A response body on its connection.
pub(crate) struct BackendBody(ResponseBody<Arc<Origin>>);

impl BackendBody {
    /// Nobody wants the rest. Where it comes soon the connection can go on; otherwise it closes.
    pub(crate) fn put_by(mut self) {
        let read_away = async move {
            let mut left = PUT_BY;
            while let Some(Ok(frame)) = self.frame().await {
                let Some(rest) = left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) else { return };
                left = rest;
            }
        };
        tokio::spawn(async move { _ = tokio::time::timeout(PUT_BY_PATIENCE, read_away).await });
    }
}

impl Body for BackendBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        Pin::new(&mut self.0).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}
