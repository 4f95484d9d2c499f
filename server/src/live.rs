//! `GET /admin/live`: the live status as server-sent events; with `?user=ID`, where the keys of that user stand instead of
//! the fleet. The present status at once, then every change, until the
//! session ends, its address is kept out of the admin pages, the browser goes away, or the process stops.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use control::{Actor, Client, Control};
use domain::{id::UserId, key::KeyStanding, live::LiveStatus, user::UserRef};
use futures_util::{Stream, stream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// A comment goes out after this silence, so that proxies keep the connection and dead browsers are noticed.
pub const PING: Duration = Duration::from_secs(15);
/// How often a silent stream asks whether its session is still valid.
pub const CHECK: Duration = Duration::from_secs(3);

/// What the stream needs.
#[derive(Clone)]
pub struct Live {
    pub control: Control,
    pub stopping: CancellationToken,
}

/// Opens the stream; 401 without a session.
pub async fn live(
    State(live): State<Live>,
    Extension(client): Extension<Client>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let token = app::ssr::session_token(&headers, client.https);
    let Some(actor) = token.and_then(|token| live.control.authenticate(token, &client)) else {
        return (StatusCode::UNAUTHORIZED, "sign in to go on").into_response();
    };
    let user = match uri.query().map(|query| query.strip_prefix("user=").and_then(|id| UserId::new(id).ok())) {
        None => None,
        Some(Some(id)) if live.control.standings(&actor, &UserRef { id: id.clone() }).is_ok() => Some(UserRef { id }),
        Some(_) => return (StatusCode::NOT_FOUND, "there is no such user").into_response(),
    };
    stream_of(events(live, actor, user))
}

/// Events as an answer, with a ping where there is none for long.
pub fn stream_of(events: impl Stream<Item = Result<Event, Infallible>> + Send + 'static) -> Response {
    let ping = KeepAlive::new().interval(PING).text("ping");
    let mut response = Sse::new(events).keep_alive(ping).into_response();
    // nginx in front would hold events back.
    response.headers_mut().insert("x-accel-buffering", axum::http::HeaderValue::from_static("no"));
    response
}

struct Reader {
    live: Live,
    actor: Actor,
    status: watch::Receiver<Arc<LiveStatus>>,
    /// Whose addresses come in was changed.
    doors: watch::Receiver<()>,
    first: bool,
    /// Whose keys' standings are told in place of the fleet.
    user: Option<UserRef>,
    standings: Vec<KeyStanding>,
}

fn events(live: Live, actor: Actor, user: Option<UserRef>) -> impl Stream<Item = Result<Event, Infallible>> {
    let (status, doors) = (live.control.live(&actor), live.control.doors_moved());
    let reader = Reader { live, actor, status, doors, first: true, user, standings: Vec::new() };
    stream::unfold(reader, |mut reader| async move { reader.next().await.map(|event| (Ok(event), reader)) })
}

impl Reader {
    /// The next event; `None` ends the stream.
    async fn next(&mut self) -> Option<Event> {
        if !std::mem::take(&mut self.first) {
            self.change().await?;
        }
        let mut status = Arc::clone(&self.status.borrow_and_update());
        if let Some(user) = &self.user {
            self.standings = self.live.control.standings(&self.actor, user).ok()?;
            status = Arc::new(LiveStatus {
                sequence: status.sequence,
                at: status.at,
                redis: status.redis.clone(),
                standings: self.standings.clone(),
                ..LiveStatus::default()
            });
        }
        Event::default()
            .id(status.sequence.to_string())
            .json_data(status.as_ref())
            .inspect_err(|error| tracing::error!(%error, "the live status cannot be written as JSON"))
            .ok()
    }

    /// Waits for a change; `None` where there will be none for this reader.
    async fn change(&mut self) -> Option<()> {
        let mut check = tokio::time::interval(CHECK);
        loop {
            tokio::select! {
                () = self.live.stopping.cancelled() => return None,
                changed = self.status.changed() => {
                    changed.ok()?;
                    return self.live.control.is_live(&self.actor).then_some(());
                }
                Ok(()) = self.doors.changed() => {
                    if !self.live.control.is_live(&self.actor) {
                        return None;
                    }
                }
                _ = check.tick() => {
                    if !self.live.control.is_live(&self.actor) {
                        return None;
                    }
                    // Windows and minutes empty by themselves.
                    if let Some(user) = &self.user
                        && self.live.control.standings(&self.actor, user).ok()? != self.standings
                    {
                        return Some(());
                    }
                }
            }
        }
    }
}
