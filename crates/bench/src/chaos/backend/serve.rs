//! One connection of a machine: lists as Ollama's, answers as [`Call`] says they are, and the faults of the mode in force.

use std::{io, sync::atomic::Ordering::Relaxed, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep_until},
};

use super::{Mode, Open, Shared};
use crate::{
    answers,
    chaos::{
        call::{Call, Kind},
        random::mix,
    },
    http::Fault,
    mock,
};

/// One piece in so many is struck while answers are being broken.
const STRIKES: u64 = 4;
const BUSY: &str = "server busy, please try again.  maximum pending requests exceeded";
const FAILED: &str = "llama runner process has terminated: exit status 2";
const DATE: &str = "Date: Sun, 22 Nov 2026 08:00:00 GMT\r\n";

pub async fn serve(mut stream: TcpStream, shared: &Shared, index: usize) -> Result<(), Fault> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(1024);
    while let Some((get, path, body)) = mock::request(&mut stream, &mut buffer).await? {
        if *shared.mode.borrow() == Mode::Frozen {
            return until_closed(&mut stream).await;
        }
        let kind = Kind::of_path(&path).filter(|_| !get);
        match kind.and_then(|kind| Call::read(kind, &body)) {
            Some(call) => answer(&mut stream, shared, index, &call).await?,
            None => list(&mut stream, shared, index, get, &path).await?,
        }
    }
    Ok(())
}

async fn list(stream: &mut TcpStream, shared: &Shared, index: usize, get: bool, path: &str) -> Result<(), Fault> {
    let machine = &shared.machines[index];
    let rows = |names: &[String], more: &str| {
        let row = |name: &String| {
            format!(
                r#"{{"name":"{name}","model":"{name}","modified_at":"2026-05-04T17:37:44Z","size":2019393189,"digest":"a80c4f17acd55265feec403c7aef86be0c25983ab279d83f3bcd3abbcb5b8b72","details":{{"format":"gguf","family":"llama","parameter_size":"3.2B","quantization_level":"Q4_K_M"}}{more}}}"#
            )
        };
        format!(r#"{{"models":[{}]}}"#, names.iter().map(row).collect::<Vec<_>>().join(","))
    };
    let text = match (get, path) {
        (true, "/api/tags") => rows(&shared.models, ""),
        (true, "/api/ps") => {
            rows(&machine.memory.names(), r#","expires_at":"2036-05-04T17:37:44Z","size_vram":2019393189"#)
        }
        (true, "/api/version") => answers::VERSION.to_owned(),
        (true, "/bench/open") => machine.open.load(Relaxed).to_string(),
        (false, "/api/show") => answers::SHOW.to_owned(),
        _ => return respond(stream, "404 Not Found", answers::NOT_FOUND).await,
    };
    respond(stream, "200 OK", &text).await
}

async fn respond(stream: &mut TcpStream, status: &str, text: &str) -> Result<(), Fault> {
    let length = text.len();
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{DATE}Content-Length: {length}\r\n\r\n");
    stream.write_all((head + text).as_bytes()).await?;
    Ok(())
}

async fn answer(stream: &mut TcpStream, shared: &Shared, index: usize, call: &Call) -> Result<(), Fault> {
    shared.record.write('R', call.id);
    let mode = *shared.mode.borrow();
    match mode {
        Mode::Hang | Mode::Frozen => return until_closed(stream).await,
        Mode::Drop => return Err(Fault::Closed),
        Mode::Busy => return respond(stream, "503 Service Unavailable", &call.kind.error(BUSY)).await,
        Mode::Fail => return respond(stream, "500 Internal Server Error", &call.kind.error(FAILED)).await,
        Mode::Garbage => {
            stream.write_all(b"\x16\x03\x01 this is no HTTP\r\n\r\n").await?;
            return Err(Fault::Closed);
        }
        Mode::Well | Mode::Stall | Mode::Reset | Mode::Mangle => {}
    }
    let machine = &shared.machines[index];
    let warm = machine.memory.has(&call.model);
    let others = shared.machines.iter().enumerate().filter(|(other, _)| *other != index);
    let elsewhere = others.map(|(_, other)| other).any(|other| shared.is_ready(other, &call.model));
    let _open = Open::new(shared, machine);
    let what = match (warm, elsewhere) {
        (true, _) => 'W',
        (false, true) => 'M',
        (false, false) => 'U',
    };
    shared.record.write(what, call.id);
    let _using = {
        let loaded = machine.memory.take(&call.model, shared.load);
        let mut nothing = [0; 1];
        tokio::select! {
            using = loaded => using,
            _ = stream.read(&mut nothing) => return Err(gone()),
        }
    };
    send(stream, shared, call).await
}

/// The pieces at their pace, until the mode strikes.
async fn send(stream: &mut TcpStream, shared: &Shared, call: &Call) -> Result<(), Fault> {
    let pieces = call.pieces();
    let start = Instant::now();
    // Half of a whole answer comes as late as half of a stream.
    let every = if call.kind.is_stream() { call.every } else { call.every * call.chunks as u64 / 2 };
    for (index, piece) in pieces.iter().enumerate() {
        let due = start + Duration::from_millis(every.saturating_mul(index as u64));
        if index > 0 {
            let mut nothing = [0; 1];
            tokio::select! {
                () = sleep_until(due) => {}
                // A client that hangs up ends its answer at once.
                _ = stream.read(&mut nothing) => return Err(gone()),
            }
            let mode = *shared.mode.borrow();
            if mode == Mode::Frozen || mix(call.id, index as u64).is_multiple_of(STRIKES) {
                match mode {
                    Mode::Stall | Mode::Frozen => return until_closed(stream).await,
                    Mode::Reset => {
                        stream.write_all(&framed(call.kind, piece).as_bytes()[..piece.len() / 2]).await?;
                        stream.set_zero_linger()?;
                        return Err(Fault::Closed);
                    }
                    Mode::Mangle if call.kind.is_stream() => {
                        stream.write_all(b"zz\r\nthis is no chunk\r\n").await?;
                        return Err(Fault::Closed);
                    }
                    _ => {}
                }
            }
        }
        let head = if index == 0 { head(call.kind, &pieces) } else { String::new() };
        stream.write_all((head + &framed(call.kind, piece)).as_bytes()).await?;
    }
    if call.kind.is_stream() {
        stream.write_all(b"0\r\n\r\n").await?;
    }
    Ok(())
}

fn head(kind: Kind, pieces: &[String]) -> String {
    let (media, framing) = match kind {
        Kind::Chat => ("application/x-ndjson", "Transfer-Encoding: chunked".to_owned()),
        Kind::OpenAi => ("text/event-stream", "Transfer-Encoding: chunked".to_owned()),
        Kind::Generate => (
            "application/json; charset=utf-8",
            format!("Content-Length: {}", pieces.iter().map(String::len).sum::<usize>()),
        ),
    };
    format!("HTTP/1.1 200 OK\r\nContent-Type: {media}\r\n{DATE}{framing}\r\n\r\n")
}

fn framed(kind: Kind, piece: &str) -> String {
    if kind.is_stream() { format!("{:x}\r\n{piece}\r\n", piece.len()) } else { piece.to_owned() }
}

/// Says nothing more until the other side has closed.
async fn until_closed(stream: &mut TcpStream) -> Result<(), Fault> {
    let mut nothing = [0; 64];
    while stream.read(&mut nothing).await? > 0 {}
    Err(gone())
}

fn gone() -> Fault {
    io::Error::from(io::ErrorKind::ConnectionAborted).into()
}
