//! Anthropic's dialect: messages and its errors.

use serde_json::{Value, json};

use super::{Asked, Reply, content_text, count_message_words, count_words};

fn error(status: u16, message: &str) -> Reply {
    let kind = if status == 404 { "not_found_error" } else { "invalid_request_error" };
    let message = super::quote(message);
    let body = format!(
        "{{\"type\":\"error\",\"error\":{{\"type\":\"{kind}\",\"message\":{message}}},\"request_id\":\"req_123\"}}\n"
    );
    Reply::whole(status, "application/json", body)
}

pub(super) fn unreadable(text: &str) -> Reply {
    error(400, if text.is_empty() { "EOF" } else { "invalid character 'b' looking for beginning of object key string" })
}

pub(super) fn messages(asked: &Asked<'_>) -> Reply {
    let name = asked.model();
    let limit = asked.body.get("max_tokens").and_then(Value::as_u64).filter(|limit| *limit > 0);
    let messages = asked.body.get("messages");
    if name.is_empty() {
        return error(400, "model is required");
    }
    if limit.is_none() {
        return error(400, "max_tokens is required and must be positive");
    }
    if messages.and_then(Value::as_array).is_none_or(Vec::is_empty) {
        return error(400, "messages is required");
    }
    if asked.script.find(name).is_none() {
        return error(404, &format!("model '{name}' not found"));
    }
    asked.load(true);
    let (words, cut) = asked.words(limit);
    let reason = if cut { "max_tokens" } else { "end_turn" };
    let input = count_message_words(messages) + count_words(&content_text(asked.body.get("system")));
    let output = words.len();
    let message = |content: Value, reason: Value, output: usize| {
        json!({
            "id": "msg_123", "type": "message", "role": "assistant", "model": name, "content": content,
            "stop_reason": reason, "stop_sequence": null, "usage": {"input_tokens": input, "output_tokens": output},
        })
    };
    if !asked.flag("stream", false) {
        let body = message(json!([{"type": "text", "text": words.concat()}]), reason.into(), output);
        return Reply::whole(200, "application/json", format!("{body}\n"));
    }
    let mut events = vec![
        ("message_start", json!({"message": message(json!([]), Value::Null, 0)})),
        ("content_block_start", json!({"index": 0, "content_block": {"type": "text", "text": ""}})),
    ];
    let delta =
        |word: &String| ("content_block_delta", json!({"index": 0, "delta": {"type": "text_delta", "text": word}}));
    events.extend(words.iter().map(delta));
    let usage = json!({"input_tokens": input, "output_tokens": output});
    events.extend([
        ("content_block_stop", json!({"index": 0})),
        ("message_delta", json!({"delta": {"stop_reason": reason, "stop_sequence": null}, "usage": usage})),
        ("message_stop", json!({})),
    ]);
    let events = events.into_iter().map(|(name, mut event)| {
        event["type"] = name.into();
        format!("event: {name}\ndata: {event}\n\n")
    });
    Reply::stream("text/event-stream", events.collect())
}
