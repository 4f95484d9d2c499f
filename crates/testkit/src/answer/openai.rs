//! OpenAI's dialect: chat, completions, embeddings, transcriptions, and its errors.

use base64::Engine as _;
use serde_json::{Value, json};

use super::{
    Asked, Reply, count_message_words, count_words, native,
    tools::{Call, TOKENS},
    vector,
};
use crate::script::Script;

const CREATED: u64 = 1_700_000_000;
const SSE: &str = "text/event-stream";

pub(super) fn error(status: u16, message: &str) -> Reply {
    let kind = match status {
        400 => "invalid_request_error",
        404 => "not_found_error",
        _ => "api_error",
    };
    let message = super::quote(message);
    let body = format!("{{\"error\":{{\"message\":{message},\"type\":\"{kind}\",\"param\":null,\"code\":null}}}}\n");
    Reply::whole(status, "application/json", body)
}

pub(super) fn unreadable(text: &str) -> Reply {
    error(400, if text.is_empty() { "EOF" } else { "invalid character 'b' looking for beginning of object key string" })
}

pub(super) fn refuse_model(asked: &Asked<'_>, ability: &str) -> Option<Reply> {
    let name = asked.model();
    match asked.script.find(name) {
        None => Some(error(404, &format!("model '{name}' not found"))),
        Some(model) if model.embedding => Some(error(400, &format!("\"{name}\" does not support {ability}"))),
        Some(_) => None,
    }
}

fn usage(prompt_tokens: usize, completion_tokens: usize) -> Value {
    json!({
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    })
}

fn limit(asked: &Asked<'_>) -> Option<u64> {
    asked.body.get("max_tokens").or_else(|| asked.body.get("max_completion_tokens"))?.as_u64()
}

fn wants_usage(asked: &Asked<'_>) -> bool {
    asked.body.pointer("/stream_options/include_usage").and_then(Value::as_bool) == Some(true)
}

/// The events of a stream: one per choice, then the usage if it was asked for, then the end.
fn stream(asked: &Asked<'_>, id: &str, object: &str, choices: Vec<Value>, usage: &Value) -> Reply {
    let event = |choices: Value, usage: Option<&Value>| {
        let mut event = json!({
            "id": id, "object": object, "created": CREATED, "model": asked.model(),
            "system_fingerprint": "fp_ollama", "choices": choices,
        });
        if let Some(usage) = usage {
            event["usage"] = usage.clone();
        }
        format!("data: {event}\n\n")
    };
    let mut events: Vec<String> = choices.into_iter().map(|choice| event(json!([choice]), None)).collect();
    if wants_usage(asked) {
        events.push(event(json!([]), Some(usage)));
    }
    events.push("data: [DONE]\n\n".to_owned());
    Reply::stream(SSE, events)
}

pub(super) fn chat(asked: &Asked<'_>) -> Reply {
    let messages = asked.body.get("messages");
    if messages.and_then(Value::as_array).is_none_or(Vec::is_empty) {
        return error(400, "[] is too short - 'messages'");
    }
    if let Some(refusal) = refuse_model(asked, "chat") {
        return refusal;
    }
    asked.load(true);
    if let Some(call) = asked.call() {
        return chat_call(asked, &call, &usage(count_message_words(messages), TOKENS));
    }
    let (words, cut) = asked.words(limit(asked));
    let reason = if cut { "length" } else { "stop" };
    let usage = usage(count_message_words(messages), words.len());
    if asked.flag("stream", false) {
        let mut choices: Vec<Value> = words
            .iter()
            .enumerate()
            .map(|(index, word)| {
                let delta =
                    if index == 0 { json!({"role": "assistant", "content": word}) } else { json!({"content": word}) };
                json!({"index": 0, "delta": delta, "finish_reason": null})
            })
            .collect();
        choices.push(json!({"index": 0, "delta": {}, "finish_reason": reason}));
        return stream(asked, "chatcmpl-123", "chat.completion.chunk", choices, &usage);
    }
    completion(asked, json!({"role": "assistant", "content": words.concat()}), reason, &usage)
}

