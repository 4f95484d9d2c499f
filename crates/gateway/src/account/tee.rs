//! Listens to a response body while it passes and learns what it used. It sees each frame once, never changes or delays
//! it, and keeps at most one message of bounded size.

use domain::endpoint::{Dialect, Endpoint};
use memchr::memmem;

use super::facts::{self, Counts, Last, OVERLAP};
use crate::wire::{self, Framing};

/// Messages up to this size are parsed; larger ones are searched.
const LARGEST: usize = 1024 * 1024;
/// English text has about four bytes a token.
const TOKEN_BYTES: u64 = 4;

/// The listener of one response.
pub(crate) struct Tee {
    endpoint: Endpoint,
    framing: Framing,
    /// The message that has not ended yet.
    partial: Vec<u8>,
    /// The message outgrew `LARGEST`: `partial` is only the overlap of the search.
    searching: bool,
    counts: Counts,
    told: bool,
    /// Messages that carry a piece of the answer; of a whole one, its tokens as its length has it.
    pieces: u64,
    /// Bytes of messages too large to parse.
    searched: u64,
    /// Server-sent events with data.
    events: u64,
    /// The last message of a stream that ended as its API says it should.
    ended: bool,
    /// An error stood in the stream, and what it said.
    error: Option<String>,
    at_line_start: bool,
}

/// What a response used and whether it came to its proper end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) counts: Counts,
    pub(crate) proper_end: bool,
    /// What an error in the stream said.
    pub(crate) error: Option<String>,
}

impl Tee {
    pub(crate) fn new(endpoint: Endpoint, framing: Framing) -> Self {
        Self {
            endpoint,
            framing,
            partial: Vec::new(),
            searching: false,
            counts: Counts::default(),
            told: false,
            pieces: 0,
            searched: 0,
            events: 0,
            ended: false,
            error: None,
            at_line_start: true,
        }
    }

    /// Whether the last byte seen was a newline, or none was seen.
    pub(crate) fn at_line_start(&self) -> bool {
        self.at_line_start
    }

    /// Server-sent events that carried data, whole ones only.
    pub(crate) fn events(&self) -> u64 {
        self.events
    }

    /// Listens to the next bytes, cut anywhere.
    pub(crate) fn feed(&mut self, mut data: &[u8]) {
        if let Some(&last) = data.last() {
            self.at_line_start = last == b'\n';
        }
        if self.framing != Framing::Whole {
            while let Some(end) = memchr::memchr(b'\n', data) {
                let (line, rest) = data.split_at(end);
                if self.partial.is_empty() && !self.searching {
                    self.message(line);
                } else {
                    self.keep(line);
                    self.end_of_message();
                }
                data = &rest[1..];
            }
        }
        self.keep(data);
    }

    /// Listens to the last bytes, which nothing follows. A document that came at once is read where it lies.
    pub(crate) fn feed_last(&mut self, data: &[u8]) {
        let at_once = self.framing == Framing::Whole && self.partial.is_empty() && !self.searching;
        if at_once && !data.is_empty() && data.len() <= LARGEST {
            self.at_line_start = data.ends_with(b"\n");
            self.message(data);
        } else {
            self.feed(data);
        }
    }

    /// The body ended, properly or not. `prompt_bytes` is the length of the request's text, to estimate by where the
    /// answer counts nothing.
    pub(crate) fn finish(&mut self, prompt_bytes: usize) -> Heard {
        self.end_of_message();
        let mut counts = self.counts;
        if !self.told {
            let prompt = (prompt_bytes > 0).then(|| (prompt_bytes as u64).div_ceil(TOKEN_BYTES));
            counts.estimated = match self.endpoint {
                Endpoint::Embeddings if prompt.is_some() => {
                    counts.prompt = prompt;
                    true
                }
                // Lines of progress are no tokens.
                Endpoint::Pull | Endpoint::Push | Endpoint::Create => false,
                _ if self.pieces > 0 => {
                    counts.completion = Some(self.pieces);
                    counts.prompt = counts.prompt.or(prompt);
                    true
                }
                _ => counts.prompt.is_some(),
            };
        }
        let error = self.error.take();
        let ended = self.ended || self.framing == Framing::Whole || !self.has_end();
        Heard { counts, proper_end: error.is_none() && ended, error }
    }

    /// Whether streams of this endpoint say that they are complete.
    fn has_end(&self) -> bool {
        match self.framing {
            Framing::Whole => false,
            Framing::Ndjson => matches!(self.endpoint, Endpoint::Generate | Endpoint::Chat),
            Framing::Sse => matches!(
                self.endpoint,
                Endpoint::OpenAiChat
                    | Endpoint::OpenAiCompletions
                    | Endpoint::OpenAiResponses
                    | Endpoint::AnthropicMessages
            ),
        }
    }

    fn keep(&mut self, data: &[u8]) {
        self.partial.extend_from_slice(data);
        if self.partial.len() > if self.searching { 16 * OVERLAP } else { LARGEST } {
            self.searching = true;
            self.told |= facts::search(&self.partial, &mut self.counts);
            self.note_end_in_text();
            self.searched += (self.partial.len() - OVERLAP) as u64;
            self.partial.drain(..self.partial.len() - OVERLAP);
            self.partial.shrink_to(LARGEST / 16);
        }
    }

