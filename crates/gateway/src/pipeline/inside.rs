//! The way of an administrator's own request: the stages of every other, but for the credential, which was a session.

use std::{
    net::IpAddr,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Instant,
};

use bytes::Bytes;
use domain::endpoint::Endpoint;
use http::{HeaderMap, Method, Request, Response, Uri, header};
use http_body::Body as HttpBody;

use super::{Exchange, unread, with_standing};
use crate::{
    Body, Inner,
    account::Account,
    auth::Principal,
    error::Error,
    headers,
    insider::{InsideCall, Insider},
    limit::Policy,
    policy::Now,
    wire,
};

/// All that is believed of the head: what the body is, and how the answer is to be told.
static HEARD: [header::HeaderName; 4] =
    [header::CONTENT_TYPE, header::CONTENT_ENCODING, header::CONTENT_LENGTH, headers::EXPLAIN];

pub(crate) fn handle_insider<B>(
    inner: &Arc<Inner>,
    request: Request<B>,
    (insider, call): (Insider, InsideCall),
    address: IpAddr,
) -> impl Future<Output = Response<Body>>
where
    B: HttpBody<Data = Bytes> + Unpin,
{
    let started = Instant::now();
    let (from, body) = request.into_parts();
    let endpoint = call.endpoint();
    // The caller's cookie, and the address it asked at, end here.
    let (mut parts, ()) = Request::new(()).into_parts();
    (parts.method, parts.uri) = (Method::POST, Uri::from_static(endpoint.path()));
    parts.headers = heard(&from.headers);
    let id = inner.ids.next();
    let (request_id, view, dialect) = (wire::request_id(id), inner.fleet.view(), endpoint.dialect());
    let expects = from.headers.contains_key(header::EXPECT);
    let exchange = Exchange { inner, view, parts, id, request_id, started, dialect, address };
    let mut body = Some(body);
    async move {
        let mut response = exchange.run_insider(insider, endpoint, &mut body).await;
        wire::seal(response.headers_mut(), exchange.request_id);
        if let Some(body) = body.filter(|body| !body.is_end_stream()) {
            unread(body, expects, &mut response).await;
        }
        response
    }
}

fn heard(from: &HeaderMap) -> HeaderMap {
    HEARD.iter().filter_map(|name| Some((name.clone(), from.get(name)?.clone()))).collect()
}

impl Exchange<'_> {
    async fn run_insider<B>(&self, insider: Insider, endpoint: Endpoint, body: &mut Option<B>) -> Response<Body>
    where
        B: HttpBody<Data = Bytes> + Unpin,
    {
        let now = Now::at(self.started, self.inner.started);
        let settings = &self.view.snapshot.settings;
        let principal = Principal::of_insider(insider);
        let times = (self.started, now);
        let mut account = Account::open(&self.inner.usage, &principal, endpoint, self.id, self.address, times);
        let slots = match self.guard(&principal, now) {
            Ok(slots) => slots,
            Err(error) => return self.conclude(account, Err(error)),
        };
        let policy = Policy { default: settings.default_limit, replicas: settings.replicas };
        let permit = match self.decide(self.inner.limiter.admit(&principal, policy, now.mono, self.id)).await {
            Ok(permit) => permit,
            Err(refusal) => return self.limited(account, refusal),
        };
        let standing = permit.standing();
        let answered = if !settings.classes.inference {
            Err(Error::Class)
        } else if self.inner.strained.load(Relaxed) {
            Err(Error::Memory)
        } else {
            self.infer(&principal, (permit, slots), endpoint, &mut account, body).await
        };
        let response = match answered {
            Ok(ready) => ready.respond(account),
            Err(error) => self.conclude(account, Err(error)),
        };
        with_standing(response, standing)
    }
}
