//! The part of the pipeline that needs a backend: read the body, resolve its model, forward, and hand the answer over to
//! its body.

use std::{pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use domain::{
    auto::Wanted,
    endpoint::{Dialect, Endpoint},
    id::KeyId,
    model::ModelNameError,
};
use http::{Response, header};
use http_body_util::{BodyExt, Full};

use super::{
    Exchange,
    fallback::Fallback,
    running::{Held, Running},
};
use crate::{
    Body,
    account::{Account, Tee},
    alias::Alias,
    auth::Principal,
    backend::BackendResponse,
    error::Error,
    forward::{self, Complaint, Dispatch, Outgoing},
    headers::{self, Met, ToBackend},
    limit::Permit,
    policy::{Estimate, Reservation, Rules, Slots},
    queue,
    request::{self, Buffered, Facts, Share},
    resolve::{self, Candidates, Chain, Choice, Picked, ResolveError},
    signal::Watch,
    stream::{Forwarded, Shape},
    wire::Framing,
};

/// A backend has begun to answer.
pub(super) struct Ready {
    response: Answer,
    owner: Running,
    watch: Watch,
    endpoint: Endpoint,
    prompt_bytes: usize,
    met: Met,
    /// Longest silence within the answer.
    stall: Duration,
}

enum Answer {
    /// Passes as it comes.
    Passing(BackendResponse),
    /// Has come whole.
    Complaint(Complaint),
}

impl Exchange<'_> {
    /// Everything up to the backend's first byte. Ends early when the gateway shuts down or the key is revoked.
    pub(super) async fn infer<B>(
        &self,
        principal: &Principal,
        (permit, slots): (Permit, Slots),
        endpoint: Endpoint,
        account: &mut Account,
        body: &mut Option<B>,
    ) -> Result<Ready, Error>
    where
        B: http_body::Body<Data = Bytes> + Unpin,
    {
        if self.parts.uri.query().is_some_and(request::names_model) {
            return Err(Error::BadRequest("the model is named in the body, not in the query of the address".into()));
        }
        let caller = self.caller(principal);
        let mut watch = caller.watch(&self.view)?;
        // The work first: what is ready at once costs no look at the signal.
        let (Buffered { bytes, mut share, .. }, facts) = tokio::select! {
            biased;
            received = self.receive(&principal.key().id, endpoint, body, account) => received?,
            error = caller.until_ended(&mut watch) => return Err(error),
        };
        let alias = self.view.snapshot.settings.aliases.find(&facts.model);
        let wanted = match alias.filter(|alias| alias.auto.is_some()) {
            None => Wanted::default(),
            // In a box: no other request should carry the room it takes.
            Some(_) => match Box::pin(request::wanted(endpoint, &bytes)).await {
                Ok(wanted) => wanted,
                Err(error) => {
                    account.unresolved(&facts.model);
                    return Err(error);
                }
            },
        };
        let (mut candidates, chain) = self.candidates(principal, endpoint, &facts, (alias, wanted), account)?;
        let reason: Option<Box<str>> = chain.as_ref().and_then(|chain| chain.reason().map(Into::into));
        let together = candidates.wants_affinity() || chain.is_some();
        let together = together.then(|| facts.affinity(&self.parts.headers, &principal.key().id, &bytes));
        together.into_iter().for_each(|hash| candidates.together(hash));
        let mut sent = self.prepare(principal, &slots, endpoint, (bytes, &mut share), account).await?;
        if let Some(chain) = &chain {
            sent = Box::pin(request::rename(endpoint, &self.parts.headers, (sent, &mut share), chain.model())).await?;
        }
        let mut outgoing = Outgoing {
            method: self.parts.method.clone(),
            endpoint,
            path_and_query: self.parts.uri.path_and_query().map_or(endpoint.path(), |path| path.as_str()),
            headers: ToBackend::new(&self.parts.headers, &self.request_id),
            body: sent,
        };
        let nobody_speaks = endpoint.dialect() == Dialect::Ollama && candidates.all_native().next().is_none();
        let mut dispatch = self.dispatch(principal, cost(facts.prompt_bytes));
        self.inner.retries.request();
        let answer = {
            // Pinned, so that it is not moved into the wait.
            let forwarded = pin!(forward::forward(&mut dispatch, &permit, &mut candidates, &outgoing, account));
            tokio::select! {
                biased;
                answer = forwarded => answer,
                error = caller.until_ended(&mut watch) => return Err(error),
            }
        };
        let answer = match chain {
            Some(chain) if Fallback::is_due(&answer, &outgoing) => {
                let fallback = Fallback { exchange: self, rules: &principal.key().rules, together, share: &mut share };
                let others =
                    fallback.run(answer, chain, &mut dispatch, &permit, &mut candidates, &mut outgoing, account);
                tokio::select! {
                    biased;
                    // In a box, because it is rare.
                    answer = Box::pin(others) => answer,
                    error = caller.until_ended(&mut watch) => return Err(error),
                }
            }
            _ => answer,
        };
        let (mut choice, response) = answer.map_err(|error| match error {
            Error::NoBackend if nobody_speaks => compatible_only(&facts.model),
            error => error,
        })?;
        account.status(response.status);
        let stall = choice.backend.stall_timeout(&self.view.snapshot.settings);
        let response = if response.status.is_client_error() || response.status.is_server_error() {
            // What is left of it says nothing any more.
            choice.speaks = false;
            // In a box, because it is rare.
            tokio::select! {
                complaint = Box::pin(Complaint::read(response, self.dialect, stall, self.id)) => {
                    Answer::Complaint(complaint)
                }
                error = caller.until_ended(&mut watch) => return Err(error),
            }
        } else {
            Answer::Passing(response)
        };
        let mut met = self.met(principal, &candidates, &choice, account);
        met.auto = reason.map(Into::into);
        let owner = Running::new(caller, Held::Choice(choice), permit, slots);
        Ok(Ready { response, owner, watch, endpoint, prompt_bytes: facts.prompt_bytes, met, stall })
    }

    fn dispatch<'d>(&'d self, principal: &'d Principal, cost: u64) -> Dispatch<'d> {
        let settings = &self.view.snapshot.settings;
        let bounds = queue::Bounds { max: settings.queue_max, timeout: settings.queue_timeout };
        let wait = queue::Wait { request_id: self.id, key: &principal.key().id, cost, bounds };
        Dispatch { inner: self.inner, settings, wait }
    }

    /// What the client is told of how its request went.
    fn met(&self, principal: &Principal, candidates: &Candidates, choice: &Choice, account: &Account) -> Met {
        let sees = principal.key().rules.topology();
        let asked = || self.parts.headers.get(&headers::EXPLAIN).is_some_and(|value| value.as_bytes() == b"1");
        Met {
            queue_ms: account.queue_ms(),
            warm: choice.warm,
            backend: sees.then(|| choice.backend.name().to_owned()),
            model: account.via_told().map(|_| candidates.model().to_owned()),
            auto: None,
            why: (sees && asked()).then(|| candidates.explain(account.via_told(), choice, self.inner.now())),
        }
    }

    async fn receive<B>(
        &self,
        key: &KeyId,
        endpoint: Endpoint,
        body: &mut Option<B>,
        account: &mut Account,
    ) -> Result<(Buffered, Facts), Error>
    where
        B: http_body::Body<Data = Bytes> + Unpin,
    {
        let settings = &self.view.snapshot.settings;
        let body = request::buffer(&self.parts.headers, body, settings, (&self.inner.bodies, key)).await?;
        account.received(body.received);
        let facts = request::read(endpoint, &self.parts.headers, &body.bytes).await?;
        Ok((body, facts))
    }

    /// Brings the body under the ceilings, and reserves what it may use in the budgets.
    async fn prepare(
        &self,
        principal: &Principal,
        slots: &Slots,
        endpoint: Endpoint,
        (body, share): (Bytes, &mut Share),
        account: &mut Account,
    ) -> Result<Bytes, Error> {
        let ceilings = principal.key().rules.ceilings();
        // Showing a model is no work for it.
        let budget = slots.has_budget() && endpoint != Endpoint::Show;
        if !ceilings.any() && !budget {
            return Ok(body);
        }
        if ceilings.any() {
            // For a moment there may be two of it.
            share.resize(body.len().saturating_mul(2))?;
        }
        let (body, estimate) = request::aside(body.len(), move || {
            let body = ceilings.apply(endpoint, &body)?;
            let estimate = if budget { Estimate::of(endpoint, &body) } else { Estimate::default() };
            Ok((body, estimate))
        })
        .await?;
        share.resize(body.len())?;
        if budget {
            account.reserve(Reservation::take(slots, estimate, self.inner.started).map_err(Error::Exceeded)?);
        }
        Ok(body)
    }

    /// The backends to ask, and where the client named an alias what else that leads to.
    fn candidates(
        &self,
        principal: &Principal,
        endpoint: Endpoint,
        facts: &Facts,
        (alias, wanted): (Option<&Arc<Alias>>, Wanted),
        account: &mut Account,
    ) -> Result<(Candidates, Option<Box<Chain>>), Error> {
        let (rules, native) = (&principal.key().rules, endpoint.dialect() == Dialect::Ollama);
        let found = match alias {
            None => resolve::resolve(&self.view, &facts.model).map(|candidates| (candidates, None)),
            Some(alias) => {
                self.chain(alias, rules, native, wanted).map(|(candidates, chain)| (candidates, Some(chain)))
            }
        };
        match found {
            Ok((mut candidates, chain)) => {
                account.model(candidates.model());
                if let Some(chain) = &chain {
                    account.via(chain.via());
                } else if !rules.admits_model(candidates.model()) {
                    // The same answer as for a model that nobody has, so that no key learns what others use.
                    return Err(request::unknown(endpoint, &facts.model));
                }
                if native {
                    candidates.native_only();
                }
                Ok((candidates, chain))
            }
            Err(error) => {
                account.unresolved(&facts.model);
                Err(unresolved(error, endpoint, &facts.model))
            }
        }
    }
}

