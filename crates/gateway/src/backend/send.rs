//! One request to one backend: the head as the backend wants it, the wait for its head, and a body that gives the
//! connection back when it ended and closes it when it did not.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use url::{Position, Url};

use super::{
    Backend, Origin,
    connect::{self, ConnectError, Connection},
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

    fn request(
        &self,
        method: Method,
        path_and_query: &str,
        mut headers: HeaderMap,
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>, SendError> {
        let uri = if self.prefix.is_empty() {
            Uri::try_from(path_and_query)
        } else {
            Uri::try_from(format!("{}{path_and_query}", self.prefix))
        };
        let uri = uri.map_err(|error| SendError::Malformed(error.to_string()))?;
        // The framing is this connection's own, whatever the client's was.
        for name in [
            header::CONTENT_LENGTH,
            header::TRANSFER_ENCODING,
            header::CONNECTION,
            header::UPGRADE,
            header::AUTHORIZATION,
        ] {
            headers.remove(name);
        }
        headers.insert(header::HOST, self.host.clone());
        if let Some(authorization) = &self.authorization {
            headers.insert(header::AUTHORIZATION, authorization.clone());
        }
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        Ok(request)
    }
}

impl Backend {
    /// Sends a request over a pooled or new connection and waits for the response's head. `headers` are what the backend
    /// may see of the client's; host, framing and the backend's own token are set here. Dropping the future closes the
    /// connection.
    pub(crate) async fn send(
        &self,
        settings: &Settings,
        method: Method,
        path_and_query: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<BackendResponse, SendError> {
        let mut request = self.target.request(method, path_and_query, headers, body)?;
        loop {
            let (mut connection, reused) = match self.origin.pool.take().await {
                Some(connection) => (connection, true),
                None => (
                    connect::connect(&self.target.url, settings.connect_timeout, &settings.backend_networks).await?,
                    false,
                ),
            };
            let sent = connection.sender.try_send_request(request);
            let Ok(answer) = tokio::time::timeout(settings.first_byte_timeout, sent).await else {
                return Err(SendError::FirstByteTimeout);
            };
            match answer {
                Ok(response) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
                    return Err(SendError::Malformed("it switches protocols unasked".into()));
                }
                Ok(response) => {
                    let (head, body) = response.into_parts();
                    let body = BackendBody::new(body, connection, Arc::clone(&self.origin));
                    return Ok(BackendResponse { status: head.status, headers: head.headers, body });
                }
                Err(mut error) => {
                    if reused {
                        self.origin.pool.clear();
                    }
                    match error.take_message() {
                        // Not a byte of it was written, so this is no second try.
                        Some(unsent) if reused => request = unsent,
                        _ => return Err(classify(error.into_error(), reused)),
                    }
                }
            }
        }
    }
}

fn classify(error: hyper::Error, reused: bool) -> SendError {
    if error.is_parse() || error.is_parse_too_large() {
        return SendError::Malformed(error.to_string());
    }
    SendError::ClosedBeforeResponse { reused }
}

/// A response body on its connection.
pub(crate) struct BackendBody {
    inner: Incoming,
    connection: Option<Connection>,
    origin: Arc<Origin>,
}

impl BackendBody {
    fn new(inner: Incoming, connection: Connection, origin: Arc<Origin>) -> Self {
        let mut body = Self { inner, connection: Some(connection), origin };
        if body.inner.is_end_stream() {
            body.release();
        }
        body
    }

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

    fn release(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.origin.pool.put(connection);
        }
    }
}

impl Body for BackendBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        match &frame {
            Some(Err(_)) => self.connection = None,
            // A body of known length is often not polled again after its last frame.
            Some(Ok(_)) if !self.inner.is_end_stream() => {}
            _ => self.release(),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
