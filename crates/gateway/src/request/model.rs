//! Which model a request names, and the refusals that come before a backend is looked for, each in the words Ollama uses
//! at that endpoint.

use std::ops::Range;

use bytes::Bytes;
use domain::{
    endpoint::{Dialect, Endpoint},
    id::KeyId,
    model::ModelName,
};
use http::{HeaderMap, HeaderName, header};

use super::{
    json::{self, Kind},
    multipart,
};
use crate::{
    error::Error,
    hash,
    policy::{put_text, text_bytes},
};

/// Longest model text that is quoted back to the client.
const QUOTED: usize = 200;

/// What the pipeline must know of a request's body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    /// As the client wrote it, never empty.
    pub(crate) model: String,
    /// Length of the text that a model is to read, to estimate its tokens where the answer counts none.
    pub(crate) prompt_bytes: usize,
    /// Where in the body the messages, the prompt or the input stand.
    pub(crate) prompt: Range<usize>,
}

/// Bytes of a prompt's beginning that decide where it belongs.
const BEGINNING: usize = 1_024;
/// What a client may say of which requests belong together.
const SESSION: HeaderName = HeaderName::from_static("x-fortress-session");

impl Facts {
    /// A hash of what this request should stay together with: its session by the header `x-fortress-session`, otherwise
    /// the beginning of its prompt, of a chat the first message. Both among the requests of the same key only.
    pub(crate) fn affinity(&self, headers: &HeaderMap, key: &KeyId, body: &[u8]) -> u64 {
        let text = match headers.get(&SESSION) {
            Some(session) => session.as_bytes(),
            None => beginning(body.get(self.prompt.clone()).unwrap_or_default()),
        };
        hash::fnv(key.as_str().bytes().chain(text.iter().copied()))
    }
}

/// As far as it stays the same while a conversation grows.
fn beginning(prompt: &[u8]) -> &[u8] {
    let roles = memchr::memmem::find_iter(prompt, b"\"role\"").nth(1);
    let end = roles.unwrap_or(prompt.len()).min(BEGINNING);
    let is_frame = |byte: &u8| byte.is_ascii_whitespace() || b",[]{}".contains(byte);
    let kept = prompt[..end].iter().rposition(|byte| !is_frame(byte)).map_or(0, |last| last + 1);
    &prompt[..kept]
}

/// Reads the body of a request for `endpoint`.
pub(super) fn read(endpoint: Endpoint, headers: &HeaderMap, body: &[u8]) -> Result<Facts, Error> {
    if endpoint == Endpoint::OpenAiTranscriptions {
        let model =
            multipart::model(content_type(headers), body).map_err(|message| Error::BadRequest(message.into()))?;
        return match model {
            Some(model) if !model.is_empty() => Ok(Facts { model: model.to_owned(), prompt_bytes: 0, prompt: 0..0 }),
            _ => Err(Error::MissingModel),
        };
    }
    let members = members(endpoint, body)?;
    match members.model {
        Some(model) if !model.trim().is_empty() => {
            Ok(Facts { model, prompt_bytes: members.prompt_bytes, prompt: members.prompt })
        }
        _ => Err(missing(endpoint)),
    }
}

/// The body with `model` in the place of the one that was read out of it; no other byte changes.
pub(super) fn rename(endpoint: Endpoint, headers: &HeaderMap, body: &Bytes, model: &str) -> Result<Bytes, Error> {
    match endpoint {
        Endpoint::OpenAiTranscriptions => multipart::put_model(content_type(headers), body, model)
            .map(Bytes::from)
            .map_err(|message| Error::BadRequest(message.into())),
        Endpoint::Show => put_text(body, ["model", "name"], model),
        _ => put_text(body, ["model"], model),
    }
}

