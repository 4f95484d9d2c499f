//! One call: what it asks for, and every byte of its right answer, which follows from the request alone. Client and backend
//! read it here; the request travels in the prompt, because a gateway passes no headers that it does not know.

use std::fmt::Write;

use serde_json::{Value, json};

use super::random::mix;

/// What is asked, and in whose form the answer comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `/api/chat`, streamed.
    Chat,
    /// `/api/generate`, whole.
    Generate,
    /// `/v1/chat/completions`, streamed.
    OpenAi,
}

/// As a client asks and a backend answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub id: u64,
    pub kind: Kind,
    pub model: String,
    /// Pieces of text in the answer.
    pub chunks: usize,
    /// Milliseconds between two of them.
    pub every: u64,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::Chat, Self::Generate, Self::OpenAi];

    pub fn path(self) -> &'static str {
        match self {
            Self::Chat => "/api/chat",
            Self::Generate => "/api/generate",
            Self::OpenAi => "/v1/chat/completions",
        }
    }

    pub fn of_path(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.path() == path)
    }

    pub fn is_stream(self) -> bool {
        self != Self::Generate
    }

    /// An error in the words of the dialect.
    pub fn error(self, message: &str) -> String {
        match self {
            Self::OpenAi => {
                json!({ "error": { "message": message, "type": "api_error", "param": null, "code": null } }).to_string()
            }
            Self::Chat | Self::Generate => json!({ "error": message }).to_string(),
        }
    }

    /// The message of an error in the dialect's form; `None` where it is in another.
    pub fn message(self, error: &str) -> Option<String> {
        let error: Value = serde_json::from_str(error).ok()?;
        let message = match self {
            Self::OpenAi => &error["error"]["message"],
            Self::Chat | Self::Generate => &error["error"],
        };
        message.as_str().map(str::to_owned)
    }
}

