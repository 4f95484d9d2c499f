//! Sends a request to its candidates until one begins to answer. Another is tried only while not a byte has reached the
//! client, and only where that is safe: nothing was sent, the backend said that it is full or has no such model, or it died
//! without a byte. Never because it is slow.

mod complaint;

use std::time::{Duration, Instant};

use bytes::Bytes;
use domain::endpoint::Endpoint;
use http::{Method, StatusCode};

pub(crate) use complaint::Complaint;

use crate::{
    Inner,
    account::Account,
    backend::{BackendResponse, SendError},
    balance::Picked,
    error::Error,
    headers::ToBackend,
    limit::Permit,
    queue::{Bounds, Refused, Wait},
    resolve::{Candidates, Choice},
    snapshot::Settings,
    verdict::Fault,
};

/// Most tries beside the first, those not counted for which nothing was sent.
const MOST: u8 = 2;

/// A request as every backend gets it.
pub(crate) struct Outgoing<'r> {
    pub(crate) method: Method,
    pub(crate) endpoint: Endpoint,
    pub(crate) path_and_query: &'r str,
    pub(crate) headers: ToBackend<'r>,
    pub(crate) body: Bytes,
}

/// Where requests get their slots, and how each waits for one.
pub(crate) struct Dispatch<'d> {
    pub(crate) inner: &'d Inner,
    pub(crate) settings: &'d Settings,
    pub(crate) wait: Wait<'d>,
}

impl Dispatch<'_> {
    /// A slot at one of the candidates, after a wait where all are taken.
    async fn place(&mut self, candidates: &mut Candidates, account: &mut Account) -> Result<Choice, Error> {
        let queue = self.inner.fleet.queue();
        let placed = match queue.place_at_once(candidates) {
            Some(placed) => placed,
            None => {
                let begun = Instant::now();
                // In a box: most requests wait for nobody.
                let placed = Box::pin(queue.wait(candidates, &self.wait)).await;
                account.queued(begun.elapsed());
                // Whoever must wait again waits for what is left of the time.
                let Bounds { max, timeout } = self.wait.bounds;
                self.wait.bounds = Bounds { max, timeout: timeout.saturating_sub(begun.elapsed()) };
                placed
            }
        };
        match placed {
            Ok(placed) => {
                account.billed(placed.bill(self.inner.fleet.load()));
                Ok(placed.choice)
            }
            Err(Refused::Nobody) => Err(Error::NoBackend),
            Err(Refused::QueueFull) => Err(Error::QueueFull { retry_after: candidates.retry_after() }),
            Err(Refused::TimedOut) => Err(Error::QueueTimeout { retry_after: candidates.retry_after() }),
        }
    }

    fn now(&self) -> u64 {
        self.inner.now()
    }
}

/// Longest time in which a request and the end of its idle connection cross each other on the way.
const CROSSING: Duration = Duration::from_secs(1);

/// Why another backend may be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// Nothing was sent.
    Unconnected,
    /// 503: its queue is full.
    Busy,
    /// 404 for a model of its list.
    Missing,
    /// The connection ended without a byte after the request.
    Died,
}

/// What of its tries a request has used up.
#[derive(Default)]
struct Used {
    tries: u8,
    missing: bool,
    died: bool,
}

impl Used {
    /// Whether one more try for this reason would be one too many.
    fn is_enough(&self, reason: Reason) -> bool {
        match reason {
            Reason::Unconnected => false,
            Reason::Busy => self.tries >= MOST,
            Reason::Missing => self.missing || self.tries >= MOST,
            Reason::Died => self.died || self.tries >= MOST,
        }
    }

    fn count(&mut self, reason: Reason) {
        self.tries += u8::from(reason != Reason::Unconnected);
        self.missing |= reason == Reason::Missing;
        self.died |= reason == Reason::Died;
    }
}

/// How a try went that is not the answer yet.
struct Miss {
    reason: Reason,
    /// What the client gets where nobody else is tried.
    otherwise: Result<BackendResponse, Error>,
}

/// How a try ended.
enum Tried {
    Answered(BackendResponse),
    Missed(Miss),
}

