//! Sends a request to its candidates until one begins to answer. Another is tried only while nothing can have been done
//! with the request: a connection that could not be made, or a pooled one that was already closed.

mod complaint;

use bytes::Bytes;
use http::{HeaderMap, Method};

pub(crate) use complaint::Complaint;

use crate::{
    account::Account,
    backend::{BackendResponse, SendError, View},
    error::Error,
    limit::Permit,
    resolve::{Candidates, Choice},
};

/// A request as every backend gets it.
pub(crate) struct Outgoing<'r> {
    pub(crate) method: Method,
    pub(crate) path_and_query: &'r str,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// The first answer, and the backend that gave it. The permit proves that the request was admitted.
pub(crate) async fn forward(
    view: &View,
    _permit: &Permit,
    candidates: &mut Candidates,
    request: Outgoing<'_>,
    account: &mut Account,
) -> Result<(Choice, BackendResponse), Error> {
    let mut failure = Error::NoBackend;
    while let Some(choice) = candidates.choose() {
        account.backend(choice.backend.id());
        match attempt(view, &choice, &request).await {
            Ok(response) => return Ok((choice, response)),
            Err(error) => {
                failure = refusal(&error);
                choice.backend.failed(error.to_string());
                if !matches!(error, SendError::Connect(_)) {
                    break;
                }
            }
        }
    }
    Err(failure)
}

async fn attempt(view: &View, choice: &Choice, request: &Outgoing<'_>) -> Result<BackendResponse, SendError> {
    let send = || {
        let (method, headers, body) = (request.method.clone(), request.headers.clone(), request.body.clone());
        choice.backend.send(&view.snapshot.settings, method, request.path_and_query, headers, body)
    };
    match send().await {
        // The backend closed an idle connection while we picked it up: it never saw the request.
        Err(SendError::ClosedBeforeResponse { reused: true }) => send().await,
        answer => answer,
    }
}

/// What the client is told of a backend's fault.
pub(crate) fn refusal(error: &SendError) -> Error {
    match error {
        SendError::Connect(_) => Error::Unreachable,
        SendError::ClosedBeforeResponse { .. } => Error::BackendClosed,
        SendError::FirstByteTimeout => Error::FirstByteTimeout,
        SendError::Malformed(_) => Error::BackendMalformed,
    }
}
