//! Model management for keys that may: which backends a request is meant for, and its way there and back.
//!
//! - A removal or copy goes to every backend that holds the model, one after another, and stops at the first that fails;
//!   what was not done is done by asking again. A push goes to one of them.
//! - A pull, a creation or a blob goes to the one backend there is, or to the one that the header `x-fortress-backend`
//!   names. With the header any request goes there alone. A creation must name the backend that got its blobs.
//! - A blob is named by the digest of its bytes and passes as it comes, so that one with a content encoding is refused: the
//!   backend would store what is coded. All other bodies are read here, and decoded.
//! - Nothing is tried twice. Where the backend's models may have changed its list is read again.

mod asked;

use std::{sync::Arc, time::Duration};

use domain::endpoint::Endpoint;
use http::{HeaderName, Method, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::{
    Exchange,
    running::{Held, Running},
};
use crate::{
    Body,
    account::{Account, Tee},
    auth::Principal,
    backend::{Backend, InFlight, SendError, streamed},
    error::{Broken, Error},
    forward,
    headers::{self, ToBackend},
    limit::Permit,
    policy::Slots,
    request, resolve,
    signal::Watch,
    stream::{Forwarded, Owner, Shape},
    wire::Framing,
};
use asked::Asked;

/// The backend that a request is meant for, by name.
const BACKEND: HeaderName = HeaderName::from_static("x-fortress-backend");
/// A pull that is not streamed says nothing until all of a model has come, and a large blob is checked before the answer.
const PATIENCE: Duration = Duration::from_secs(6 * 3_600);
/// Between two lines of progress: a layer of many gigabytes is verified in silence.
const STALL: Duration = Duration::from_secs(1_800);
/// A client that pauses so long in the middle of a blob has gone.
const IDLE: Duration = Duration::from_secs(60);

/// A backend has begun to answer.
pub(super) struct Managed {
    response: Response<reqwest::Body>,
    owner: Managing,
    watch: Watch,
    endpoint: Endpoint,
}

impl Exchange<'_> {
    /// Everything up to the backend's first byte. Ends early when the gateway shuts down or the key is revoked.
    pub(super) async fn manage(
        &self,
        principal: &Principal,
        (permit, slots): (Permit, Slots),
        endpoint: Endpoint,
        account: &mut Account,
        body: &mut Option<Incoming>,
    ) -> Result<Managed, Error> {
        let caller = self.caller(principal);
        let mut watch = caller.watch(&self.view)?;
        let done = tokio::select! {
            done = self.errands(principal, endpoint, account, body) => done?,
            error = caller.until_ended(&mut watch) => return Err(error),
        };
        let ((backend, in_flight), response) = done;
        account.status(response.status());
        let changes = matches!(endpoint, Endpoint::Pull | Endpoint::Create);
        let owner = Managing {
            running: Running::new(caller, Held::Errand { backend, _in_flight: in_flight }, permit, slots),
            changes,
        };
        Ok(Managed { response, owner, watch, endpoint })
    }

    /// Asks each backend that is meant; the answer is the last one's, or the first that is an error.
    async fn errands(
        &self,
        principal: &Principal,
        endpoint: Endpoint,
        account: &mut Account,
        body: &mut Option<Incoming>,
    ) -> Result<(At, Response<reqwest::Body>), Error> {
        let path = self.parts.uri.path();
        if endpoint == Endpoint::Blobs {
            asked::check_blob(path)?;
            if !request::is_plain(&self.parts.headers) {
                return Err(Error::BlobEncoding);
            }
            let backend = self.one(None)?;
            let in_flight = backend.enter_beside();
            account.backend(backend.id());
            let body = body.take().filter(|_| self.parts.method != Method::HEAD);
            let body = body.map_or_else(reqwest::Body::default, |body| streamed(body, IDLE));
            let response = self.errand(&backend, body, PATIENCE).await?;
            return Ok(((backend, in_flight), response));
        }
        let settings = &self.view.snapshot.settings;
        let body =
            request::buffer(&self.parts.headers, body, settings, (&self.inner.bodies, &principal.key().id)).await?;
        account.received(body.received);
        let asked = Asked::read(endpoint, &body.bytes)?;
        account.unresolved(&asked.model);
        asked.check(endpoint, &principal.key().rules)?;
        let (backends, patience) = match endpoint {
            Endpoint::Delete | Endpoint::Copy => {
                (self.holders(&asked, account)?, self.view.snapshot.settings.first_byte_timeout)
            }
            Endpoint::Push => (self.holders(&asked, account)?.into_iter().take(1).collect(), PATIENCE),
            _ => (vec![self.one(None)?], PATIENCE),
        };
        let mut last = Err(Error::NoBackend);
        for backend in backends {
            let in_flight = backend.enter_beside();
            account.backend(backend.id());
            let response = self.errand(&backend, body.bytes.clone().into(), patience).await?;
            if matches!(endpoint, Endpoint::Delete | Endpoint::Copy) && response.status().is_success() {
                // Whoever is told that a model is gone may look at the list next.
                self.inner.fleet.refresh(Some(backend.id().clone())).await;
            }
            let failed = !response.status().is_success();
            last = Ok(((backend, in_flight), response));
            if failed {
                break;
            }
        }
        last
    }

    async fn errand(
        &self,
        backend: &Backend,
        body: reqwest::Body,
        patience: Duration,
    ) -> Result<Response<reqwest::Body>, Error> {
        let (method, path) = (self.parts.method.clone(), self.parts.uri.path());
        let headers = ToBackend::new(&self.parts.headers, &self.request_id).to_map();
        let settings = &self.view.snapshot.settings;
        let fault = match backend.errand(settings, method, path, headers, body, patience).await {
            Ok(response) => match response.status() {
                StatusCode::UNAUTHORIZED => {
                    backend.failed("it refused the gateway's credentials (401)".into());
                    return Err(Error::BackendCredentials);
                }
                status if status.is_informational() || status.is_redirection() => {
                    SendError::Malformed(format!("it answered {status}"))
                }
                _ => return Ok(response),
            },
            Err(fault) => fault,
        };
        backend.failed(fault.to_string());
        Err(forward::refusal(&fault))
    }

    /// The backends that hold the model, or the one that the client names.
    fn holders(&self, asked: &Asked, account: &mut Account) -> Result<Vec<Arc<Backend>>, Error> {
        if let Some(name) = self.named()? {
            return Ok(vec![self.one(Some(name))?]);
        }
        let candidates = resolve::resolve(&self.view, &asked.model).map_err(|_| asked.unknown())?;
        account.resolved(candidates.model());
        let holders: Vec<_> = candidates.all_native().cloned().collect();
        if holders.is_empty() { Err(Error::NoBackend) } else { Ok(holders) }
    }

    /// The one backend that a request without a place of its own goes to.
    fn one(&self, name: Option<&str>) -> Result<Arc<Backend>, Error> {
        let name = match name {
            Some(name) => Some(name),
            None => self.named()?,
        };
        let possible: Vec<&Arc<Backend>> =
            self.view.backends.iter().filter(|backend| backend.enabled() && backend.may_be_ollama()).collect();
        let names = || possible.iter().map(|backend| backend.name()).collect::<Vec<_>>().join(", ");
        let backend = match (name, possible.as_slice()) {
            (_, []) => return Err(Error::NoBackend),
            (Some(name), some) => some.iter().find(|backend| backend.name() == name).ok_or_else(|| {
                Error::BadRequest(format!("no enabled backend has the name in {BACKEND}, there are: {}", names()))
            })?,
            (None, [one]) => one,
            (None, _) => {
                return Err(Error::BadRequest(format!(
                    "there are several backends, name the one that is meant in the header {BACKEND}: {}",
                    names()
                )));
            }
        };
        Ok(Arc::clone(backend))
    }

    /// What the client wrote into the header, at most once.
    fn named(&self) -> Result<Option<&str>, Error> {
        let mut values = self.parts.headers.get_all(&BACKEND).iter();
        let (first, second) = (values.next(), values.next());
        let unreadable = || Error::BadRequest(format!("the header {BACKEND} must hold the name of one backend"));
        match (first, second) {
            (None, _) => Ok(None),
            (Some(value), None) => {
                std::str::from_utf8(value.as_bytes()).map(|name| Some(name.trim())).map_err(|_| unreadable())
            }
            (Some(_), Some(_)) => Err(unreadable()),
        }
    }
}