fn content_type(headers: &HeaderMap) -> &str {
    headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

#[derive(Default)]
struct Members {
    model: Option<String>,
    prompt_bytes: usize,
    prompt: Range<usize>,
}

fn members(endpoint: Endpoint, body: &[u8]) -> Result<Members, Error> {
    if body.trim_ascii().is_empty() {
        let native = endpoint.dialect() == Dialect::Ollama;
        return Err(Error::BadRequest(if native { "missing request body" } else { "EOF" }.into()));
    }
    let (mut model, mut name) = (Seen::default(), Seen::default());
    let (mut prompt_bytes, mut messages, mut max_tokens) = (0, false, false);
    let mut prompt = 0..0;
    let kind = json::scan(body, &mut |key, value| {
        let key = json::unescape(key);
        if matches!(&*key, "messages" | "prompt" | "input" | "system" | "instructions" | "tools") {
            prompt_bytes += text_length(value);
        }
        if matches!(&*key, "messages" | "prompt" | "input") {
            // The value is a part of the body.
            let start = (value.as_ptr() as usize).saturating_sub(body.as_ptr() as usize);
            prompt = start..start + value.len();
        }
        // Go matches names in any case and takes the last of several: what it would read must be what we route by.
        if key.eq_ignore_ascii_case("model") {
            model.add(&key == "model", value);
        } else if endpoint == Endpoint::Show && key.eq_ignore_ascii_case("name") {
            name.add(&key == "name", value);
        } else if key == "messages" {
            messages = value.get(1..).is_some_and(|rest| rest.trim_ascii_start().first() != Some(&b']'))
                && Kind::of(value) == Kind::Array;
        } else if key == "max_tokens" {
            max_tokens = value.iter().any(|digit| matches!(digit, b'1'..=b'9')) && value.first() != Some(&b'-');
        }
    });
    let kind = kind.map_err(Error::BadRequest)?;
    if !matches!(kind, Kind::Object | Kind::Null) {
        return Err(Error::BadRequest(format!(
            "json: cannot unmarshal {} into Go value of type {}",
            kind.name(),
            go_type(endpoint)
        )));
    }
    let model = model.text(endpoint, "model")?;
    let name = name.text(endpoint, "name")?;
    let model = match (model, name) {
        (Some(model), Some(name)) if !model.is_empty() && !name.is_empty() && model != name => {
            return Err(Error::BadRequest("model and name differ, send only model".into()));
        }
        (Some(model), _) if !model.is_empty() => Some(model),
        (model, name) => name.or(model),
    };
    let given = model.as_deref().is_some_and(|model| !model.trim().is_empty());
    match endpoint {
        Endpoint::OpenAiChat if !messages => Err(Error::BadRequest("[] is too short - 'messages'".into())),
        Endpoint::AnthropicMessages if given && !max_tokens => {
            Err(Error::BadRequest("max_tokens is required and must be positive".into()))
        }
        Endpoint::AnthropicMessages if given && !messages => Err(Error::BadRequest("messages is required".into())),
        _ => Ok(Members { model, prompt_bytes, prompt }),
    }
}

/// Bytes of text in a raw value: of a short one all but its brackets, of a long one without what is an image.
fn text_length(value: &[u8]) -> usize {
    if value.len() <= BEGINNING || Kind::of(value) == Kind::String {
        value.len().saturating_sub(2)
    } else {
        text_bytes(value)
    }
}

/// A member that may stand in the body once, spelled exactly.
#[derive(Default)]
struct Seen<'a> {
    value: Option<&'a [u8]>,
    times: usize,
    other_case: bool,
}

impl<'a> Seen<'a> {
    fn add(&mut self, exact: bool, value: &'a [u8]) {
        self.value = Some(value);
        self.times += 1;
        self.other_case |= !exact;
    }

    fn text(self, endpoint: Endpoint, name: &str) -> Result<Option<String>, Error> {
        if self.times > 1 {
            return Err(Error::BadRequest(format!("duplicate member {name:?} in the request body")));
        }
        if self.other_case {
            return Err(Error::BadRequest(format!("member {name:?} must be written in lower case")));
        }
        let Some(value) = self.value else { return Ok(None) };
        match Kind::of(value) {
            Kind::Null => Ok(None),
            Kind::String => Ok(Some(json::unescape(&value[1..value.len() - 1]).into_owned())),
            kind => {
                let request = go_type(endpoint).rsplit('.').next().unwrap_or_default();
                let kind = kind.name();
                Err(Error::BadRequest(format!(
                    "json: cannot unmarshal {kind} into Go struct field {request}.{name} of type string"
                )))
            }
        }
    }
}

