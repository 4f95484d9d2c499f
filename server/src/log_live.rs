//! `GET /admin/requests/live` with the fields of the Requests page's form: rows of the log as server-sent events, as the
//! requests end, until the session ends, its address is kept out of the admin pages, the browser goes away, or the process
//! stops.

use std::convert::Infallible;

use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
    response::{IntoResponse, Response, sse::Event},
};
use control::{Actor, Client, LogTail};
use domain::usage::asked::AskLog;
use futures_util::stream;
use tokio::sync::watch;

use crate::{
    export,
    live::{CHECK, Live, stream_of},
};

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
    let Some(asked) = read(uri.query().unwrap_or_default()) else {
        return (StatusCode::BAD_REQUEST, "say only what the form of the Requests page has").into_response();
    };
    let tail = match live.control.follow_log(&actor, &asked) {
        Ok(tail) => tail,
        Err(error) => return export::refusal(&error),
    };
    let doors = live.control.doors_moved();
    let reader = Reader { live, actor, doors, tail };
    let events = stream::unfold(reader, |mut reader| async move {
        let event = reader.next().await?;
        Some((Ok::<_, Infallible>(event), reader))
    });
    stream_of(events)
}

fn read(query: &str) -> Option<AskLog> {
    let mut asked = AskLog::default();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        // It begins with the newest.
        if name == "after" || !asked.set(&name, value.to_string()) {
            return None;
        }
    }
    Some(asked)
}

struct Reader {
    live: Live,
    actor: Actor,
    /// Whose addresses come in was changed.
    doors: watch::Receiver<()>,
    tail: LogTail,
}

impl Reader {
    /// The next event; `None` ends the stream.
    async fn next(&mut self) -> Option<Event> {
        let mut check = tokio::time::interval(CHECK);
        let next = self.tail.next();
        tokio::pin!(next);
        let news = loop {
            tokio::select! {
                () = self.live.stopping.cancelled() => return None,
                news = &mut next => break news?,
                Ok(()) = self.doors.changed() => {}
                _ = check.tick() => {}
            }
            if !self.live.control.is_live(&self.actor) {
                return None;
            }
        };
        if !self.live.control.is_live(&self.actor) {
            return None;
        }
        Event::default()
            .json_data(&news)
            .inspect_err(|error| tracing::error!(%error, "rows of the log cannot be written as JSON"))
            .ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_asked_what_the_form_asks_and_nothing_else() {
        assert_eq!(read("key=ci"), Some(AskLog { key: "ci".into(), ..AskLog::default() }));
        assert_eq!(read(""), Some(AskLog::default()));
        for query in ["live=1", "after=1-0123456789abcdef", "user=x&user_id=y"] {
            assert_eq!(read(query), None, "{query}");
        }
    }
}