impl Managed {
    /// The answer to the client; its body owns all that the request holds.
    pub(super) fn respond(self, exchange: &Exchange<'_>, account: Account) -> Response<Body> {
        let Self { response, owner, watch, endpoint } = self;
        let (head, body) = response.into_parts();
        let framing = Framing::of(&head.headers);
        let stall = exchange.view.snapshot.settings.stall_timeout.max(STALL);
        let shape = Shape { framing, endpoint, prompt_bytes: 0 };
        let tee = Tee::new(endpoint, framing);
        let body = Forwarded::new(body, owner, account, Some(tee), shape, stall, watch).boxed_unsync();
        let mut response = Response::new(body);
        *response.status_mut() = head.status;
        *response.headers_mut() = headers::to_client(head.headers, framing);
        response
    }
}

/// Where something is done, and that it is being done.
type At = (Arc<Backend>, InFlight);

/// What a running answer holds; dropped, the list of its backend is read again.
struct Managing {
    running: Running,
    /// The backend has other models afterwards.
    changes: bool,
}

impl Owner for Managing {
    fn ended(&self) -> Option<Broken> {
        self.running.ended()
    }

    fn backend_failed(&mut self, broken: &Broken) {
        self.running.backend_failed(broken);
    }
}

impl Drop for Managing {
    fn drop(&mut self) {
        if self.changes
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let Running { caller, .. } = &self.running;
            let (fleet, backend) = (caller.inner.fleet.clone(), self.running.backend().id().clone());
            runtime.spawn(async move { fleet.refresh(Some(backend)).await });
        }
    }
}