/// What Ollama calls the type it decodes the body into; clients see it in decoding errors.
fn go_type(endpoint: Endpoint) -> &'static str {
    match endpoint {
        Endpoint::Show => "api.ShowRequest",
        Endpoint::Generate => "api.GenerateRequest",
        Endpoint::Embed => "api.EmbedRequest",
        Endpoint::Embeddings => "api.EmbeddingRequest",
        Endpoint::OpenAiChat => "openai.ChatCompletionRequest",
        Endpoint::OpenAiCompletions => "openai.CompletionRequest",
        Endpoint::OpenAiEmbeddings => "openai.EmbedRequest",
        Endpoint::OpenAiResponses => "openai.ResponsesRequest",
        Endpoint::AnthropicMessages => "anthropic.MessagesRequest",
        _ => "api.ChatRequest",
    }
}

/// No model, or an empty one: some endpoints look the empty name up.
fn missing(endpoint: Endpoint) -> Error {
    match endpoint {
        Endpoint::Generate | Endpoint::Embed | Endpoint::OpenAiCompletions | Endpoint::OpenAiEmbeddings => {
            Error::UnknownModel("model '' not found".into())
        }
        _ => Error::MissingModel,
    }
}

/// A model that no backend has.
pub(crate) fn unknown(endpoint: Endpoint, model: &str) -> Error {
    let quoted = cut(model, QUOTED);
    Error::UnknownModel(match endpoint {
        Endpoint::Show => match ModelName::parse(model) {
            Ok((name, _)) => format!("model '{}' not found", cut(name.display(), QUOTED)),
            Err(_) => format!("model '{quoted}' not found"),
        },
        Endpoint::Embed | Endpoint::Embeddings | Endpoint::OpenAiEmbeddings => {
            format!("model \"{quoted}\" not found, try pulling it first")
        }
        _ => format!("model '{quoted}' not found"),
    })
}

