//! One kept-alive connection, and the check of what comes on it.

use std::net::{IpAddr, SocketAddr};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

use crate::{
    answers::{LAST, LINE, Pace, SMALL},
    http::{Body, Chunks, Fault, answer_head},
};

/// Holds any head and several chunks; ten thousand of them are 40 MB.
const BUFFER: usize = 4096;

pub struct Client {
    stream: TcpStream,
    buffer: Box<[u8]>,
}

impl Client {
    /// `source`: the address to come from; loopback has many, and each has its own ports.
    pub async fn connect(to: SocketAddr, source: Option<IpAddr>) -> Result<Self, Fault> {
        let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if let Some(source) = source {
            socket.bind((source, 0).into())?;
        }
        let stream = socket.connect(to).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; BUFFER].into() })
    }

    /// Sends `request` and gives the body of a 200 to `data` as it comes, to its end. Any other status is a fault.
    pub async fn ask(&mut self, request: &[u8], mut data: impl FnMut(&[u8])) -> Result<(), Fault> {
        self.exchange(request, &mut data).await.map(drop)
    }

    /// The same, and gives the head of the answer.
    pub async fn exchange(&mut self, request: &[u8], data: &mut impl FnMut(&[u8])) -> Result<Vec<u8>, Fault> {
        self.stream.write_all(request).await?;
        let mut filled = 0;
        let (status, body, size) = loop {
            filled += self.read(filled).await?;
            if let Some(head) = answer_head(&self.buffer[..filled])? {
                break head;
            }
        };
        let head = self.buffer[..size].to_vec();
        let (mut complaint, mut rest) = (Vec::new(), Rest::new(&body));
        let mut take = |bytes: &[u8]| if status == 200 { data(bytes) } else { complaint.extend_from_slice(bytes) };
        let mut from = size;
        loop {
            if rest.feed(&self.buffer[from..filled], &mut take)? < filled - from {
                return Err(Fault::Surplus);
            }
            if rest.is_done() {
                break;
            }
            (from, filled) = (0, self.read(0).await?);
        }
        if status != 200 {
            return Err(Fault::Status { status, body: String::from_utf8_lossy(&complaint).into_owned() });
        }
        Ok(head)
    }

    /// Reads behind the first `filled` bytes.
    async fn read(&mut self, filled: usize) -> Result<usize, Fault> {
        if filled == self.buffer.len() {
            return Err(Fault::LongHead(filled));
        }
        match self.stream.read(&mut self.buffer[filled..]).await? {
            0 => Err(Fault::Closed),
            read => Ok(read),
        }
    }
}

/// What is still to come of a body.
enum Rest {
    Length(usize),
    Chunks(Chunks),
}

impl Rest {
    fn new(body: &Body) -> Self {
        match body {
            Body::Length(length) => Self::Length(*length),
            Body::Chunks => Self::Chunks(Chunks::default()),
        }
    }

    fn feed(&mut self, bytes: &[u8], mut data: impl FnMut(&[u8])) -> Result<usize, Fault> {
        match self {
            Self::Length(left) => {
                let used = bytes.len().min(*left);
                data(&bytes[..used]);
                *left -= used;
                Ok(used)
            }
            Self::Chunks(chunks) => chunks.feed(bytes, data),
        }
    }

    fn is_done(&self) -> bool {
        match self {
            Self::Length(left) => *left == 0,
            Self::Chunks(chunks) => chunks.is_done(),
        }
    }
}

/// Compares an answer with what the mock sends.
pub struct Check {
    pace: Option<Pace>,
    wanted: usize,
    found: usize,
    same: bool,
}

impl Check {
    pub fn small() -> Self {
        Self { pace: None, wanted: SMALL.len(), found: 0, same: true }
    }

    pub fn stream(pace: Pace) -> Self {
        Self { pace: Some(pace), wanted: pace.length(), found: 0, same: true }
    }

    pub fn feed(&mut self, mut data: &[u8]) {
        while !data.is_empty() && self.same {
            let expected = self.expected();
            let length = expected.len().min(data.len());
            self.same = length > 0 && expected[..length] == data[..length];
            self.found += length;
            data = &data[length..];
        }
        self.found += data.len();
    }

    /// What comes next, to the end of its line.
    fn expected(&self) -> &'static [u8] {
        let Some(pace) = self.pace else { return SMALL.as_bytes().get(self.found..).unwrap_or_default() };
        let lines = pace.chunks.saturating_sub(1) * LINE.len();
        match self.found.checked_sub(lines) {
            Some(behind) => LAST.as_bytes().get(behind..).unwrap_or_default(),
            None => &LINE.as_bytes()[self.found % LINE.len()..],
        }
    }

    /// The whole answer came, and nothing else.
    pub fn finish(self) -> Result<(), Fault> {
        let Self { wanted, found, same, .. } = self;
        if same && wanted == found { Ok(()) } else { Err(Fault::Body { wanted, found }) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn stream(pace: Pace) -> Vec<u8> {
        format!("{}{LAST}", LINE.repeat(pace.chunks - 1)).into_bytes()
    }

    fn check(mut check: Check, pieces: &[&[u8]]) -> bool {
        pieces.iter().for_each(|piece| check.feed(piece));
        check.finish().is_ok()
    }

    #[test]
    fn a_stream_is_right_however_it_is_split() {
        let pace = Pace { chunks: 3, every: Duration::ZERO };
        let bytes = stream(pace);
        for cut in 0..=bytes.len() {
            assert!(check(Check::stream(pace), &[&bytes[..cut], &bytes[cut..]]), "cut at {cut}");
        }
    }

    #[test]
    fn a_byte_lost_changed_or_added_is_seen() {
        let pace = Pace { chunks: 2, every: Duration::ZERO };
        let bytes = stream(pace);
        assert!(!check(Check::stream(pace), &[&bytes[..bytes.len() - 1]]));
        assert!(!check(Check::stream(pace), &[&bytes, b"\n"]));
        for at in [0, LINE.len() - 1, LINE.len(), bytes.len() - 1] {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(!check(Check::stream(pace), &[&changed]), "byte {at}");
        }
        assert!(check(Check::small(), &[SMALL.as_bytes()]));
        assert!(!check(Check::small(), &[&SMALL.as_bytes()[1..]]));
        assert!(!check(Check::small(), &[]));
    }
}
