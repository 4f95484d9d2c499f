//! The `model` that a body is routed by is the one that any reader of JSON finds in it, wherever it stands. The first byte
//! picks the endpoint.
#![no_main]

use domain::endpoint::Endpoint;
use gateway::inside::model;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((first, body)) = data.split_first() else { return };
    let endpoints = [Endpoint::Chat, Endpoint::Generate, Endpoint::OpenAiChat, Endpoint::AnthropicMessages];
    let endpoint = endpoints[usize::from(*first) % endpoints.len()];
    let Ok(found) = model(endpoint, body) else { return };
    // What is no Unicode is text to Ollama, which reads on, and a fault to this reader.
    if let Ok(value) = serde_json::from_slice::<serde_json::Value>(body) {
        assert_eq!(value["model"].as_str(), Some(found.as_str()));
    }
});