/// A chat's answer in one piece.
fn completion(asked: &Asked<'_>, message: Value, reason: &str, usage: &Value) -> Reply {
    let body = json!({
        "id": "chatcmpl-123", "object": "chat.completion", "created": CREATED, "model": asked.model(),
        "system_fingerprint": "fp_ollama",
        "choices": [{"index": 0, "message": message, "finish_reason": reason}],
        "usage": usage,
    });
    Reply::whole(200, "application/json", format!("{body}\n"))
}

fn chat_call(asked: &Asked<'_>, call: &Call<'_>, usage: &Value) -> Reply {
    let function = json!({"name": call.name, "arguments": call.arguments.to_string()});
    let calls = json!([{"id": "call_123", "index": 0, "type": "function", "function": function}]);
    let message = json!({"role": "assistant", "content": "", "tool_calls": calls});
    if !asked.flag("stream", false) {
        return completion(asked, message, "tool_calls", usage);
    }
    let choice = |delta: Value, reason: Value| json!({"index": 0, "delta": delta, "finish_reason": reason});
    let choices = vec![choice(message, Value::Null), choice(json!({}), "tool_calls".into())];
    stream(asked, "chatcmpl-123", "chat.completion.chunk", choices, usage)
}

pub(super) fn completions(asked: &Asked<'_>) -> Reply {
    if let Some(refusal) = refuse_model(asked, "generate") {
        return refusal;
    }
    asked.load(true);
    let (words, cut) = asked.words(limit(asked));
    let reason = if cut { "length" } else { "stop" };
    let usage = usage(count_words(asked.text("prompt")), words.len());
    let choice = |text: &str, reason: Value| json!({"index": 0, "text": text, "finish_reason": reason});
    if asked.flag("stream", false) {
        let mut choices: Vec<Value> = words.iter().map(|word| choice(word, Value::Null)).collect();
        choices.push(choice("", reason.into()));
        return stream(asked, "cmpl-123", "text_completion", choices, &usage);
    }
    let body = json!({
        "id": "cmpl-123", "object": "text_completion", "created": CREATED, "model": asked.model(),
        "system_fingerprint": "fp_ollama", "choices": [choice(&words.concat(), reason.into())], "usage": usage,
    });
    Reply::whole(200, "application/json", format!("{body}\n"))
}

pub(super) fn embeddings(asked: &Asked<'_>) -> Reply {
    let name = asked.model();
    if asked.script.find(name).is_none() {
        return error(404, &format!("model \"{name}\" not found, try pulling it first"));
    }
    asked.load(true);
    let texts = native::inputs(asked.body.get("input"));
    let tokens: usize = texts.iter().map(|text| count_words(text)).sum();
    let base64 = asked.text("encoding_format") == "base64";
    let encode = |text: &str| {
        if !base64 {
            return json!(vector(text));
        }
        let bytes: Vec<u8> = vector(text).into_iter().flat_map(f32::to_le_bytes).collect();
        base64::engine::general_purpose::STANDARD.encode(bytes).into()
    };
    let data: Vec<Value> = texts
        .iter()
        .enumerate()
        .map(|(index, text)| json!({"object": "embedding", "embedding": encode(text), "index": index}))
        .collect();
    let body = json!({
        "object": "list", "data": data, "model": name,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    });
    Reply::whole(200, "application/json", format!("{body}\n"))
}

/// Finds the model in the multipart body by its field's name.
pub(super) fn transcription(script: &Script, body: &[u8]) -> Reply {
    let text = String::from_utf8_lossy(body);
    let field = text.split_once("name=\"model\"").and_then(|(_, rest)| rest.split_once("\r\n\r\n"));
    let name = field.and_then(|(_, value)| value.split("\r\n").next()).unwrap_or_default();
    if name.is_empty() {
        return error(400, "model is required");
    }
    if script.find(name).is_none() {
        return error(404, &format!("model '{name}' not found"));
    }
    Reply::whole(200, "application/json", "{\"text\":\"The sky is blue.\"}\n".to_owned())
}
