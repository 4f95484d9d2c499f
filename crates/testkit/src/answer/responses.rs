//! OpenAI's responses endpoint: one object, or events that end with `response.completed`.

use serde_json::{Value, json};

use super::{Asked, Reply, content_text, count_words, openai};

pub(super) fn responses(asked: &Asked<'_>) -> Reply {
    if let Some(refusal) = openai::refuse_model(asked, "chat") {
        return refusal;
    }
    asked.load(true);
    let (words, _) = asked.words(asked.body.get("max_output_tokens").and_then(Value::as_u64));
    let text = words.concat();
    let prompt_tokens = match asked.body.get("input") {
        Some(Value::Array(items)) => items.iter().map(|item| count_words(&content_text(item.get("content")))).sum(),
        input => count_words(&content_text(input)),
    };
    let part = |text: &str| json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []});
    let item = |status: &str, content: Value| json!({"id": "msg_123", "type": "message", "status": status, "role": "assistant", "content": content});
    let response = |status: &str, output: Value, usage: Value| {
        json!({
            "id": "resp_123", "object": "response", "created_at": 1_700_000_000, "status": status,
            "model": asked.model(), "output": output, "usage": usage, "error": null, "incomplete_details": null,
            "instructions": null, "metadata": {}, "parallel_tool_calls": true, "temperature": 1.0, "tool_choice": "auto",
            "tools": [], "top_p": 1.0,
        })
    };
    let usage = json!({
        "input_tokens": prompt_tokens, "output_tokens": words.len(), "total_tokens": prompt_tokens + words.len(),
        "input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0},
    });
    let done = item("completed", json!([part(&text)]));
    let completed = response("completed", json!([done]), usage);
    if !asked.flag("stream", false) {
        return Reply::whole(200, "application/json", format!("{completed}\n"));
    }
    let place = json!({"item_id": "msg_123", "output_index": 0, "content_index": 0});
    let with_place = |more: Value| {
        let mut event = place.clone();
        if let (Some(event), Value::Object(more)) = (event.as_object_mut(), more) {
            event.extend(more);
        }
        event
    };
    let started = response("in_progress", json!([]), Value::Null);
    let mut events = vec![
        ("response.created", json!({"response": started})),
        ("response.in_progress", json!({"response": started})),
        ("response.output_item.added", json!({"output_index": 0, "item": item("in_progress", json!([]))})),
        ("response.content_part.added", with_place(json!({"part": part("")}))),
    ];
    let delta = |word: &String| ("response.output_text.delta", with_place(json!({"delta": word, "logprobs": []})));
    events.extend(words.iter().map(delta));
    events.extend([
        ("response.output_text.done", with_place(json!({"text": text, "logprobs": []}))),
        ("response.content_part.done", with_place(json!({"part": part(&text)}))),
        ("response.output_item.done", json!({"output_index": 0, "item": done})),
        ("response.completed", json!({"response": completed})),
    ]);
    let events = events.into_iter().enumerate().map(|(number, (name, mut event))| {
        event["type"] = name.into();
        event["sequence_number"] = number.into();
        format!("event: {name}\ndata: {event}\n\n")
    });
    Reply::stream("text/event-stream", events.collect())
}
