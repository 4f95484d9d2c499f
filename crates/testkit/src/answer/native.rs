//! Ollama's own inference endpoints, and the two management ones a test may want to see refused.

use serde_json::{Value, json};

use super::{Asked, Reply, count_message_words, count_words, quote, tools::TOKENS, vector};
use crate::record::lock;

const AT: &str = "2026-11-22T08:00:00.000000Z";
const NDJSON: &str = "application/x-ndjson";

pub(super) fn unreadable(error: &str) -> Reply {
    if error.is_empty() {
        Reply::error(400, "missing request body")
    } else {
        Reply::error(400, "invalid character 'b' looking for beginning of object key string")
    }
}

/// The numbers that end every answer.
fn metrics(prompt_tokens: usize, completion_tokens: usize) -> String {
    format!(
        r#""total_duration":5043500667,"load_duration":5025959,"prompt_eval_count":{prompt_tokens},"prompt_eval_duration":325953000,"eval_count":{completion_tokens},"eval_duration":4709213000"#
    )
}

fn refuse_model(asked: &Asked<'_>, ability: &str) -> Option<Reply> {
    let name = asked.model();
    match asked.script.find(name) {
        None => Some(Reply::error(404, &format!("model '{name}' not found"))),
        Some(model) if model.embedding => Some(Reply::error(400, &format!("\"{name}\" does not support {ability}"))),
        Some(_) => None,
    }
}

