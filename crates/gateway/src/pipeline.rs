//! One request from its head to its answer: authenticate, admit, resolve, choose, forward, stream, account. Each stage
//! takes what the one before it made, and one view of the configuration serves the whole request.

mod fallback;
mod infer;
mod inside;
mod manage;
mod running;

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use bytes::Bytes;
use domain::{
    endpoint::{Dialect, Endpoint},
    usage::Outcome,
};
use http::{HeaderValue, Method, Request, Response, StatusCode, header, request::Parts};
use http_body::Body as _;
use hyper::body::Incoming;
use serde_json::json;

use crate::{
    Body, Inner,
    account::Account,
    auth::{self, Principal},
    backend::View,
    endpoints::{self, Class, Route},
    error::Error,
    hop,
    limit::{Admission, Permit, Policy, Refusal, Standing},
    listing,
    policy::{Now, Rules, Slots},
    request, wire,
};
pub(crate) use inside::handle_insider;
use running::Caller;

/// A request that is being answered.
struct Exchange<'g> {
    inner: &'g Arc<Inner>,
    view: Arc<View>,
    parts: Parts,
    id: u64,
    /// The same as answers and backends are told.
    request_id: HeaderValue,
    started: Instant,
    dialect: Dialect,
    address: IpAddr,
}

/// Like others on this way it is no `async fn`: that would keep what it is given beside what it makes of it, and the whole
/// future of a request is moved.
pub(crate) fn handle(
    inner: &Arc<Inner>,
    request: Request<Incoming>,
    peer: SocketAddr,
) -> impl Future<Output = Response<Body>> {
    let started = Instant::now();
    let (parts, body) = request.into_parts();
    let id = inner.ids.next();
    let request_id = wire::request_id(id);
    let dialect = endpoints::dialect_of(parts.uri.path());
    let expects = parts.headers.contains_key(header::EXPECT);
    let (view, address) = (inner.fleet.view(), peer.ip());
    let exchange = Exchange { inner, view, parts, id, request_id, started, dialect, address };
    let mut body = Some(body);
    async move {
        let mut response = exchange.run(&mut body).await;
        wire::seal(response.headers_mut(), exchange.request_id);
        if let Some(body) = body.filter(|body| !body.is_end_stream()) {
            unread(body, expects, &mut response).await;
        }
        response
    }
}

/// An answer before its request was read to the end. A little more is read, so that the connection can go on; otherwise
/// the answer says that it ends, because it would end all the same.
async fn unread<B>(body: B, expects: bool, response: &mut Response<Body>)
where
    B: http_body::Body<Data = Bytes> + Unpin,
{
    // Whoever waits to be asked for the body shall not be asked for it now.
    let read = !expects && !response.headers().contains_key(header::CONNECTION) && request::read_away(body).await;
    if !read {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
}

/// What the head of a request led to.
enum Entered<'r> {
    Answered(Response<Body>),
    /// By what the key's policy says of every request.
    Refused(Account, Error),
    Known(Known<'r>, Admission<'r>),
}

/// A request whose caller is known.
struct Known<'r> {
    principal: Principal,
    route: Route<'r>,
    account: Account,
    slots: Slots,
}

