//! Listings: tags, ps, show, OpenAI's models.

use serde_json::{Value, json};

use super::{Asked, Reply, openai, quote};
use crate::script::{Model, Script, canonical};

const CREATED: u64 = 1_777_941_464;

fn details(model: &Model) -> String {
    let family = if model.embedding { "nomic-bert" } else { "llama" };
    let size = if model.embedding { "137M" } else { "3.2B" };
    format!(
        r#"{{"parent_model":"","format":"gguf","family":"{family}","families":["{family}"],"parameter_size":"{size}","quantization_level":"Q4_K_M"}}"#
    )
}

pub(super) fn tags(script: &Script) -> Reply {
    let rows: Vec<String> = script
        .models
        .iter()
        .map(|model| {
            let name = quote(&model.name);
            let capabilities = match model.capabilities.as_slice() {
                [] => String::new(),
                capabilities => format!(r#","capabilities":{}"#, json!(capabilities)),
            };
            format!(
                r#"{{"name":{name},"model":{name},"modified_at":"{}","size":{},"digest":"{}","details":{}{capabilities}}}"#,
                model.modified_at,
                model.size,
                model.digest,
                details(model)
            )
        })
        .collect();
    Reply::json(200, format!(r#"{{"models":[{}]}}"#, rows.join(",")))
}

pub(super) fn ps(script: &Script) -> Reply {
    let loaded = script.models.iter().filter(|model| script.loaded.contains(&canonical(&model.name)));
    let rows: Vec<String> = loaded
        .map(|model| {
            let name = quote(&model.name);
            format!(
                r#"{{"name":{name},"model":{name},"size":{},"digest":"{}","details":{},"expires_at":"2036-05-04T17:37:44.706015396-07:00","size_vram":{},"context_length":4096}}"#,
                model.size,
                model.digest,
                details(model),
                model.size
            )
        })
        .collect();
    Reply::json(200, format!(r#"{{"models":[{}]}}"#, rows.join(",")))
}

pub(super) fn show(asked: &Asked<'_>) -> Reply {
    if asked.model().is_empty() {
        return Reply::error(400, "model is required");
    }
    let Some(model) = asked.script.find(asked.model()) else {
        return Reply::error(404, &format!("model '{}' not found", canonical(asked.model())));
    };
    let details: Value = serde_json::from_str(&details(model)).expect("the details are JSON");
    let capability = if model.embedding { "embedding" } else { "completion" };
    let body = json!({
        "modelfile": format!("# Modelfile\nFROM {}\n", model.name),
        "parameters": "stop \"<|eot_id|>\"",
        "template": "{{ .Prompt }}",
        "details": details,
        "model_info": {"general.architecture": "llama", "general.parameter_count": 3_212_749_888_u64, "llama.context_length": 131_072},
        "capabilities": [capability],
        "modified_at": model.modified_at,
    });
    Reply::json(200, body.to_string())
}

fn openai_row(model: &Model) -> Value {
    json!({"id": model.name, "object": "model", "created": CREATED, "owned_by": "library"})
}

pub(super) fn openai_models(script: &Script) -> Reply {
    let rows: Vec<Value> = script.models.iter().map(openai_row).collect();
    // Ollama's empty list is a nil slice.
    let data = if rows.is_empty() { Value::Null } else { rows.into() };
    Reply::json(200, json!({"object": "list", "data": data}).to_string())
}

pub(super) fn openai_model(script: &Script, name: &str) -> Reply {
    match script.find(name) {
        Some(model) => Reply::json(200, openai_row(model).to_string()),
        None => openai::error(404, &format!("model '{name}' not found")),
    }
}