    fn end_of_message(&mut self) {
        let mut message = std::mem::take(&mut self.partial);
        if std::mem::take(&mut self.searching) {
            // The search wants to see a byte behind the last number.
            message.push(b'\n');
            self.told |= facts::search(&message, &mut self.counts);
            let searched = std::mem::take(&mut self.searched);
            self.note_whole(searched);
        } else if !message.is_empty() {
            self.message(&message);
        }
        message.clear();
        if message.capacity() <= LARGEST / 16 {
            self.partial = message;
        }
    }

    /// A message too large to parse ends a native stream if its text says so.
    fn note_end_in_text(&mut self) {
        self.ended |= memmem::find(&self.partial, b"\"done\":true").is_some();
    }

    fn message(&mut self, text: &[u8]) {
        match (self.framing, self.endpoint.dialect()) {
            (Framing::Whole, dialect) => {
                self.told |= match dialect {
                    Dialect::Ollama => facts::native(text, true, &mut self.counts) == Last::Told,
                    _ => facts::compatible(text, &mut self.counts),
                };
                if !self.told && self.writes() {
                    self.note_whole(facts::written_bytes(text));
                }
            }
            (Framing::Ndjson, _) => self.line(text),
            (Framing::Sse, _) => {
                if let Some(data) = text.strip_prefix(b"data:") {
                    self.event(data.trim_ascii());
                }
            }
        }
    }

    fn line(&mut self, text: &[u8]) {
        let text = text.trim_ascii();
        if text.is_empty() {
            return;
        }
        if text.starts_with(b"{\"error\"") {
            self.fault(text);
            return;
        }
        let last = if says_done(text) { facts::native(text, false, &mut self.counts) } else { Last::No };
        match last {
            Last::No => self.pieces += 1,
            Last::Told => (self.told, self.ended) = (true, true),
            Last::Silent => self.ended = true,
        }
    }

    /// A whole answer of so many bytes counts nothing.
    fn note_whole(&mut self, bytes: u64) {
        if self.framing == Framing::Whole && self.writes() {
            self.pieces += bytes.div_ceil(TOKEN_BYTES);
        }
    }

    /// Answers of this endpoint are text that a model writes.
    fn writes(&self) -> bool {
        matches!(
            self.endpoint,
            Endpoint::Generate
                | Endpoint::Chat
                | Endpoint::OpenAiChat
                | Endpoint::OpenAiCompletions
                | Endpoint::OpenAiResponses
                | Endpoint::AnthropicMessages
        )
    }

    /// An error stands in the stream.
    fn fault(&mut self, text: &[u8]) {
        self.error = Some(wire::words(text).unwrap_or_else(|| "the backend reported an error".to_owned()));
    }

    fn event(&mut self, data: &[u8]) {
        let has = |text: &[u8]| memmem::find(data, text).is_some();
        if data.is_empty() {
            return;
        }
        self.events += 1;
        if data == b"[DONE]" {
            self.ended = true;
        } else if data.starts_with(b"{\"error\"") {
            self.fault(data);
        } else {
            match self.endpoint {
                Endpoint::AnthropicMessages => {
                    if has(b"\"type\":\"content_block_delta\"") {
                        self.pieces += 1;
                    } else if has(b"\"type\":\"message_start\"") {
                        // An estimate of the prompt, replaced by the final message's.
                        facts::compatible(data, &mut self.counts);
                        self.counts.completion = None;
                    } else if has(b"\"type\":\"message_delta\"") {
                        self.told |= facts::compatible(data, &mut self.counts);
                    } else if has(b"\"type\":\"message_stop\"") {
                        self.ended = true;
                    } else if has(b"\"type\":\"error\"") {
                        self.fault(data);
                    }
                }
                Endpoint::OpenAiResponses => {
                    if has(b".delta\"") {
                        self.pieces += 1;
                    } else if has(b"\"type\":\"response.completed\"") || has(b"\"type\":\"response.incomplete\"") {
                        self.told |= facts::compatible(data, &mut self.counts);
                        self.ended = true;
                    } else if has(b"\"type\":\"response.failed\"") || has(b"\"type\":\"error\"") {
                        self.fault(data);
                    }
                }
                _ => {
                    if has(b"\"usage\"") {
                        self.told |= facts::compatible(data, &mut self.counts);
                    }
                    if !has(b"\"finish_reason\":\"") && !has(b"\"choices\":[]") {
                        self.pieces += 1;
                    }
                }
            }
        }
    }
}

/// A cheap look before parsing: inside a JSON string the quotes would be escaped, so this is a member called `done`.
fn says_done(text: &[u8]) -> bool {
    memmem::find_iter(text, b"\"done\":").any(|at| text[at + 7..].trim_ascii_start().starts_with(b"true"))
}

#[cfg(test)]
mod tests;