impl Call {
    /// The bytes of the request.
    pub fn request(&self, to: &str, key: &str) -> Vec<u8> {
        let Self { id, kind, model, chunks, every } = self;
        let prompt = format!("call {id:016x}: {chunks} chunks, one every {every} ms");
        let body = match kind {
            Kind::Generate => json!({ "model": model, "stream": false, "prompt": prompt }),
            _ => json!({ "model": model, "stream": true, "messages": [{ "role": "user", "content": prompt }] }),
        };
        let (body, path) = (body.to_string(), kind.path());
        let length = body.len();
        format!(
            "POST {path} HTTP/1.1\r\nhost: {to}\r\nauthorization: Bearer {key}\r\nx-fortress-explain: 1\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .into_bytes()
    }

    /// Reads what [`request`](Self::request) wrote.
    pub fn read(kind: Kind, body: &[u8]) -> Option<Self> {
        let body: Value = serde_json::from_slice(body).ok()?;
        let prompt = match kind {
            Kind::Generate => body["prompt"].as_str()?,
            _ => body["messages"][0]["content"].as_str()?,
        };
        let (id, rest) = prompt.strip_prefix("call ")?.split_once(": ")?;
        let (chunks, rest) = rest.split_once(" chunks, one every ")?;
        Some(Self {
            id: u64::from_str_radix(id, 16).ok()?,
            kind,
            model: body["model"].as_str()?.to_owned(),
            chunks: chunks.parse().ok()?,
            every: rest.strip_suffix(" ms")?.parse().ok()?,
        })
    }

    /// The right answer, piece by piece as a backend sends it.
    pub fn pieces(&self) -> Vec<String> {
        match self.kind {
            Kind::Chat => self.lines(),
            Kind::OpenAi => self.events(),
            Kind::Generate => {
                let whole = self.whole();
                let (left, right) = whole.split_at(whole.len() / 2);
                vec![left.to_owned(), right.to_owned()]
            }
        }
    }

    /// All bytes of the right answer.
    pub fn answer(&self) -> Vec<u8> {
        self.pieces().concat().into_bytes()
    }

    fn text(&self, index: usize) -> String {
        let word = mix(self.id, index as u64);
        let mut text = format!("{index}-{word:016x}");
        let letter = char::from(b'a' + (word % 26) as u8);
        text.extend(std::iter::repeat_n(letter, (word >> 8) as usize % 160));
        text
    }

    fn lines(&self) -> Vec<String> {
        let Self { model, chunks, .. } = self;
        let line = |index| {
            let text = self.text(index);
            format!(
                "{{\"model\":\"{model}\",\"created_at\":\"2026-11-22T08:00:00.000000Z\",\"message\":{{\"role\":\"assistant\",\"content\":\"{text}\"}},\"done\":false}}\n"
            )
        };
        let last = format!(
            "{{\"model\":\"{model}\",\"created_at\":\"2026-11-22T08:00:00.000000Z\",\"message\":{{\"role\":\"assistant\",\"content\":\"\"}},\"done\":true,\"done_reason\":\"stop\",\"total_duration\":1000000,\"load_duration\":1000,\"prompt_eval_count\":12,\"prompt_eval_duration\":1000,\"eval_count\":{chunks},\"eval_duration\":1000}}\n"
        );
        (0..*chunks).map(line).chain([last]).collect()
    }

    fn events(&self) -> Vec<String> {
        let Self { id, model, chunks, .. } = self;
        let event = |delta: &str, reason: &str| {
            format!(
                "data: {{\"id\":\"chatcmpl-{id:x}\",\"object\":\"chat.completion.chunk\",\"created\":1763798400,\"model\":\"{model}\",\"system_fingerprint\":\"fp_ollama\",\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{reason}}}]}}\n\n"
            )
        };
        let mut events: Vec<String> = (0..*chunks)
            .map(|index| {
                let text = self.text(index);
                event(&format!("{{\"role\":\"assistant\",\"content\":\"{text}\"}}"), "null")
            })
            .collect();
        events.push(event("{\"role\":\"assistant\",\"content\":\"\"}", "\"stop\""));
        events.push("data: [DONE]\n\n".to_owned());
        events
    }

    fn whole(&self) -> String {
        let mut text = String::new();
        for index in 0..self.chunks {
            // Writing into a String never fails.
            _ = write!(text, "{} ", self.text(index));
        }
        let (model, chunks) = (&self.model, self.chunks);
        format!(
            "{{\"model\":\"{model}\",\"created_at\":\"2026-11-22T08:00:00.000000Z\",\"response\":\"{text}\",\"done\":true,\"done_reason\":\"stop\",\"total_duration\":1000000,\"load_duration\":1000,\"prompt_eval_count\":12,\"prompt_eval_duration\":1000,\"eval_count\":{chunks},\"eval_duration\":1000}}"
        )
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn call(kind: Kind) -> Call {
        Call { id: 0xfeed_0000_0000_0007, kind, model: "a:latest".to_owned(), chunks: 3, every: 20 }
    }

    #[test]
    fn a_call_survives_its_way_through_the_request() {
        for kind in Kind::ALL {
            let call = call(kind);
            let request = String::from_utf8(call.request("127.0.0.1:1", "op_x")).unwrap();
            let (head, body) = request.split_once("\r\n\r\n").unwrap();
            assert!(head.starts_with(&format!("POST {} ", kind.path())), "{head}");
            assert_eq!(Call::read(kind, body.as_bytes()), Some(call));
            assert_eq!(Kind::of_path(kind.path()), Some(kind));
        }
    }

    #[test]
    fn answers_are_what_their_dialect_says_and_no_two_are_alike() {
        for kind in Kind::ALL {
            let (one, other) = (call(kind), Call { id: 8, ..call(kind) });
            assert_ne!(one.answer(), other.answer());
            let text = String::from_utf8(one.answer()).unwrap();
            let messages: Vec<&str> = match kind {
                Kind::Generate => vec![&text],
                _ => text
                    .split('\n')
                    .map(|line| line.trim_start_matches("data: "))
                    .filter(|line| !line.is_empty())
                    .collect(),
            };
            for message in messages.iter().filter(|message| **message != "[DONE]") {
                serde_json::from_str::<Value>(message).unwrap();
            }
            assert_eq!(kind.message(&kind.error("no")).as_deref(), Some("no"));
        }
    }
}
