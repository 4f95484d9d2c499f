//! Anthropic's dialect: messages and its errors.

use serde_json::{Value, json};

use super::{Asked, Reply, content_text, count_message_words, count_words, tools::TOKENS};

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
    let call = asked.call();
    let (reason, output) = match (&call, cut) {
        (Some(_), _) => ("tool_use", TOKENS),
        (None, true) => ("max_tokens", words.len()),
        (None, false) => ("end_turn", words.len()),
    };
    let input = count_message_words(messages) + count_words(&content_text(asked.body.get("system")));
    // A block without its content, what it is, and the pieces of its content.
    let (mut block, content, deltas) = match &call {
        Some(call) => (
            json!({"type": "tool_use", "id": "toolu_123", "name": call.name}),
            ("input", json!({}), call.arguments.clone()),
            vec![json!({"type": "input_json_delta", "partial_json": call.arguments.to_string()})],
        ),
        None => (
            json!({"type": "text"}),
            ("text", json!(""), json!(words.concat())),
            words.iter().map(|word| json!({"type": "text_delta", "text": word})).collect(),
        ),
    };
    let (member, nothing, all) = content;
    let message = |content: Value, reason: Value, output: usize| {
        json!({
            "id": "msg_123", "type": "message", "role": "assistant", "model": name, "content": content,
            "stop_reason": reason, "stop_sequence": null, "usage": {"input_tokens": input, "output_tokens": output},
        })
    };
    if !asked.flag("stream", false) {
        block[member] = all;
        let body = message(json!([block]), reason.into(), output);
        return Reply::whole(200, "application/json", format!("{body}\n"));
    }
    block[member] = nothing;
    let mut events = vec![
        ("message_start", json!({"message": message(json!([]), Value::Null, 0)})),
        ("content_block_start", json!({"index": 0, "content_block": block})),
    ];
    events.extend(deltas.into_iter().map(|delta| ("content_block_delta", json!({"index": 0, "delta": delta}))));
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
