//! The part of the pipeline that needs a backend: read the body, resolve its model, forward, and hand the answer over to
//! its body.

use std::sync::Arc;

use domain::{
    endpoint::{Dialect, Endpoint},
    id::KeyId,
    model::ModelNameError,
};
use http::{Response, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::Exchange;
use crate::{
    Body, Inner,
    account::{Account, Tee},
    auth::Principal,
    backend::{Backend, BackendResponse, InFlight},
    error::{Broken, Error},
    forward::{self, Outgoing},
    headers,
    limit::Permit,
    request::{self, Buffered, Facts},
    resolve::{self, Candidates, Choice, ResolveError},
    signal::Watch,
    stream::{Forwarded, Owner, Shape},
    wire::Framing,
};

/// A backend has begun to answer.
pub(super) struct Ready {
    response: BackendResponse,
    owner: Running,
    watch: Watch,
    endpoint: Endpoint,
    prompt_bytes: usize,
}

impl Exchange {
    /// Everything up to the backend's first byte. Ends early when the gateway shuts down or the key is revoked.
    pub(super) async fn infer(
        &self,
        principal: &Principal,
        permit: Permit,
        endpoint: Endpoint,
        account: &mut Account,
        body: Incoming,
    ) -> Result<Ready, Error> {
        let key = &principal.key().id;
        let mut watch = self.inner.signal.watch();
        let (body, facts) = tokio::select! {
            received = self.receive(endpoint, body, account) => received?,
            error = ended(&self.inner, key, &mut watch) => return Err(error),
        };
        let mut candidates = self.candidates(endpoint, &facts, account)?;
        let outgoing = Outgoing {
            method: self.parts.method.clone(),
            path_and_query: self.parts.uri.path_and_query().map_or(endpoint.path(), |path| path.as_str()),
            headers: headers::to_backend(&self.parts.headers, self.id),
            body: body.bytes.clone(),
        };
        let (choice, response) = tokio::select! {
            answer = forward::forward(&self.view, &permit, &mut candidates, outgoing, account) => answer.map_err(|error| match error {
                Error::NoBackend if endpoint.dialect() == Dialect::Ollama => compatible_only(&facts.model),
                error => error,
            })?,
            error = ended(&self.inner, key, &mut watch) => return Err(error),
        };
        judge(&response, &choice, endpoint)?;
        account.status(response.status);
        let Choice { backend, in_flight } = choice;
        let owner =
            Running { inner: self.inner.clone(), key: key.clone(), backend, _in_flight: in_flight, _permit: permit };
        Ok(Ready { response, owner, watch, endpoint, prompt_bytes: facts.prompt_bytes })
    }

    async fn receive(
        &self,
        endpoint: Endpoint,
        body: Incoming,
        account: &mut Account,
    ) -> Result<(Buffered, Facts), Error> {
        let limit = self.view.snapshot.settings.max_body;
        let body = request::buffer(&self.parts.headers, body, limit, &self.inner.bodies).await?;
        account.received(body.bytes.len());
        let facts = request::read(endpoint, &self.parts.headers, &body.bytes).await?;
        Ok((body, facts))
    }

    fn candidates(&self, endpoint: Endpoint, facts: &Facts, account: &mut Account) -> Result<Candidates, Error> {
        match resolve::resolve(&self.view, &facts.model) {
            Ok(mut candidates) => {
                account.model(candidates.model());
                if endpoint.dialect() == Dialect::Ollama {
                    candidates.native_only();
                }
                Ok(candidates)
            }
            Err(error) => {
                account.unresolved(&facts.model);
                Err(unresolved(error, endpoint, &facts.model))
            }
        }
    }
}

impl Ready {
    /// The answer to the client; its body owns all that the request holds.
    pub(super) fn respond(self, exchange: &Exchange, account: Account) -> Response<Body> {
        let Self { response: BackendResponse { status, headers, body }, owner, watch, endpoint, prompt_bytes } = self;
        let framing = Framing::of(&headers);
        let readable = !headers.contains_key(header::CONTENT_ENCODING);
        let tee = readable.then(|| Tee::new(endpoint, framing));
        let is_error = status.is_client_error() || status.is_server_error();
        let shape = Shape { framing, dialect: exchange.dialect, is_error, prompt_bytes };
        let stall = exchange.view.snapshot.settings.stall_timeout;
        let mut response = Response::new(Forwarded::new(body, owner, account, tee, shape, stall, watch).boxed_unsync());
        *response.status_mut() = status;
        *response.headers_mut() = headers::to_client(&headers, framing);
        response
    }
}

/// What a running answer holds: dropped, the backend is one request freer.
struct Running {
    inner: Arc<Inner>,
    key: KeyId,
    backend: Arc<Backend>,
    _in_flight: InFlight,
    _permit: Permit,
}

impl Owner for Running {
    fn ended(&self) -> Option<Broken> {
        self.inner.ended(&self.key)
    }

    fn backend_failed(&self, broken: &Broken) {
        self.backend.failed(broken.to_string());
    }
}

/// Whether the head of a backend's answer may pass, and what it says about the backend.
fn judge(response: &BackendResponse, choice: &Choice, endpoint: Endpoint) -> Result<(), Error> {
    let (status, backend) = (response.status, &choice.backend);
    if status == StatusCode::UNAUTHORIZED {
        backend.failed("it refused the gateway's credentials (401)".into());
        return Err(Error::BackendCredentials);
    }
    if status.is_informational() || status.is_redirection() {
        backend.failed(format!("it answered {status}"));
        return Err(Error::BackendMalformed);
    }
    if status == StatusCode::NOT_FOUND {
        backend.model_missing();
    } else if status.is_server_error() {
        backend.failed(format!("it answered {status} at {}", endpoint.path()));
    }
    Ok(())
}

/// Waits until the request may not go on.
async fn ended(inner: &Inner, key: &KeyId, watch: &mut Watch) -> Error {
    loop {
        match inner.ended(key) {
            Some(Broken::KeyEnded) => return Error::InvalidKey,
            Some(_) => return Error::ShutDown,
            None => watch.raised().await,
        }
    }
}

fn unresolved(error: ResolveError, endpoint: Endpoint, model: &str) -> Error {
    match error {
        ResolveError::Unknown => request::unknown(endpoint, model),
        ResolveError::Cloud => Error::CloudModel,
        ResolveError::Invalid(ModelNameError::Empty) => Error::MissingModel,
        ResolveError::Invalid(error) => Error::BadRequest(error.to_string()),
        ResolveError::NoBackend => Error::NoBackend,
    }
}

/// A model is known and enabled, and yet nobody could be asked: its backends do not speak Ollama's own API.
fn compatible_only(model: &str) -> Error {
    let model = request::cut(model, 200);
    Error::BadRequest(format!("model '{model}' is on OpenAI-compatible backends only, use the /v1 endpoints"))
}