/// `keep_alive` 0 with nothing to answer unloads.
fn load_or_unload(asked: &Asked<'_>) -> &'static str {
    let unload = unloads(asked);
    asked.load(!unload);
    if unload { "unload" } else { "load" }
}

fn unloads(asked: &Asked<'_>) -> bool {
    match asked.body.get("keep_alive") {
        Some(Value::Number(number)) => number.as_f64() == Some(0.0),
        Some(Value::String(text)) => matches!(text.as_str(), "0" | "0s" | "0m"),
        _ => false,
    }
}

fn limit(asked: &Asked<'_>) -> Option<u64> {
    asked.body.get("options")?.get("num_predict")?.as_u64()
}

pub(super) fn generate(asked: &Asked<'_>) -> Reply {
    // Ollama lets go of a model before it asks what that can do.
    let unloads = asked.text("prompt").is_empty() && unloads(asked);
    match refuse_model(asked, "generate") {
        Some(refusal) if !unloads || asked.script.find(asked.model()).is_none() => return refusal,
        _ => {}
    }
    let model = quote(asked.model());
    let head = format!(r#"{{"model":{model},"created_at":"{AT}","response":"#);
    let prompt = asked.text("prompt");
    if prompt.is_empty() {
        let reason = load_or_unload(asked);
        return Reply::json(200, format!(r#"{head}"","done":true,"done_reason":"{reason}"}}"#));
    }
    asked.load(true);
    let (words, cut) = asked.words(limit(asked));
    let reason = if cut { "length" } else { "stop" };
    let metrics = metrics(count_words(prompt), words.len());
    let tail = format!(r#""done":true,"done_reason":"{reason}","context":[1,2,3],{metrics}}}"#);
    if !asked.flag("stream", true) {
        return Reply::json(200, format!("{head}{},{tail}", quote(&words.concat())));
    }
    let mut lines: Vec<String> = words.iter().map(|word| format!("{head}{},\"done\":false}}\n", quote(word))).collect();
    lines.push(format!("{head}\"\",{tail}\n"));
    Reply::stream(NDJSON, lines)
}

pub(super) fn chat(asked: &Asked<'_>) -> Reply {
    if asked.model().is_empty() {
        return Reply::error(400, "model is required");
    }
    if let Some(refusal) = refuse_model(asked, "chat") {
        return refusal;
    }
    let model = quote(asked.model());
    let head = format!(r#"{{"model":{model},"created_at":"{AT}","message":{{"role":"assistant","content":"#);
    let messages = asked.body.get("messages");
    if messages.and_then(Value::as_array).is_none_or(Vec::is_empty) {
        let reason = load_or_unload(asked);
        return Reply::json(200, format!(r#"{head}""}},"done":true,"done_reason":"{reason}"}}"#));
    }
    asked.load(true);
    let (words, cut) = asked.words(limit(asked));
    let reason = if cut { "length" } else { "stop" };
    let tail = |tokens| {
        let metrics = metrics(count_message_words(messages), tokens);
        format!(r#""done":true,"done_reason":"{reason}",{metrics}}}"#)
    };
    if let Some(call) = asked.call() {
        let function = json!({"name": call.name, "arguments": call.arguments});
        let message = format!(r#"{head}"","tool_calls":[{}]}}"#, json!({"function": function}));
        let tail = tail(TOKENS);
        if !asked.flag("stream", true) {
            return Reply::json(200, format!("{message},{tail}"));
        }
        return Reply::stream(NDJSON, vec![format!("{message},\"done\":false}}\n"), format!("{head}\"\"}},{tail}\n")]);
    }
    let tail = tail(words.len());
    if !asked.flag("stream", true) {
        return Reply::json(200, format!("{head}{}}},{tail}", quote(&words.concat())));
    }
    let mut lines: Vec<String> =
        words.iter().map(|word| format!("{head}{}}},\"done\":false}}\n", quote(word))).collect();
    lines.push(format!("{head}\"\"}},{tail}\n"));
    Reply::stream(NDJSON, lines)
}

fn missing_for_embedding(asked: &Asked<'_>) -> Option<Reply> {
    let name = asked.model();
    let message = || format!("model \"{name}\" not found, try pulling it first");
    asked.script.find(name).is_none().then(|| Reply::error(404, &message()))
}

pub(super) fn embed(asked: &Asked<'_>) -> Reply {
    if let Some(refusal) = missing_for_embedding(asked) {
        return refusal;
    }
    asked.load(true);
    let texts = inputs(asked.body.get("input"));
    let vectors: Vec<Vec<f32>> = texts.iter().map(|text| vector(text)).collect();
    let tokens: usize = texts.iter().map(|text| count_words(text)).sum();
    let vectors = serde_json::to_string(&vectors).expect("numbers are JSON");
    let model = quote(asked.model());
    Reply::json(
        200,
        format!(
            r#"{{"model":{model},"embeddings":{vectors},"total_duration":14143917,"load_duration":1019500,"prompt_eval_count":{tokens}}}"#
        ),
    )
}

pub(super) fn embeddings(asked: &Asked<'_>) -> Reply {
    if let Some(refusal) = missing_for_embedding(asked) {
        return refusal;
    }
    asked.load(true);
    let vector = serde_json::to_string(&vector(asked.text("prompt"))).expect("numbers are JSON");
    Reply::json(200, format!(r#"{{"embedding":{vector}}}"#))
}

/// The texts to embed: one string or a list of them.
pub(super) fn inputs(input: Option<&Value>) -> Vec<String> {
    match input {
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(texts)) => texts.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

pub(super) fn pull(asked: &Asked<'_>) -> Reply {
    if !asked.flag("stream", true) {
        lock(&asked.shared.script).pulled(asked.model());
        return Reply::json(200, r#"{"status":"success"}"#.to_owned());
    }
    let usual = || ["pulling manifest", "success"].map(|status| format!("{{\"status\":\"{status}\"}}\n")).to_vec();
    let frames = asked.script.pull.clone().unwrap_or_else(usual);
    Reply { pulls: Some(asked.model().to_owned()), ..Reply::stream(NDJSON, frames) }
}

pub(super) fn push(asked: &Asked<'_>) -> Reply {
    let name = asked.model();
    if asked.script.find(name).is_none() {
        return Reply::stream(NDJSON, vec![format!("{{\"error\":{}}}\n", quote(&format!("model '{name}' not found")))]);
    }
    Reply::stream(
        NDJSON,
        vec!["{\"status\":\"retrieving manifest\"}\n".to_owned(), "{\"status\":\"success\"}\n".to_owned()],
    )
}

pub(super) fn copy(asked: &Asked<'_>) -> Reply {
    let source = asked.text("source");
    if asked.script.find(source).is_none() {
        return Reply::error(404, &format!("model \"{source}\" not found"));
    }
    lock(&asked.shared.script).models.push(asked.text("destination").into());
    Reply::empty(200)
}

pub(super) fn delete(asked: &Asked<'_>) -> Reply {
    let name = asked.model();
    let Some(found) = asked.script.find(name) else {
        return Reply::error(404, &format!("model '{name}' not found"));
    };
    lock(&asked.shared.script).models.retain(|model| model.name != found.name);
    Reply::empty(200)
}
