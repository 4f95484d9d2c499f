//! What the mock says and the loader expects, in Ollama's own form: both read it here, so that a byte that is lost on the
//! way is seen.

use std::time::Duration;

pub const MODEL: &str = "llama3.2:latest";

/// The list of models.
pub const TAGS: &str = r#"{"models":[{"name":"llama3.2:latest","model":"llama3.2:latest","modified_at":"2026-05-04T17:37:44.706015396-07:00","size":2019393189,"digest":"a80c4f17acd55265feec403c7aef86be0c25983ab279d83f3bcd3abbcb5b8b72","details":{"parent_model":"","format":"gguf","family":"llama","families":["llama"],"parameter_size":"3.2B","quantization_level":"Q4_K_M"}}]}"#;

/// The loaded models.
pub const PS: &str = r#"{"models":[{"name":"llama3.2:latest","model":"llama3.2:latest","size":2019393189,"digest":"a80c4f17acd55265feec403c7aef86be0c25983ab279d83f3bcd3abbcb5b8b72","details":{"parent_model":"","format":"gguf","family":"llama","families":["llama"],"parameter_size":"3.2B","quantization_level":"Q4_K_M"},"expires_at":"2036-05-04T17:37:44.706015396-07:00","size_vram":2019393189,"context_length":4096}]}"#;

pub const SHOW: &str = r##"{"modelfile":"# Modelfile\nFROM llama3.2:latest\n","parameters":"","template":"{{ .Prompt }}","details":{"parent_model":"","format":"gguf","family":"llama","families":["llama"],"parameter_size":"3.2B","quantization_level":"Q4_K_M"},"model_info":{"general.architecture":"llama","general.parameter_count":3212749888,"llama.context_length":131072},"capabilities":["completion"],"modified_at":"2026-05-04T17:37:44.706015396-07:00"}"##;

pub const VERSION: &str = r#"{"version":"0.12.6"}"#;

pub const NOT_FOUND: &str = r#"{"error":"not found"}"#;

/// The whole answer of a chat that is not streamed.
pub const SMALL: &str = r#"{"model":"llama3.2:latest","created_at":"2026-11-22T08:00:00.000000Z","message":{"role":"assistant","content":"The sky is blue because of Rayleigh scattering."},"done":true,"done_reason":"stop","total_duration":5043500667,"load_duration":5025959,"prompt_eval_count":26,"prompt_eval_duration":325953000,"eval_count":11,"eval_duration":4709213000}"#;

/// Every chunk of a streamed chat but the last.
pub const LINE: &str = "{\"model\":\"llama3.2:latest\",\"created_at\":\"2026-11-22T08:00:00.000000Z\",\"message\":{\"role\":\"assistant\",\"content\":\" blue\"},\"done\":false}\n";

/// The last chunk.
pub const LAST: &str = "{\"model\":\"llama3.2:latest\",\"created_at\":\"2026-11-22T08:00:00.000000Z\",\"message\":{\"role\":\"assistant\",\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\",\"total_duration\":5043500667,\"load_duration\":5025959,\"prompt_eval_count\":26,\"prompt_eval_duration\":325953000,\"eval_count\":290,\"eval_duration\":4709213000}\n";

/// A stream as it was asked for: `chunks` lines, the last one included, one every `every`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    pub chunks: usize,
    pub every: Duration,
}

impl Pace {
    /// Bytes of the whole stream.
    pub fn length(self) -> usize {
        self.chunks.saturating_sub(1) * LINE.len() + LAST.len()
    }

    /// The pace travels in the prompt: headers of our own would not pass a gateway that has a list of those it passes.
    pub fn prompt(self) -> String {
        format!("{} chunks, one every {} ms", self.chunks, self.every.as_millis())
    }

    /// Reads what [`prompt`](Self::prompt) wrote.
    pub fn read(prompt: &str) -> Option<Self> {
        let (chunks, rest) = prompt.split_once(" chunks, one every ")?;
        let every = rest.strip_suffix(" ms")?.parse().ok()?;
        let chunks = chunks.parse().ok().filter(|chunks| *chunks > 0)?;
        Some(Self { chunks, every: Duration::from_millis(every) })
    }
}

/// The bytes of a chat request: streamed at a pace, or in one piece.
pub fn request(to: &str, key: Option<&str>, pace: Option<Pace>) -> Vec<u8> {
    let (stream, prompt) = match pace {
        Some(pace) => ("true", pace.prompt()),
        None => ("false", "Why is the sky blue?".to_owned()),
    };
    let body =
        format!(r#"{{"model":"{MODEL}","stream":{stream},"messages":[{{"role":"user","content":"{prompt}"}}]}}"#);
    let key = key.map_or_else(String::new, |key| format!("authorization: Bearer {key}\r\n"));
    let length = body.len();
    format!(
        "POST /api/chat HTTP/1.1\r\nhost: {to}\r\n{key}content-type: application/json\r\naccept: application/json\r\nuser-agent: bench\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_survives_its_way_through_the_prompt() {
        let pace = Pace { chunks: 50, every: Duration::from_millis(30) };
        assert_eq!(Pace::read(&pace.prompt()), Some(pace));
        assert_eq!(Pace::read("Why is the sky blue?"), None);
        assert_eq!(Pace::read("0 chunks, one every 3 ms"), None);
    }

    #[test]
    fn every_answer_is_json() {
        for text in [TAGS, PS, SHOW, VERSION, NOT_FOUND, SMALL, LINE, LAST] {
            serde_json::from_str::<serde_json::Value>(text).unwrap();
        }
    }
}
