//! `POST /admin/playground/chat` and `/admin/playground/embed`: Ollama's own `/api/chat` and `/api/embed` for whoever is signed
//! in as operator or owner, without a key. The gateway answers as it answers keys, bounds of bodies included, and accounts
//! under the administrator's name. The answer passes as it comes; it ends with the session, and with its reader.

use std::{
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Extension,
    body::Body,
    extract::{Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use control::{Actor, Client, Control};
use domain::playground::SIGN_IN;
use gateway::{BodyError, Gateway, InsideCall, Insider};
use http_body::{Frame, SizeHint};
use serde_json::json;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// What is below it is given up when its caller leaves.
const PLACE: &str = "/admin/playground/";
/// How often is asked whether the session still lives: what runs costs more than a stream of events.
const CHECK: Duration = Duration::from_secs(1);

/// What the routes need.
#[derive(Clone)]
pub struct Playground {
    pub control: Control,
    pub gateway: Gateway,
}

/// A call that nobody waits for any more is not worth finishing: it changes nothing, and takes a backend's time.
pub fn ends_with_caller(path: &str) -> bool {
    path.starts_with(PLACE)
}

pub async fn chat(
    State(playground): State<Playground>,
    Extension(client): Extension<Client>,
    request: Request,
) -> Response {
    playground.answer(InsideCall::Chat, client, request).await
}

pub async fn embed(
    State(playground): State<Playground>,
    Extension(client): Extension<Client>,
    request: Request,
) -> Response {
    playground.answer(InsideCall::Embed, client, request).await
}

impl Playground {
    async fn answer(self, call: InsideCall, client: Client, request: Request) -> Response {
        let Self { control, gateway } = self;
        let path = request.uri().path();
        let token = app::ssr::session_token(request.headers(), client.https);
        let Some(actor) = token.and_then(|token| control.authenticate(token, &client)) else {
            control.note_stranger(client.address, path, "not signed in");
            return refusal(StatusCode::UNAUTHORIZED, SIGN_IN);
        };
        let insider = match control.insider(&actor) {
            Ok(insider) => insider,
            Err(error) => {
                control.note_refused_call(Some(&actor), client.address, path, false, &error);
                let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                return refusal(status, &error.to_string());
            }
        };
        let mut check = interval(CHECK);
        check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut session = Session { control, gateway: gateway.clone(), actor, insider: insider.clone(), check };
        let response = {
            let mut answering = pin!(gateway.handle_insider(request, (insider, call), client.address));
            std::future::poll_fn(|cx| {
                session.poll(cx);
                answering.as_mut().poll(cx)
            })
            .await
        };
        response.map(|body| Body::new(Answer { body, session }))
    }
}

/// As the gateway's own errors are.
fn refusal(status: StatusCode, sentence: &str) -> Response {
    let body = json!({ "error": sentence }).to_string();
    (status, [(header::CONTENT_TYPE, "application/json; charset=utf-8")], body).into_response()
}

/// Looks after the session of whoever is being answered.
struct Session {
    control: Control,
    gateway: Gateway,
    actor: Actor,
    insider: Insider,
    check: Interval,
}

impl Session {
    /// Lets the gateway end the request where the session has ended: it knows how to say so in the middle of an answer.
    fn poll(&mut self, cx: &mut Context<'_>) {
        while self.check.poll_tick(cx).is_ready() {
            if !self.control.is_live(&self.actor) {
                self.gateway.end_insider(&self.insider);
            }
        }
    }
}

/// The gateway's answer for as long as the session lives.
struct Answer {
    body: gateway::Body,
    session: Session,
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.session.poll(cx);
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
