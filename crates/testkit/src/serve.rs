//! The HTTP side: accepts connections, takes whole requests, and gives the scripted answer out frame by frame.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::{
    body::{Frame, Incoming},
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
    task::JoinSet,
};

use crate::{
    answer::{self, Reply},
    connection::{Sabotage, Socket},
    control,
    fake::Shared,
    record::{Ended, RequestGuard, lock},
    script::{Fault, Script},
};

pub(crate) type Body = BoxBody<Bytes, io::Error>;

/// Opens or closes the listening socket; answered when done.
pub(crate) struct Listen(pub(crate) bool, pub(crate) oneshot::Sender<()>);

/// Serves until the command channel closes, which is when the last handle is dropped.
pub(crate) async fn run(
    listener: std::net::TcpListener,
    address: SocketAddr,
    shared: Arc<Shared>,
    mut commands: mpsc::UnboundedReceiver<Listen>,
) {
    let mut listener = Some(TcpListener::from_std(listener).expect("the listener is non-blocking"));
    let mut connections = JoinSet::new();
    loop {
        let accept = async {
            match &listener {
                Some(listener) => listener.accept().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            command = commands.recv() => match command {
                None => return,
                Some(Listen(true, done)) => {
                    if listener.is_none() {
                        listener = Some(TcpListener::bind(address).await.expect("the port is still free"));
                    }
                    let _ = done.send(());
                }
                Some(Listen(false, done)) => {
                    listener = None;
                    connections.shutdown().await;
                    let _ = done.send(());
                }
            },
            accepted = accept => {
                if let Ok((stream, _)) = accepted {
                    let _ = stream.set_nodelay(true);
                    connections.spawn(serve_connection(stream, Arc::clone(&shared)));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve_connection(stream: tokio::net::TcpStream, shared: Arc<Shared>) {
    let (index, state) = shared.recorder.connection();
    let sabotage = Arc::new(Sabotage::default());
    let socket = Socket::new(stream, Arc::clone(&state), Arc::clone(&shared.recorder), Arc::clone(&sabotage));
    let service = service_fn(move |request: Request<Incoming>| {
        let shared = Arc::clone(&shared);
        let sabotage = Arc::clone(&sabotage);
        let state = Arc::clone(&state);
        async move {
            if shared.control && request.uri().path().starts_with(control::PREFIX) {
                state.hidden.store(true, std::sync::atomic::Ordering::Relaxed);
                return Ok(control::answer(request, &shared).await);
            }
            respond(request, index, shared, sabotage).await
        }
    });
    // A scripted cut surfaces here as an error; the records already say what happened.
    let _ = hyper::server::conn::http1::Builder::new()
        .max_buf_size(1 << 20)
        .serve_connection(TokioIo::new(socket), service)
        .await;
}

async fn respond(
    request: Request<Incoming>,
    connection: usize,
    shared: Arc<Shared>,
    sabotage: Arc<Sabotage>,
) -> io::Result<Response<Body>> {
    let (parts, incoming) = request.into_parts();
    let (body, whole) = collect(incoming).await;
    let path = parts.uri.path().to_owned();
    let number =
        shared.recorder.request(connection, parts.method.clone(), &parts.uri, parts.headers.clone(), body.clone());
    let mut guard = RequestGuard::new(Arc::clone(&shared.recorder), number);
    if !whole {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let script: Script = lock(&shared.script).clone();
    let fault = script.fault_for(&path);
    let inference = parts.method == Method::POST && path != "/api/show";
    let delay = script.delays.get(&path).copied().unwrap_or_default();
    pause(delay + if inference { script.first_byte_delay } else { Duration::ZERO }).await;
    let mut reply = match &fault {
        Some(Fault::HangBeforeHeaders) => std::future::pending().await,
        Some(Fault::CloseReused) if !shared.recorder.is_reused(connection) => {
            answer::answer(&parts, &body, &script, &shared)
        }
        Some(fault @ (Fault::CloseBeforeHeaders | Fault::CloseWhenReleased | Fault::CloseReused)) => {
            if *fault == Fault::CloseWhenReleased {
                shared.gate.pass().await;
            }
            guard.end(Ended::Fault);
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Some(Fault::Status(status)) => Reply::error(*status, "scripted fault"),
        Some(Fault::StatusBody(status, body)) => Reply::json(*status, body.clone()),
        Some(Fault::WrongJson) => Reply::json(200, r#"{"hello":["world"]}"#.to_owned()),
        Some(Fault::NotJson) => Reply::json(200, "<html>hello</html>".to_owned()),
        Some(Fault::RawBytes(text)) => {
            sabotage.replace(text.clone().into_bytes());
            guard.end(Ended::Fault);
            return Ok(Response::new(full(Bytes::new())));
        }
        _ => answer::answer(&parts, &body, &script, &shared),
    };
    if let Some(Fault::ErrorAfter(frames, message)) = &fault {
        reply.frames.truncate(*frames);
        reply.frames.push(Bytes::from(format!("{{\"error\":{}}}\n", answer::quote(message))));
    }
    if matches!(fault, Some(Fault::StallAfter(_) | Fault::CutAfter(_) | Fault::ResetAfter(_))) {
        reply.halve();
    }
    if inference && !matches!(fault, Some(Fault::StallAfter(0) | Fault::CutAfter(0) | Fault::ResetAfter(0))) {
        shared.gate.pass().await;
    }
    Ok(deliver(reply, &parts.method, fault, script.chunk_delay, guard, shared, sabotage))
}

/// The body as far as it came, and whether that was all of it.
async fn collect(mut incoming: Incoming) -> (Bytes, bool) {
    let mut body = Vec::new();
    while let Some(frame) = incoming.frame().await {
        match frame {
            Ok(frame) => body.extend_from_slice(frame.data_ref().unwrap_or(&Bytes::new())),
            Err(_) => return (body.into(), false),
        }
    }
    (body.into(), true)
}

async fn pause(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

pub(crate) fn full(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never: Infallible| match never {}).boxed()
}

struct Delivery {
    frames: std::vec::IntoIter<Bytes>,
    pulls: Option<String>,
    sent: usize,
    streaming: bool,
    fault: Option<Fault>,
    delay: Duration,
    guard: RequestGuard,
    shared: Arc<Shared>,
    sabotage: Arc<Sabotage>,
}

fn deliver(
    reply: Reply,
    method: &Method,
    fault: Option<Fault>,
    delay: Duration,
    mut guard: RequestGuard,
    shared: Arc<Shared>,
    sabotage: Arc<Sabotage>,
) -> Response<Body> {
    let mut response = Response::builder().status(reply.status);
    if let Some(content_type) = reply.content_type {
        response = response.header(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    if !reply.streaming {
        let length: usize = reply.frames.iter().map(Bytes::len).sum();
        response = response.header(header::CONTENT_LENGTH, length);
    }
    let body = if method == Method::HEAD {
        guard.end(Ended::Complete);
        full(Bytes::new())
    } else {
        let delivery = Delivery {
            frames: reply.frames.into_iter(),
            pulls: reply.pulls,
            sent: 0,
            streaming: reply.streaming,
            fault,
            delay,
            guard,
            shared,
            sabotage,
        };
        BodyExt::boxed(StreamBody::new(stream::try_unfold(delivery, next_frame)))
    };
    response.body(body).expect("the scripted response is well-formed")
}

async fn next_frame(mut delivery: Delivery) -> io::Result<Option<(Frame<Bytes>, Delivery)>> {
    // Hyper flushes what it has whenever the body has nothing ready, so that a frame is a write of its own, and
    // everything before a cut has really left.
    tokio::task::yield_now().await;
    match delivery.fault {
        Some(Fault::StallAfter(frames)) if delivery.sent == frames => std::future::pending().await,
        Some(Fault::CutAfter(frames)) if delivery.sent == frames => {
            delivery.guard.end(Ended::Fault);
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Some(Fault::ResetAfter(frames)) if delivery.sent == frames => {
            delivery.guard.end(Ended::Fault);
            delivery.sabotage.reset();
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        _ => {}
    }
    let Some(frame) = delivery.frames.next() else {
        delivery.guard.end(Ended::Complete);
        return Ok(None);
    };
    // The first frame passed the gate before the headers: Ollama writes them with its first line.
    if delivery.sent > 0 {
        pause(delivery.delay).await;
        if delivery.streaming {
            delivery.shared.gate.pass().await;
        }
    }
    if let Some(model) = &delivery.pulls
        && frame.windows(7).any(|letters| letters == b"success")
    {
        lock(&delivery.shared.script).pulled(model);
    }
    delivery.sent += 1;
    delivery.guard.frame();
    Ok(Some((Frame::data(frame), delivery)))
}

impl Reply {
    /// An answer in one piece becomes two frames, so that it can break in the middle.
    fn halve(&mut self) {
        if let [whole] = self.frames.as_slice() {
            let whole = whole.clone();
            let middle = whole.len() / 2;
            self.frames = vec![whole.slice(..middle), whole.slice(middle..)];
        }
    }

    /// `{"error":"…"}` in Ollama's own form.
    pub(crate) fn error(status: u16, message: &str) -> Self {
        Self::json(status, format!("{{\"error\":{}}}", answer::quote(message)))
    }

    pub(crate) fn json(status: u16, body: String) -> Self {
        Self::whole(status, "application/json; charset=utf-8", body)
    }

    pub(crate) fn whole(status: u16, content_type: &'static str, body: String) -> Self {
        let frames = if body.is_empty() { Vec::new() } else { vec![Bytes::from(body)] };
        Self { status: status_code(status), content_type: Some(content_type), frames, streaming: false, pulls: None }
    }

    pub(crate) fn stream(content_type: &'static str, frames: Vec<String>) -> Self {
        let frames = frames.into_iter().map(Bytes::from).collect();
        Self { status: StatusCode::OK, content_type: Some(content_type), frames, streaming: true, pulls: None }
    }

    pub(crate) fn empty(status: u16) -> Self {
        Self { status: status_code(status), content_type: None, frames: Vec::new(), streaming: false, pulls: None }
    }
}

fn status_code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).expect("the script names a valid status")
}
