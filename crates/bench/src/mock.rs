//! A backend as Ollama is one: lists, one small answer, one stream of lines at the pace that the prompt names. It counts
//! its open streams, so that the bench can wait until a run has left nothing behind.

use std::{
    borrow::Cow,
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{Instant, sleep_until},
};

use crate::{
    answers::{self, Pace},
    http::{Body, Chunks, Fault, request_head},
    lifeline, say,
};

const MAX_REQUEST: usize = 64 * 1024;

/// Prints `{"addresses": […]}` and serves until standard input closes.
pub async fn run(ports: usize) -> Result<(), Fault> {
    let mut addresses = Vec::new();
    let open = Arc::new(AtomicUsize::new(0));
    for _ in 0..ports {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        addresses.push(listener.local_addr()?.to_string());
        let open = Arc::clone(&open);
        tokio::spawn(async move {
            loop {
                // Out of descriptors is for the loader to find; the next accept may succeed.
                let Ok((stream, _)) = listener.accept().await else {
                    tokio::task::yield_now().await;
                    continue;
                };
                let open = Arc::clone(&open);
                // A connection that breaks is the client's business.
                tokio::spawn(async move { serve(stream, open).await.is_ok() });
            }
        });
    }
    let lines = lifeline::lines();
    say(&json!({ "addresses": addresses }));
    lifeline::cut(lines).await;
    Ok(())
}

async fn serve(mut stream: TcpStream, open: Arc<AtomicUsize>) -> Result<(), Fault> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(1024);
    while let Some((get, path, body)) = request(&mut stream, &mut buffer).await? {
        let mut status = "200 OK";
        let text: Cow<'static, str> = match (get, path.as_str()) {
            (true, "/api/tags") => answers::TAGS.into(),
            (true, "/api/ps") => answers::PS.into(),
            (true, "/api/version") => answers::VERSION.into(),
            (true, "/") => "Ollama is running".into(),
            (true, "/bench/open") => open.load(Ordering::Relaxed).to_string().into(),
            (false, "/api/show") => answers::SHOW.into(),
            (false, "/api/chat") => match pace(&body) {
                Some(pace) => {
                    let _counted = Open::new(&open);
                    send(&mut stream, pace).await?;
                    continue;
                }
                None => answers::SMALL.into(),
            },
            _ => {
                status = "404 Not Found";
                answers::NOT_FOUND.into()
            }
        };
        let length = text.len();
        let answer = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json; charset=utf-8\r\nDate: Sun, 22 Nov 2026 08:00:00 GMT\r\nContent-Length: {length}\r\n\r\n{text}"
        );
        stream.write_all(answer.as_bytes()).await?;
    }
    Ok(())
}

/// The next request; `None` when the client closed.
pub async fn request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<Option<(bool, String, Vec<u8>)>, Fault> {
    let asked = loop {
        if let Some(asked) = request_head(buffer)? {
            break asked;
        }
        if !more(stream, buffer).await? {
            return if buffer.is_empty() { Ok(None) } else { Err(Fault::Closed) };
        }
    };
    buffer.drain(..asked.size);
    let body = match asked.body {
        Body::Length(length) => {
            while buffer.len() < length {
                if !more(stream, buffer).await? {
                    return Err(Fault::Closed);
                }
            }
            buffer.drain(..length).collect()
        }
        Body::Chunks => {
            let (mut chunks, mut body) = (Chunks::default(), Vec::new());
            loop {
                let used = chunks.feed(buffer, |data| body.extend_from_slice(data))?;
                buffer.drain(..used);
                if chunks.is_done() {
                    break body;
                }
                if !more(stream, buffer).await? {
                    return Err(Fault::Closed);
                }
            }
        }
    };
    Ok(Some((asked.get, asked.path, body)))
}

async fn more(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<bool, Fault> {
    if buffer.len() > MAX_REQUEST {
        return Err(Fault::LongHead(MAX_REQUEST));
    }
    Ok(stream.read_buf(buffer).await? > 0)
}

/// The pace of a stream, if one is asked for.
fn pace(body: &[u8]) -> Option<Pace> {
    let body: Value = serde_json::from_slice(body).ok()?;
    if body["stream"] == false {
        return None;
    }
    Pace::read(body["messages"][0]["content"].as_str()?)
}

/// Head and first line in one write and the end in one of its own, as Ollama does.
async fn send(stream: &mut TcpStream, pace: Pace) -> io::Result<()> {
    const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nDate: Sun, 22 Nov 2026 08:00:00 GMT\r\nTransfer-Encoding: chunked\r\n\r\n";
    let (line, last) = (chunk(answers::LINE), chunk(answers::LAST));
    let start = Instant::now();
    let (mut reading, mut writing) = stream.split();
    let mut nothing = [0; 1];
    for index in 0..pace.chunks {
        let text = if index + 1 == pace.chunks { &last } else { &line };
        if index == 0 {
            writing.write_all(format!("{HEAD}{text}").as_bytes()).await?;
            continue;
        }
        let due = start + pace.every.saturating_mul(u32::try_from(index).unwrap_or(u32::MAX));
        tokio::select! {
            () = sleep_until(due) => writing.write_all(text.as_bytes()).await?,
            // A client that hangs up ends its stream at once; one that sends on has no business to.
            _ = reading.read(&mut nothing) => return Err(io::ErrorKind::ConnectionAborted.into()),
        }
    }
    writing.write_all(b"0\r\n\r\n").await
}

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

/// One open stream.
struct Open<'a>(&'a AtomicUsize);

impl<'a> Open<'a> {
    fn new(open: &'a AtomicUsize) -> Self {
        open.fetch_add(1, Ordering::Relaxed);
        Self(open)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