impl Exchange<'_> {
    fn chain(
        &self,
        alias: &Arc<Alias>,
        rules: &Rules,
        native: bool,
        wanted: Wanted,
    ) -> Result<(Candidates, Box<Chain>), ResolveError> {
        let now = self.inner.now();
        let mut chain = Box::new(match alias.auto {
            None => Chain::new(alias, rules, native),
            Some(_) => Chain::of(alias, Picked::of(alias, &self.view, rules, wanted, now)?, native),
        });
        let candidates = chain.first(&self.view, rules, now)?;
        Ok((candidates, chain))
    }
}

impl Ready {
    /// The answer to the client; its body owns all that the request holds.
    pub(super) fn respond(self, mut account: Account) -> Response<Body> {
        let Self { response, owner, watch, endpoint, prompt_bytes, met, stall } = self;
        let (status, headers, body) = match response {
            Answer::Passing(BackendResponse { status, headers, body }) => {
                let framing = Framing::of(&headers);
                account.streamed(framing != Framing::Whole);
                let readable = !headers.contains_key(header::CONTENT_ENCODING);
                let tee = readable.then(|| Tee::new(endpoint, framing));
                let shape = Shape { framing, endpoint, prompt_bytes };
                let body = Forwarded::new(body, owner, account, tee, shape, stall, watch).boxed_unsync();
                (status, headers::to_client(headers, framing), body)
            }
            Answer::Complaint(Complaint { status, headers, body, said }) => {
                account.told(&said);
                let shape = Shape { framing: Framing::Whole, endpoint, prompt_bytes };
                let body = Forwarded::new(Full::new(body), owner, account, None, shape, stall, watch).boxed_unsync();
                (status, headers, body)
            }
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        met.write(response.headers_mut());
        response
    }
}

/// What a request costs in the queue, in tokens: its text at four bytes each, and something for its answer. Pictures are
/// left out, because their bytes say nothing of the work. With the bound the longest text waits for a few rounds of others,
/// not for as many as a flood of small requests likes; what it really used is put right later, within the same bound.
fn cost(prompt_bytes: usize) -> u64 {
    (256 + prompt_bytes as u64 / 4).min(queue::MOST)
}

fn unresolved(error: ResolveError, endpoint: Endpoint, model: &str) -> Error {
    match error {
        ResolveError::Unknown => request::unknown(endpoint, model),
        ResolveError::Cloud => Error::CloudModel,
        ResolveError::Invalid(ModelNameError::Empty) => Error::MissingModel,
        ResolveError::Invalid(error) => Error::BadRequest(error.to_string()),
        ResolveError::NoBackend => Error::NoBackend,
        ResolveError::Wanting(what) => {
            Error::UnknownModel(format!("model 'auto' found no model for this key that can {what}"))
        }
    }
}

/// A model is known and enabled, and yet nobody could be asked: its backends do not speak Ollama's own API.
fn compatible_only(model: &str) -> Error {
    let model = request::cut(model, 200);
    Error::BadRequest(format!("model '{model}' is on OpenAI-compatible backends only, use the /v1 endpoints"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_request_costs_its_text_up_to_a_bound() {
        assert_eq!((cost(0), cost(4_000)), (256, 1_256));
        assert_eq!(cost(usize::MAX), queue::MOST);
        let picture = "A".repeat(1 << 20);
        let body = format!(r#"{{"model":"a","prompt":"what is it?","images":["{picture}"]}}"#);
        let facts = request::read(Endpoint::Generate, &http::HeaderMap::new(), &body.into()).await.unwrap();
        assert_eq!(cost(facts.prompt_bytes), 258, "pictures are no text");
    }
}