impl Exchange<'_> {
    fn caller(&self, principal: &Principal) -> Caller {
        Caller {
            inner: Arc::clone(self.inner),
            key: principal.key().id.clone(),
            address: self.address,
            insider: principal.insider().cloned(),
        }
    }

    async fn run(&self, body: &mut Option<Incoming>) -> Response<Body> {
        let (known, admission) = match self.enter() {
            Ok(Entered::Known(known, admission)) => (known, admission),
            Ok(Entered::Answered(response)) => return response,
            Ok(Entered::Refused(account, error)) => return self.conclude(account, Err(error)),
            Err(error) => return self.refuse(&error),
        };
        match self.decide(admission).await {
            Ok(permit) => self.answer(known, permit, body).await,
            Err(refusal) => self.limited(known.account, refusal),
        }
    }

    /// Route, authenticate, admit: all that the head decides, unless Redis has to be asked.
    fn enter(&self) -> Result<Entered<'_>, Error> {
        let route = endpoints::find(&self.parts.method, self.parts.uri.path())?;
        if route.endpoint == Endpoint::Root {
            let text = HeaderValue::from_static("text/plain; charset=utf-8");
            return Ok(Entered::Answered(wire::whole(StatusCode::OK, text, "Ollama is running")));
        }
        if hop::is_loop(&self.parts.headers) {
            return Err(Error::Loop);
        }
        let now = Now::at(self.started, self.inner.started);
        let snapshot = &self.view.snapshot;
        let principal = auth::authenticate(snapshot, &self.parts, self.address, &self.inner.failures, now)?;
        if route.endpoint == Endpoint::Queue {
            // Whoever waits may look as often as it likes: nothing is counted and nothing is sent to a backend.
            return Ok(Entered::Answered(self.queue(&principal)));
        }
        let (usage, times) = (&self.inner.usage, (self.started, now));
        let account = Account::open(usage, &principal, route.endpoint, self.id, self.address, times);
        let slots = match self.guard(&principal, now) {
            Ok(slots) => slots,
            Err(error) => return Ok(Entered::Refused(account, error)),
        };
        let settings = &snapshot.settings;
        let policy = Policy { default: settings.default_limit, replicas: settings.replicas };
        let admission = self.inner.limiter.admit(&principal, policy, now.mono, self.id);
        Ok(Entered::Known(Known { principal, route, account, slots }, admission))
    }

    /// What the policies of key and user say before the request counts: where it may come from, and how many may run.
    fn guard(&self, principal: &Principal, now: Now) -> Result<Slots, Error> {
        let key = principal.key();
        if !key.rules.admits_address(self.address) {
            return Err(Error::Address);
        }
        self.inner.ledger.enter(key, now).map_err(Error::Exceeded)
    }

    async fn decide(&self, admission: Admission<'_>) -> Result<Permit, Refusal> {
        match admission {
            Admission::Decided(decided) => decided,
            // In a box, so that requests of gateways without Redis do not carry the room it takes.
            Admission::Ask(ask) => Box::pin(ask.decide(|| self.inner.now())).await,
        }
    }

    fn answer<'e>(
        &'e self,
        known: Known<'e>,
        permit: Permit,
        body: &'e mut Option<Incoming>,
    ) -> impl Future<Output = Response<Body>> {
        let Known { principal, route, mut account, slots } = known;
        async move {
            let standing = permit.standing();
            let (classes, rules) = (self.view.snapshot.settings.classes, &principal.key().rules);
            let (endpoint, held) = (route.endpoint, (permit, slots));
            let answered = match route.class {
                Class::Management if !classes.management && !rules.management() => Err(Error::Management),
                Class::Inference if !classes.inference => Err(Error::Class),
                Class::Inference if self.inner.strained.load(Relaxed) => Err(Error::Memory),
                Class::Catalogue if !classes.catalogue => Err(Error::Class),
                // In a box: no other request should carry the room it takes.
                Class::Management => {
                    match Box::pin(self.manage(&principal, held, endpoint, &mut account, body)).await {
                        Ok(ready) => return with_standing(ready.respond(self, account), standing),
                        Err(error) => Err(error),
                    }
                }
                Class::Refused => Err(Error::Account),
                Class::Catalogue | Class::Local => self.local(&route, rules),
                Class::Inference => match self.infer(&principal, held, endpoint, &mut account, body).await {
                    Ok(ready) => return with_standing(ready.respond(account), standing),
                    Err(error) => Err(error),
                },
            };
            with_standing(self.conclude(account, answered), standing)
        }
    }

    fn limited(&self, account: Account, refusal: Refusal) -> Response<Body> {
        let Refusal { standing, retry_after, close } = refusal;
        let error = Error::Limited { limit: standing.limit, retry_after, close };
        with_standing(self.conclude(account, Err(error)), Some(standing))
    }

    /// Accounts for an answer that is the gateway's own.
    fn conclude(&self, mut account: Account, answered: Result<Response<Body>, Error>) -> Response<Body> {
        let (response, outcome) = match answered {
            Ok(response) => (response, Outcome::Complete),
            Err(error) => {
                account.told(&error.to_string());
                (self.refuse(&error), error.outcome())
            }
        };
        account.status(response.status());
        if self.parts.method != Method::HEAD {
            let length = response.body().size_hint().exact().unwrap_or_default();
            account.sent(usize::try_from(length).unwrap_or(usize::MAX));
        }
        account.finish(outcome);
        response
    }

    /// What the catalogue or the gateway itself answers.
    fn local(&self, route: &Route<'_>, rules: &Rules) -> Result<Response<Body>, Error> {
        let view = &self.view;
        // A key sees the models that it may use, and what it may not use does not exist for it.
        let aliases = &view.snapshot.settings.aliases;
        let part = rules.restricts_models().then_some(|model: &str| aliases.admit(rules, model));
        let body = match route.endpoint {
            Endpoint::Version => listing::version(view),
            Endpoint::Tags => listing::tags(view, part),
            Endpoint::Ps => listing::ps(view, part),
            Endpoint::OpenAiModels => listing::openai_models(view, part),
            Endpoint::OpenAiModel => {
                let model = route.model.as_deref().unwrap_or_default();
                let found = match aliases.find(model) {
                    Some(alias) => listing::openai_alias(view, alias, model, |model| aliases.admit(rules, model)),
                    None => listing::openai_model(view, model).filter(|_| rules.admits_model(model)),
                };
                found.ok_or_else(|| request::unknown(route.endpoint, model))?
            }
            Endpoint::Status => Bytes::from_static(b"{\"cloud\":{\"disabled\":true,\"source\":\"gateway\"}}"),
            Endpoint::Recommendations => Bytes::from_static(b"{\"recommendations\":[]}"),
            _ => return Err(Error::UnknownPath),
        };
        Ok(wire::whole(StatusCode::OK, wire::JSON, body))
    }

    /// Where the key's own requests stand, the next one first.
    fn queue(&self, principal: &Principal) -> Response<Body> {
        let places = self.inner.fleet.queue().places(&principal.key().id);
        let requests = places.into_iter().map(|place| {
            json!({
                "request_id": format!("{:016x}", place.request_id),
                "model": place.model,
                "position": place.position,
                "waited_ms": place.waited_ms,
                "expected_wait_ms": place.expected_ms,
            })
        });
        wire::whole(StatusCode::OK, wire::JSON, json!({ "requests": requests.collect::<Vec<_>>() }).to_string())
    }

    fn refuse(&self, error: &Error) -> Response<Body> {
        self.inner.told.count(error);
        tracing::debug!(
            request_id = format_args!("{:016x}", self.id),
            code = error.code(),
            source = ?error.source(),
            "refused"
        );
        wire::respond(self.dialect, error, self.id)
    }
}

/// Tells the callers of limited keys where they stand.
fn with_standing(mut response: Response<Body>, standing: Option<Standing>) -> Response<Body> {
    if let Some(standing) = standing {
        standing.write(response.headers_mut());
    }
    response
}

impl Inner {
    /// Monotonic milliseconds since the gateway was made.
    pub(crate) fn now(&self) -> u64 {
        self.at(Instant::now())
    }

    /// The same of another moment.
    pub(crate) fn at(&self, moment: Instant) -> u64 {
        let elapsed: Duration = moment.saturating_duration_since(self.started);
        u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
    }

    /// This moment.
    pub(crate) fn clock(&self) -> Now {
        Now::read(self.started)
    }
}
