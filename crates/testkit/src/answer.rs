//! Which endpoint answers what. Shapes, texts and content types follow Ollama's own; words and token counts are
//! deterministic: prompt tokens are the words of the prompt, completion tokens the scripted chunks.

mod anthropic;
mod catalogue;
mod native;
mod openai;
mod responses;
mod tools;

use bytes::Bytes;
use http::{StatusCode, header, request::Parts};
use serde_json::Value;

use crate::{
    fake::Shared,
    record::lock,
    script::{Script, canonical},
};

/// A whole answer, cut into the frames it is sent in.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) content_type: Option<&'static str>,
    pub(crate) frames: Vec<Bytes>,
    pub(crate) streaming: bool,
    /// A model that the backend has once a frame with `success` was sent.
    pub(crate) pulls: Option<String>,
}

/// What every endpoint gets to see.
struct Asked<'a> {
    script: &'a Script,
    shared: &'a Shared,
    body: Value,
}

impl Asked<'_> {
    fn text(&self, member: &str) -> &str {
        self.body.get(member).and_then(Value::as_str).unwrap_or_default()
    }

    /// The model as the client spelled it.
    fn model(&self) -> &str {
        match self.text("model") {
            "" => self.text("name"),
            model => model,
        }
    }

    fn flag(&self, member: &str, default: bool) -> bool {
        self.body.get(member).and_then(Value::as_bool).unwrap_or(default)
    }

    /// Words of the answer, at most `limit`, and whether the limit cut it short.
    fn words(&self, limit: Option<u64>) -> (Vec<String>, bool) {
        const TEXT: &[&str] =
            &["The", "sky", "is", "blue", "because", "it", "is", "the", "colour", "of", "the", "sky."];
        let wanted = self.script.chunks;
        let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(wanted);
        let words = (0..wanted.min(limit)).map(|index| {
            let space = if index == 0 { "" } else { " " };
            format!("{space}{}{}", TEXT[index % TEXT.len()], "x".repeat(self.script.padding))
        });
        (words.collect(), limit < wanted)
    }

    /// Notes that the model sits in memory now, or no longer.
    fn load(&self, loaded: bool) {
        let name = canonical(self.model());
        let mut script = lock(&self.shared.script);
        script.loaded.retain(|other| *other != name);
        if loaded {
            script.loaded.push(name);
        }
    }
}

pub(crate) fn answer(parts: &Parts, body: &Bytes, script: &Script, shared: &Shared) -> Reply {
    if let Some(refusal) = refuse_caller(parts, script) {
        return refusal;
    }
    let path = parts.uri.path();
    let asked = |missing: fn(&str) -> Reply, endpoint: fn(&Asked<'_>) -> Reply| {
        if body.is_empty() {
            return missing("");
        }
        match serde_json::from_slice(body) {
            Ok(body) => endpoint(&Asked { script, shared, body }),
            Err(error) => missing(&error.to_string()),
        }
    };
    match (parts.method.as_str(), path) {
        ("GET" | "HEAD", "/") => Reply::whole(200, "text/plain; charset=utf-8", "Ollama is running".to_owned()),
        ("GET" | "HEAD", "/api/version") => Reply::json(200, format!("{{\"version\":{}}}", quote(&script.version))),
        ("GET" | "HEAD", "/api/tags") => catalogue::tags(script),
        ("GET", "/api/ps") => catalogue::ps(script),
        ("GET", "/v1/models") => catalogue::openai_models(script),
        ("GET", path) if path.starts_with("/v1/models/") => {
            catalogue::openai_model(script, &path["/v1/models/".len()..])
        }
        ("POST", "/api/show") => asked(native::unreadable, catalogue::show),
        ("POST", "/api/generate") => asked(native::unreadable, native::generate),
        ("POST", "/api/chat") => asked(native::unreadable, native::chat),
        ("POST", "/api/embed") => asked(native::unreadable, native::embed),
        ("POST", "/api/embeddings") => asked(native::unreadable, native::embeddings),
        ("POST", "/api/pull") => asked(native::unreadable, native::pull),
        ("DELETE", "/api/delete") => asked(native::unreadable, native::delete),
        ("POST", "/api/push") => asked(native::unreadable, native::push),
        ("POST", "/api/create") => asked(native::unreadable, native::pull),
        ("POST", "/api/copy") => asked(native::unreadable, native::copy),
        ("HEAD", path) if path.starts_with("/api/blobs/") => Reply::empty(404),
        ("POST", path) if path.starts_with("/api/blobs/") => Reply::empty(201),
        ("POST", "/v1/chat/completions") => asked(openai::unreadable, openai::chat),
        ("POST", "/v1/completions") => asked(openai::unreadable, openai::completions),
        ("POST", "/v1/embeddings") => asked(openai::unreadable, openai::embeddings),
        ("POST", "/v1/responses") => asked(openai::unreadable, responses::responses),
        ("POST", "/v1/audio/transcriptions") => openai::transcription(script, body),
        ("POST", "/v1/messages") => asked(anthropic::unreadable, anthropic::messages),
        (_, path) if is_known(path) => Reply::whole(405, "text/plain", "405 method not allowed".to_owned()),
        _ => Reply::whole(404, "text/plain", "404 page not found".to_owned()),
    }
}

fn is_known(path: &str) -> bool {
    const KNOWN: &[&str] = &["/", "/api/version", "/api/tags", "/api/ps", "/api/show", "/api/generate", "/api/chat"];
    const MORE: &[&str] = &["/api/embed", "/api/embeddings", "/api/pull", "/api/delete", "/v1/models"];
    const OPENAI: &[&str] =
        &["/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses", "/v1/messages"];
    [KNOWN, MORE, OPENAI].iter().any(|paths| paths.contains(&path)) || path == "/v1/audio/transcriptions"
}

/// Ollama on loopback answers 403 with an empty body to a foreign `Host` or `Origin`; a token in front of it answers 401.
fn refuse_caller(parts: &Parts, script: &Script) -> Option<Reply> {
    let header = |name: header::HeaderName| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let host = header(header::HOST).unwrap_or_default();
    if !is_local(host)
        || header(header::ORIGIN).is_some_and(|origin| !is_local(origin.rsplit('/').next().unwrap_or(origin)))
    {
        return Some(Reply::empty(403));
    }
    let token = script.token.as_deref()?;
    let given = header(header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
    (given != Some(token)).then(|| Reply::error(401, "unauthorized"))
}

fn is_local(authority: &str) -> bool {
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.parse::<std::net::IpAddr>().is_ok()
        || host == "localhost"
        || [".localhost", ".local", ".internal"].iter().any(|suffix| host.ends_with(suffix))
}

/// JSON string literal.
pub(crate) fn quote(text: &str) -> String {
    Value::from(text).to_string()
}

/// Number of words: what the fake counts as prompt tokens.
fn count_words(text: &str) -> usize {
    text.split_whitespace().count()
}

/// Text of a message's content, given as a string or as a list of parts.
fn content_text(content: Option<&Value>) -> String {
    match content {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => {
            parts.iter().filter_map(|part| part.get("text")?.as_str()).collect::<Vec<_>>().join(" ")
        }
        _ => String::new(),
    }
}

/// Words in all messages.
fn count_message_words(messages: Option<&Value>) -> usize {
    let messages = messages.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    messages.iter().map(|message| count_words(&content_text(message.get("content")))).sum()
}

/// Always the same eight numbers for the same text.
fn vector(text: &str) -> Vec<f32> {
    (0..8).map(|index| (crate::script::fnv(&format!("{index}{text}")) % 1000) as f32 / 1000.0).collect()
}