/// At most `longest` bytes of `text`, cut between characters.
pub(crate) fn cut(text: &str, longest: usize) -> &str {
    &text[..text.floor_char_boundary(longest)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(endpoint: Endpoint, body: &str) -> Result<String, Error> {
        read(endpoint, &HeaderMap::new(), body.as_bytes()).map(|facts| facts.model)
    }

    fn bad(message: &str) -> Result<String, Error> {
        Err(Error::BadRequest(message.into()))
    }

    #[test]
    fn the_model_is_found_as_the_client_wrote_it() {
        assert_eq!(model(Endpoint::Chat, r#"{"options":{"model":"x"},"model":"Llama3"}"#), Ok("Llama3".into()));
        assert_eq!(model(Endpoint::Generate, r#"{"model":"a\u002fb"}"#), Ok("a/b".into()));
        assert_eq!(model(Endpoint::Show, r#"{"name":"a"}"#), Ok("a".into()));
        assert_eq!(model(Endpoint::Show, r#"{"name":"a","model":"a"}"#), Ok("a".into()));
        assert_eq!(model(Endpoint::Chat, r#"{"name":"a","model":"b"}"#), Ok("b".into()));
    }

    #[test]
    fn the_text_to_read_is_measured_in_every_dialect_without_its_images() {
        let bytes = |endpoint, body: &str| read(endpoint, &HeaderMap::new(), body.as_bytes()).unwrap().prompt_bytes;
        assert_eq!(bytes(Endpoint::Embeddings, r#"{"model":"a","prompt":"12345678"}"#), 8);
        assert_eq!(bytes(Endpoint::Generate, r#"{"model":"a","prompt":"1234","system":"5678","suffix":"x"}"#), 8);
        assert_eq!(bytes(Endpoint::Generate, r#"{"model":"a","prompt":""}"#), 0);
        assert_eq!(bytes(Endpoint::OpenAiResponses, r#"{"model":"a","input":"1234","instructions":"5678"}"#), 8);
        let chat = r#"{"model":"a","messages":[{"role":"user","content":"x"}]}"#;
        assert_eq!(bytes(Endpoint::OpenAiChat, chat), r#"{"role":"user","content":"x"}"#.len());
        let image = "A".repeat(100_000);
        let picture = format!(r#"{{"model":"a","messages":[{{"role":"user","content":"x","images":["{image}"]}}]}}"#);
        assert!(bytes(Endpoint::Chat, &picture) < 100);
        let long = "word ".repeat(10_000);
        let chat = format!(r#"{{"model":"a","messages":[{{"role":"user","content":"{long}"}}]}}"#);
        assert_eq!(bytes(Endpoint::Chat, &chat).div_ceil(1_000), 51);
    }

    #[test]
    fn a_second_model_is_refused_in_any_spelling() {
        let duplicate = bad("duplicate member \"model\" in the request body");
        for body in [
            r#"{"model":"a","model":"b"}"#,
            r#"{"model":"a","model":"a"}"#,
            r#"{"model":"a","MODEL":"b"}"#,
            r#"{"Model":"a","mOdel":"b"}"#,
            r#"{"model":"a","mod\u0065l":"b"}"#,
            r#"{"model":"a","\u004dodel":null}"#,
            r#"{"model":"a","model":{"x":1}}"#,
        ] {
            assert_eq!(model(Endpoint::Chat, body), duplicate, "{body}");
        }
        assert_eq!(model(Endpoint::Chat, r#"{"MODEL":"a"}"#), bad("member \"model\" must be written in lower case"));
        assert_eq!(
            model(Endpoint::Show, r#"{"name":"a","NAME":"b"}"#),
            bad("duplicate member \"name\" in the request body")
        );
        assert_eq!(model(Endpoint::Show, r#"{"name":"a","model":"b"}"#), bad("model and name differ, send only model"));
    }

    #[test]
    fn a_missing_model_is_told_as_each_endpoint_tells_it() {
        for body in ["{}", r#"{"model":""}"#, r#"{"model":null}"#, r#"{"model":"  "}"#, "null"] {
            assert_eq!(model(Endpoint::Chat, body), Err(Error::MissingModel), "{body}");
            assert_eq!(
                model(Endpoint::Generate, body),
                Err(Error::UnknownModel("model '' not found".into())),
                "{body}"
            );
        }
        assert_eq!(model(Endpoint::OpenAiChat, "{}"), bad("[] is too short - 'messages'"));
        assert_eq!(model(Endpoint::OpenAiChat, r#"{"model":"a","messages":[ ]}"#), bad("[] is too short - 'messages'"));
        assert_eq!(model(Endpoint::OpenAiChat, r#"{"messages":[{}]}"#), Err(Error::MissingModel));
        assert_eq!(model(Endpoint::AnthropicMessages, "{}"), Err(Error::MissingModel));
        assert_eq!(
            model(Endpoint::AnthropicMessages, r#"{"model":"a"}"#),
            bad("max_tokens is required and must be positive")
        );
        assert_eq!(
            model(Endpoint::AnthropicMessages, r#"{"model":"a","max_tokens":-1}"#),
            bad("max_tokens is required and must be positive")
        );
        assert_eq!(model(Endpoint::AnthropicMessages, r#"{"model":"a","max_tokens":10}"#), bad("messages is required"));
        assert_eq!(
            model(Endpoint::AnthropicMessages, r#"{"model":"a","max_tokens":10,"messages":[{}]}"#),
            Ok("a".into())
        );
    }

    #[test]
    fn what_is_no_object_and_what_is_no_text_is_told_as_go_tells_it() {
        assert_eq!(model(Endpoint::Chat, ""), bad("missing request body"));
        assert_eq!(model(Endpoint::OpenAiChat, " "), bad("EOF"));
        assert_eq!(
            model(Endpoint::Chat, "[]"),
            bad("json: cannot unmarshal array into Go value of type api.ChatRequest")
        );
        assert_eq!(
            model(Endpoint::Chat, r#"{"model":1}"#),
            bad("json: cannot unmarshal number into Go struct field ChatRequest.model of type string")
        );
    }

    #[test]
    fn an_unknown_model_is_told_as_each_endpoint_tells_it() {
        let text = |endpoint| unknown(endpoint, "nope").to_string();
        assert_eq!(text(Endpoint::Chat), "model 'nope' not found");
        assert_eq!(text(Endpoint::Show), "model 'nope:latest' not found");
        assert_eq!(text(Endpoint::Embed), "model \"nope\" not found, try pulling it first");
        assert_eq!(unknown(Endpoint::Chat, &"é".repeat(10_000)).to_string().len(), "model '' not found".len() + QUOTED);
    }
}
