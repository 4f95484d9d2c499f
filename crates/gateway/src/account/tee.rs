//! Listens to a response body while it passes and learns what it used. It sees each frame once, never changes or delays
//! it, and keeps at most one message of bounded size.

use domain::endpoint::{Dialect, Endpoint};
use memchr::memmem;

use super::facts::{self, Counts, Last, OVERLAP};
use crate::wire::Framing;

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
    /// An error stood in the stream.
    error: bool,
    at_line_start: bool,
}

/// What a response used and whether it came to its proper end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) counts: Counts,
    pub(crate) proper_end: bool,
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
            error: false,
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
        Heard { counts, proper_end: !self.error && (self.ended || self.framing == Framing::Whole || !self.has_end()) }
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
            self.error = true;
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

    fn event(&mut self, data: &[u8]) {
        let has = |text: &[u8]| memmem::find(data, text).is_some();
        if data.is_empty() {
            return;
        }
        self.events += 1;
        if data == b"[DONE]" {
            self.ended = true;
        } else if data.starts_with(b"{\"error\"") {
            self.error = true;
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
                        self.error = true;
                    }
                }
                Endpoint::OpenAiResponses => {
                    if has(b".delta\"") {
                        self.pieces += 1;
                    } else if has(b"\"type\":\"response.completed\"") || has(b"\"type\":\"response.incomplete\"") {
                        self.told |= facts::compatible(data, &mut self.counts);
                        self.ended = true;
                    } else if has(b"\"type\":\"response.failed\"") || has(b"\"type\":\"error\"") {
                        self.error = true;
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hear(endpoint: Endpoint, framing: Framing, frames: &[&[u8]]) -> Heard {
        let mut tee = Tee::new(endpoint, framing);
        frames.iter().for_each(|frame| tee.feed(frame));
        tee.finish(0)
    }

    fn told(prompt: u64, completion: u64) -> Counts {
        Counts { prompt: Some(prompt), completion: Some(completion), ..Counts::default() }
    }

    const NDJSON: &str = concat!(
        r#"{"model":"m","message":{"role":"assistant","content":"a \"done\":true b"},"done":false}"#,
        "\n",
        r#"{"model":"m","message":{"role":"assistant","tool_calls":[{"function":{"arguments":{"done":true,"eval_count":7}}}]},"done":false}"#,
        "\n",
        r#"{"model":"m","message":{"content":""},"done":true,"done_reason":"stop","load_duration":5000,"prompt_eval_count":26,"eval_count":282}"#,
        "\n",
    );
    const OPENAI: &str = concat!(
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"Hi\"},\"finish_reason\":null}]}\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":1,\"total_tokens\":11}}\n\n",
        "data: [DONE]\n\n",
    );
    const ANTHROPIC: &str = concat!(
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":99,\"output_tokens\":0}}}\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"text\":\"a\"}}\n\n",
        "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{},\"usage\":{\"input_tokens\":7,\"output_tokens\":3}}\n\n",
        "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
    );
    const RESPONSES: &str = concat!(
        "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"a\"}\n\n",
        "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"usage\":{\"input_tokens\":4,\"output_tokens\":2,\"total_tokens\":6}}}\n\n",
    );

    #[test]
    fn every_dialect_s_final_numbers_are_found() {
        let native = Counts { load_ns: 5000, ..told(26, 282) };
        assert_eq!(
            hear(Endpoint::Chat, Framing::Ndjson, &[NDJSON.as_bytes()]),
            Heard { counts: native, proper_end: true }
        );
        for (endpoint, text, counts) in [
            (Endpoint::OpenAiChat, OPENAI, told(10, 1)),
            (Endpoint::AnthropicMessages, ANTHROPIC, told(7, 3)),
            (Endpoint::OpenAiResponses, RESPONSES, told(4, 2)),
        ] {
            assert_eq!(
                hear(endpoint, Framing::Sse, &[text.as_bytes()]),
                Heard { counts, proper_end: true },
                "{endpoint:?}"
            );
        }
        let whole = |endpoint, text: &str| hear(endpoint, Framing::Whole, &[text.as_bytes()]).counts;
        assert_eq!(
            whole(Endpoint::Generate, r#"{"response":"x","done":true,"prompt_eval_count":3,"eval_count":4}"#),
            told(3, 4)
        );
        assert_eq!(whole(Endpoint::Generate, r#"{"response":"x","done":true,"eval_count":4}"#), told(0, 4));
        assert_eq!(whole(Endpoint::Chat, r#"{"done":true,"done_reason":"load"}"#), Counts::default());
        assert_eq!(whole(Endpoint::Embed, r#"{"embeddings":[[1.0]],"prompt_eval_count":3}"#).prompt, Some(3));
        assert_eq!(whole(Endpoint::OpenAiChat, r#"{"usage":{"prompt_tokens":3,"completion_tokens":4}}"#), told(3, 4));
        assert_eq!(whole(Endpoint::AnthropicMessages, r#"{"usage":{"input_tokens":3,"output_tokens":4}}"#), told(3, 4));
    }

    #[test]
    fn an_answer_that_counts_nothing_is_estimated_by_its_length_and_says_so() {
        let estimate = |tokens| Counts { completion: Some(tokens), estimated: true, ..Counts::default() };
        for (endpoint, text) in [
            (Endpoint::Generate, r#"{"model":"m","response":"twelve bytes","done":true,"total_duration":7}"#),
            (Endpoint::Chat, r#"{"message":{"role":"assistant","content":"twelve bytes"},"done":true}"#),
            (Endpoint::Chat, r#"{"message":{"thinking":"twelve","content":" bytes"},"done":true}"#),
            (
                Endpoint::OpenAiChat,
                r#"{"id":"x","choices":[{"message":{"role":"assistant","content":"twelve bytes"}}]}"#,
            ),
            (Endpoint::OpenAiChat, r#"{"choices":[{"message":{"content":"twelve bytes"}}],"usage":null}"#),
            (
                Endpoint::OpenAiChat,
                r#"{"choices":[{"message":{"tool_calls":[{"function":{"arguments":"{\"city\":1 }"}}]}}]}"#,
            ),
            (Endpoint::OpenAiCompletions, r#"{"choices":[{"text":"twelve bytes"}]}"#),
            (Endpoint::OpenAiResponses, r#"{"output":[{"content":[{"type":"output_text","text":"twelve bytes"}]}]}"#),
            (Endpoint::AnthropicMessages, r#"{"content":[{"type":"text","text":"twelve bytes"}]}"#),
            (Endpoint::AnthropicMessages, r#"{"content":[{"type":"tool_use","input":{"city":123}}]}"#),
        ] {
            let heard = hear(endpoint, Framing::Whole, &[text.as_bytes()]);
            assert_eq!(Counts { total_ns: 0, ..heard.counts }, estimate(3), "{text}");
            assert!(heard.proper_end);
        }
        let large = format!(r#"{{"choices":[{{"message":{{"content":"{}"}}}}]}}"#, "a".repeat(2 * LARGEST));
        let counts = hear(Endpoint::OpenAiChat, Framing::Whole, &[large.as_bytes()]).counts;
        let length = 2 * LARGEST as u64 / TOKEN_BYTES;
        assert!(counts.estimated && counts.completion.is_some_and(|count| count.abs_diff(length) < 100), "{counts:?}");
        // Not what no model wrote.
        for (endpoint, text) in [
            (Endpoint::OpenAiChat, r#"{"error":{"message":"twelve bytes"}}"#),
            (Endpoint::Show, r#"{"content":"twelve bytes"}"#),
            (Endpoint::Chat, r#"{"message":{"content":""},"done":true,"done_reason":"unload"}"#),
        ] {
            assert_eq!(hear(endpoint, Framing::Whole, &[text.as_bytes()]).counts, Counts::default(), "{text}");
        }
        // A stream whose last message counts nothing is counted by its messages.
        let stream = concat!(r#"{"response":"a","done":false}"#, "\n", r#"{"response":"","done":true}"#, "\n");
        let heard = hear(Endpoint::Generate, Framing::Ndjson, &[stream.as_bytes()]);
        assert_eq!(heard, Heard { counts: estimate(1), proper_end: true });
        let mut tee = Tee::new(Endpoint::Generate, Framing::Whole);
        tee.feed(br#"{"response":"twelve bytes","done":true}"#);
        assert_eq!(tee.finish(9).counts, Counts { prompt: Some(3), ..estimate(3) });
    }

    #[test]
    fn numbers_that_no_sum_could_hold_are_no_numbers() {
        let whole = |endpoint, text: &str| hear(endpoint, Framing::Whole, &[text.as_bytes()]).counts;
        let large = "1,".repeat(LARGEST);
        for number in ["18446744073709551615", "9007199254740993", "99999999999999999999", "-1", "1.5"] {
            let native = format!(
                r#"{{"done":true,"prompt_eval_count":{number},"eval_count":{number},"load_duration":{number}}}"#
            );
            assert_eq!(whole(Endpoint::Chat, &native), Counts::default(), "{number}");
            let openai = format!(r#"{{"usage":{{"prompt_tokens":{number},"completion_tokens":4}}}}"#);
            let expected = Counts { completion: Some(4), ..Counts::default() };
            assert_eq!(whole(Endpoint::OpenAiChat, &openai), expected, "{number}");
            if number.bytes().all(|byte| byte.is_ascii_digit()) {
                let searched = format!(r#"{{"context":[{large}0],"eval_count":4,"prompt_eval_count":{number}}}"#);
                assert_eq!(whole(Endpoint::Generate, &searched), expected, "{number}");
            }
        }
        let largest = r#"{"usage":{"prompt_tokens":9007199254740992,"completion_tokens":4}}"#;
        assert_eq!(whole(Endpoint::OpenAiChat, largest), told(1 << 53, 4));
    }

    #[test]
    fn a_stream_that_ends_early_is_counted_by_its_pieces() {
        let half = &NDJSON.as_bytes()[..NDJSON.find("{\"model\":\"m\",\"message\":{\"content\"").unwrap()];
        let heard = hear(Endpoint::Chat, Framing::Ndjson, &[half]);
        assert_eq!(heard.counts, Counts { completion: Some(2), estimated: true, ..Counts::default() });
        assert!(!heard.proper_end);
        let heard = hear(
            Endpoint::OpenAiChat,
            Framing::Sse,
            &[&OPENAI.as_bytes()[..OPENAI.find("data: {\"choices\":[],").unwrap()]],
        );
        assert_eq!(heard.counts, Counts { completion: Some(1), estimated: true, ..Counts::default() });
        assert!(!heard.proper_end);
    }

    #[test]
    fn an_error_in_the_stream_is_no_proper_end() {
        assert!(!hear(Endpoint::Pull, Framing::Ndjson, &[b"{\"error\":\"x\"}\n"]).proper_end);
        assert!(hear(Endpoint::Pull, Framing::Ndjson, &[b"{\"status\":\"success\"}\n"]).proper_end);
    }

    #[test]
    fn legacy_embeddings_are_estimated_by_their_prompt() {
        let mut tee = Tee::new(Endpoint::Embeddings, Framing::Whole);
        tee.feed(b"{\"embedding\":[0.1]}");
        assert_eq!(tee.finish(9).counts, Counts { prompt: Some(3), estimated: true, ..Counts::default() });
    }

    #[test]
    fn a_message_too_large_to_parse_is_searched_in_bounded_memory() {
        let context = "1,".repeat(2 * LARGEST);
        let line = format!(
            "{{\"response\":\"\",\"done\":true,\"context\":[{context}0],\"load_duration\":9,\"prompt_eval_count\":3,\"eval_count\":4}}"
        );
        for (framing, end) in [(Framing::Ndjson, "\n"), (Framing::Whole, "")] {
            let text = line.clone() + end;
            let mut tee = Tee::new(Endpoint::Generate, framing);
            for frame in text.as_bytes().chunks(7_919) {
                tee.feed(frame);
                assert!(tee.partial.capacity() <= 4 * LARGEST);
            }
            assert_eq!(tee.finish(0), Heard { counts: Counts { load_ns: 9, ..told(3, 4) }, proper_end: true });
        }
    }

    proptest! {
        #[test]
        fn any_split_of_a_stream_gives_the_same_counts(cuts in prop::collection::vec(0_usize..2_000, 0..12), which in 0_usize..4) {
            let (endpoint, framing, text) = [
                (Endpoint::Chat, Framing::Ndjson, NDJSON),
                (Endpoint::OpenAiChat, Framing::Sse, OPENAI),
                (Endpoint::AnthropicMessages, Framing::Sse, ANTHROPIC),
                (Endpoint::OpenAiResponses, Framing::Sse, RESPONSES),
            ][which];
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut % (text.len() + 1)).collect();
            cuts.sort_unstable();
            let mut tee = Tee::new(endpoint, framing);
            let mut from = 0;
            for cut in cuts.into_iter().chain([text.len()]) {
                tee.feed(&text.as_bytes()[from..cut]);
                from = cut;
            }
            prop_assert_eq!(tee.finish(0), hear(endpoint, framing, &[text.as_bytes()]));
        }

        #[test]
        fn no_bytes_make_the_listener_fail(frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 0..8), sse in any::<bool>()) {
            let mut tee = Tee::new(Endpoint::OpenAiChat, if sse { Framing::Sse } else { Framing::Ndjson });
            frames.iter().for_each(|frame| tee.feed(frame));
            let heard = tee.finish(0);
            prop_assert_eq!(heard.counts.load_ns, 0);
        }
    }
}
