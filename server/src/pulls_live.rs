//! `GET /admin/pulls/live`: what the Downloads page shows as server-sent events, at most one a second and only where it says
//! anything new, until the session ends, its address is kept out of the admin pages, the browser goes away, or the process
//! stops.

use std::{convert::Infallible, time::Duration};

use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response, sse::Event},
};
use control::{Actor, Client};
use domain::pull::PullOverview;
use futures_util::stream;
use tokio::{
    sync::watch,
    time::{Interval, MissedTickBehavior, interval},
};

use crate::live::{Live, stream_of};

/// Between two news.
const EVERY: Duration = Duration::from_secs(1);

/// Opens the stream; 401 without a session.
pub async fn live(State(live): State<Live>, Extension(client): Extension<Client>, headers: HeaderMap) -> Response {
    let token = app::ssr::session_token(&headers, client.https);
    let Some(actor) = token.and_then(|token| live.control.authenticate(token, &client)) else {
        return (StatusCode::UNAUTHORIZED, "sign in to go on").into_response();
    };
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let doors = live.control.doors_moved();
    let reader = Reader { live, actor, doors, ticks, told: None };
    let events = stream::unfold(reader, |mut reader| async move {
        let event = reader.next().await?;
        Some((Ok::<_, Infallible>(event), reader))
    });
    stream_of(events)
}

struct Reader {
    live: Live,
    actor: Actor,
    /// Whose addresses come in was changed.
    doors: watch::Receiver<()>,
    ticks: Interval,
    told: Option<PullOverview>,
}

impl Reader {
    /// The next event; `None` ends the stream.
    async fn next(&mut self) -> Option<Event> {
        loop {
            let due = tokio::select! {
                () = self.live.stopping.cancelled() => return None,
                Ok(()) = self.doors.changed() => false,
                _ = self.ticks.tick() => true,
            };
            if !self.live.control.is_live(&self.actor) {
                return None;
            }
            if !due {
                continue;
            }
            let now = self.live.control.pull_overview(&self.actor);
            if self.told.as_ref().is_none_or(|told| now.says_more_than(told)) {
                let event = Event::default().json_data(&now);
                self.told = Some(now);
                return event
                    .inspect_err(|error| tracing::error!(%error, "pulls of models cannot be written as JSON"))
                    .ok();
            }
        }
    }
}
