//! Ready-to-paste calls of this very gateway, for the end of the set-up and the Help page. Text only.

/// A call in one language or with one client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// Name of the client.
    pub title: &'static str,
    /// How to get the client; `None` where it is there already.
    pub install: Option<&'static str>,
    pub code: String,
}

/// The key's place in examples that have no real key to show.
pub const KEY_PLACEHOLDER: &str = "op_..._...";
/// The model's place while the fleet has none.
pub const MODEL_PLACEHOLDER: &str = "llama3";

/// The same question asked with every client. `address` has no trailing slash.
pub fn all(address: &str, key: &str, model: &str) -> Vec<Example> {
    vec![
        curl(address, key, model),
        requests(address, key, model),
        ollama_python(address, key, model),
        ollama_js(address, key, model),
        openai(address, key, model),
        lollms(address, key, model),
    ]
}

/// A streamed answer with curl.
pub fn curl(address: &str, key: &str, model: &str) -> Example {
    let code = format!(
        r#"curl {address}/api/generate \
  -H "Authorization: Bearer {key}" \
  -H "Content-Type: application/json" \
  -d '{{"model": "{model}", "prompt": "Why is the sky blue?"}}'"#
    );
    Example { title: "curl", install: None, code }
}

/// An answer in one piece with curl.
pub fn curl_whole(address: &str, key: &str, model: &str) -> Example {
    let code = format!(
        r#"curl {address}/api/generate \
  -H "Authorization: Bearer {key}" \
  -H "Content-Type: application/json" \
  -d '{{"model": "{model}", "prompt": "Why is the sky blue?", "stream": false}}'"#
    );
    Example { title: "curl", install: None, code }
}

/// The list of models with curl.
pub fn curl_tags(address: &str, key: &str) -> Example {
    let code = format!(
        r#"curl {address}/api/tags \
  -H "Authorization: Bearer {key}""#
    );
    Example { title: "curl", install: None, code }
}

fn requests(address: &str, key: &str, model: &str) -> Example {
    let code = format!(
        r#"import json
import requests

with requests.post(
    "{address}/api/generate",
    headers={{"Authorization": "Bearer {key}"}},
    json={{"model": "{model}", "prompt": "Tell me a short story about a robot who discovers music."}},
    stream=True,
) as response:
    response.raise_for_status()
    for line in response.iter_lines():
        if line:
            print(json.loads(line).get("response", ""), end="", flush=True)
print()"#
    );
    Example { title: "Python requests", install: Some("pip install requests"), code }
}

fn ollama_python(address: &str, key: &str, model: &str) -> Example {
    let code = format!(
        r#"from ollama import Client

client = Client(host="{address}", headers={{"Authorization": "Bearer {key}"}})
for part in client.chat(
    model="{model}",
    messages=[{{"role": "user", "content": "Why is the sky blue?"}}],
    stream=True,
):
    print(part["message"]["content"], end="", flush=True)
print()"#
    );
    Example { title: "ollama (Python)", install: Some("pip install ollama"), code }
}

fn ollama_js(address: &str, key: &str, model: &str) -> Example {
    let code = format!(
        r#"import {{ Ollama }} from "ollama";

const ollama = new Ollama({{
  host: "{address}",
  headers: {{ Authorization: "Bearer {key}" }},
}});
const answer = await ollama.chat({{
  model: "{model}",
  messages: [{{ role: "user", content: "Why is the sky blue?" }}],
  stream: true,
}});
for await (const part of answer) process.stdout.write(part.message.content);
console.log();"#
    );
    Example { title: "ollama (JavaScript)", install: Some("npm install ollama"), code }
}

fn openai(address: &str, key: &str, model: &str) -> Example {
    let code = format!(
        r#"from openai import OpenAI

client = OpenAI(base_url="{address}/v1", api_key="{key}")
stream = client.chat.completions.create(
    model="{model}",
    messages=[{{"role": "user", "content": "Why is the sky blue?"}}],
    stream=True,
)
for chunk in stream:
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="", flush=True)
print()"#
    );
    Example { title: "openai", install: Some("pip install openai"), code }
}

/// Not streamed: release 1.21 of the client hands every chunk of a stream to its callback twice.
fn lollms(address: &str, key: &str, model: &str) -> Example {
    let code = format!(
        r#"from lollms_client import LollmsClient

client = LollmsClient(
    llm_binding_name="ollama",
    llm_binding_config={{
        "host_address": "{address}",
        "model_name": "{model}",
        "service_key": "{key}",
    }},
)

print(client.generate_text(prompt="What is the capital of France?", stream=False))
print(client.list_models())"#
    );
    Example { title: "lollms-client", install: Some("pip install lollms-client"), code }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_names_address_key_and_model_and_balances_its_brackets() {
        let examples = all("http://gateway:8080", "op_key", "qwen3:4b");
        assert_eq!(examples.len(), 6);
        for Example { title, code, .. } in examples {
            for part in ["http://gateway:8080", "op_key", "qwen3:4b"] {
                assert!(code.contains(part), "{title} lacks {part}");
            }
            for (open, close) in [('{', '}'), ('(', ')'), ('[', ']')] {
                assert_eq!(code.matches(open).count(), code.matches(close).count(), "{title}: {open}{close}");
            }
            assert!(!code.contains("{{"), "{title} shows a template's brackets");
        }
    }
}
