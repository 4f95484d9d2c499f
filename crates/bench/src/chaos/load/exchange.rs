//! One request and what came for it, byte by byte, however it ended. What is right is judged elsewhere.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::Instant,
};

use crate::{
    chaos::judge::Heard,
    http::{Body, Chunks, Fault, answer_head},
};

const BUFFER: usize = 16 * 1024;
const HEADERS: usize = 64;

/// What is known so far; a call that is given up leaves it as it is.
pub struct Exchange {
    pub heard: Heard,
    /// From the request to the first byte of the body.
    pub first: Option<Duration>,
    /// Another backend was tried before the one that answered.
    pub tried: bool,
}

impl Default for Exchange {
    fn default() -> Self {
        let heard = Heard { status: 0, body: Vec::new(), clean: false };
        Self { heard, first: None, tried: false }
    }
}

impl Exchange {
    /// Asks and listens to the end. Answers whether the connection may go on. A connection that breaks after the head of
    /// the answer is an end of the answer; one that breaks before is a fault.
    pub async fn run(&mut self, stream: &mut TcpStream, request: &[u8], begun: Instant) -> Result<bool, Fault> {
        stream.write_all(request).await?;
        let mut buffer = Vec::with_capacity(BUFFER);
        let (status, framing, size) = loop {
            if let Some(head) = answer_head(&buffer)? {
                break head;
            }
            if buffer.len() >= BUFFER {
                return Err(Fault::LongHead(BUFFER));
            }
            if stream.read_buf(&mut buffer).await? == 0 {
                return Err(Fault::Closed);
            }
        };
        self.heard.status = status;
        let goes_on = self.headers(&buffer[..size])?;
        let mut rest = buffer.split_off(size);
        let (mut chunks, mut left) = (Chunks::default(), 0);
        if let Body::Length(length) = framing {
            left = length;
        }
        loop {
            let before = self.heard.body.len();
            let body = &mut self.heard.body;
            let used = match framing {
                Body::Chunks => chunks.feed(&rest, |data| body.extend_from_slice(data))?,
                Body::Length(_) => {
                    let used = rest.len().min(left);
                    body.extend_from_slice(&rest[..used]);
                    left -= used;
                    used
                }
            };
            if body.len() > before {
                self.first.get_or_insert_with(|| begun.elapsed());
            }
            let done = match framing {
                Body::Chunks => chunks.is_done(),
                Body::Length(_) => left == 0,
            };
            if used < rest.len() {
                return Err(Fault::Surplus);
            }
            if done {
                self.heard.clean = true;
                return Ok(goes_on);
            }
            rest.clear();
            if !matches!(stream.read_buf(&mut rest).await, Ok(1..)) {
                return Ok(false);
            }
        }
    }

    /// Takes from the head what is of interest. Answers whether the connection may go on.
    fn headers(&mut self, head: &[u8]) -> Result<bool, Fault> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        let mut answer = httparse::Response::new(&mut headers);
        answer.parse(head)?;
        let has = |name: &str, part: &[u8]| {
            let same = |header: &&httparse::Header<'_>| header.name.eq_ignore_ascii_case(name);
            let found = answer.headers.iter().find(same);
            found.is_some_and(|header| header.value.windows(part.len()).any(|window| window == part))
        };
        self.tried = has("x-fortress-why", b"tried before");
        Ok(!has("connection", b"close"))
    }
}