/// The first answer, and the backend that gave it. The permit proves that the request was admitted.
pub(crate) async fn forward(
    dispatch: &mut Dispatch<'_>,
    _permit: &Permit,
    candidates: &mut Candidates,
    request: &Outgoing<'_>,
    account: &mut Account,
) -> Result<(Choice, BackendResponse), Error> {
    let mut choice = dispatch.place(candidates, account).await?;
    let mut used = Used::default();
    loop {
        choice.speaks = request.endpoint != Endpoint::Show;
        account.backend(choice.backend.id());
        account.warmth(choice.warm, if choice.warm { None } else { choice.model.evicted_by() });
        account.choice(candidates.kept(&choice));
        let Miss { reason, otherwise } = match attempt(dispatch, &mut choice, request).await? {
            Tried::Answered(response) => return Ok((choice, response)),
            Tried::Missed(miss) => miss,
        };
        let now = dispatch.now();
        let next = if used.is_enough(reason) { Picked::Nobody } else { candidates.pick(now) };
        let allowed = || reason == Reason::Unconnected || dispatch.inner.retries.take(now);
        choice = match next {
            Picked::Member(index, slot) if allowed() => {
                if let Ok(response) = otherwise {
                    response.body.put_by();
                }
                candidates.chosen(index, slot, now)
            }
            Picked::Full if allowed() => {
                // Its slot must not be held while others wait for it.
                drop((choice, otherwise));
                dispatch.place(candidates, account).await?
            }
            _ => return otherwise.map(|response| (choice, response)),
        };
        used.count(reason);
        account.retried();
    }
}

/// One try at one backend, and what it says about that.
async fn attempt(dispatch: &Dispatch<'_>, choice: &mut Choice, request: &Outgoing<'_>) -> Result<Tried, Error> {
    let sent = send(dispatch.settings, choice, request).await;
    let now = dispatch.now();
    let response = match sent {
        Ok(response) => response,
        Err(error) => {
            let (fault, reason) = match &error {
                SendError::Connect(_) => (Fault::Unreachable, Some(Reason::Unconnected)),
                SendError::ClosedBeforeResponse { .. } => (Fault::Died, Some(Reason::Died)),
                SendError::FirstByteTimeout => (Fault::Slow, None),
                SendError::Malformed(_) => (Fault::Malformed, None),
            };
            choice.failed(now, fault, error.to_string());
            let told = refusal(&error);
            return match reason {
                Some(reason) => Ok(Tried::Missed(Miss { reason, otherwise: Err(told) })),
                None => Err(told),
            };
        }
    };
    choice.reached(now);
    let (status, path) = (response.status, request.endpoint.path());
    let missed = |reason, response| Ok(Tried::Missed(Miss { reason, otherwise: Ok(response) }));
    match status {
        StatusCode::UNAUTHORIZED => {
            choice.backend.failed("it refused the gateway's credentials (401)".into());
            Err(Error::BackendCredentials)
        }
        StatusCode::NOT_FOUND => {
            choice.backend.model_missing();
            missed(Reason::Missing, response)
        }
        StatusCode::SERVICE_UNAVAILABLE => {
            choice.busy(now, format!("it answered {status} at {path}"));
            missed(Reason::Busy, response)
        }
        _ if status.is_informational() || status.is_redirection() => {
            choice.failed(now, Fault::Malformed, format!("it answered {status}"));
            Err(Error::BackendMalformed)
        }
        _ if status.is_server_error() => {
            choice.failed(now, Fault::Erred, format!("it answered {status} at {path}"));
            Ok(Tried::Answered(response))
        }
        _ => Ok(Tried::Answered(response)),
    }
}

async fn send(settings: &Settings, choice: &Choice, request: &Outgoing<'_>) -> Result<BackendResponse, SendError> {
    let Outgoing { method, path_and_query, headers, body, .. } = request;
    let begun = Instant::now();
    let mut crossed = false;
    loop {
        match choice.backend.send(settings, method, path_and_query, headers.iter(), body.clone()).await {
            // The backend closed an idle connection while we picked it up: it never saw the request. One that died later
            // may have worked on it, so that another try is for the budget to allow.
            Err(SendError::ClosedBeforeResponse { reused: true }) if !crossed && begun.elapsed() < CROSSING => {
                crossed = true;
            }
            answer => return answer,
        }
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
