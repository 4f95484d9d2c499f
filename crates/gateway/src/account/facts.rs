//! Token counts out of one JSON message of a backend, per dialect, and by plain search where a message is too large to
//! be parsed. Values of an unexpected type are ignored, never an error.

use memchr::memmem;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

/// What a request used, as far as the backend told or the gateway counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) prompt: Option<u64>,
    pub(crate) completion: Option<u64>,
    /// The backend never told; the numbers were counted by the gateway.
    pub(crate) estimated: bool,
    /// Nanoseconds the backend spent loading the model.
    pub(crate) load_ns: u64,
    /// Nanoseconds it spent reading the prompt, writing the answer, and on all of it.
    pub(crate) prompt_ns: u64,
    pub(crate) completion_ns: u64,
    pub(crate) total_ns: u64,
}

impl Counts {
    /// Nanoseconds the backend worked; 0 if it did not tell.
    pub(crate) fn worked_ns(&self) -> u64 {
        // Each number is at most 2^53, so that no sum overflows.
        match self.prompt_ns + self.completion_ns {
            // Embedding is told as a whole only.
            0 => self.total_ns.max(self.load_ns),
            parts => self.load_ns + parts,
        }
    }
}

/// The final message of Ollama's own API.
#[derive(Deserialize)]
struct Native<'a> {
    #[serde(borrow)]
    done: Option<&'a RawValue>,
    #[serde(borrow)]
    done_reason: Option<&'a RawValue>,
    #[serde(borrow)]
    prompt_eval_count: Option<&'a RawValue>,
    #[serde(borrow)]
    eval_count: Option<&'a RawValue>,
    #[serde(borrow)]
    load_duration: Option<&'a RawValue>,
    #[serde(borrow)]
    prompt_eval_duration: Option<&'a RawValue>,
    #[serde(borrow)]
    eval_duration: Option<&'a RawValue>,
    #[serde(borrow)]
    total_duration: Option<&'a RawValue>,
}

/// Any message of OpenAI's or Anthropic's APIs that may hold usage, at one of three places.
#[derive(Deserialize)]
struct Compatible<'a> {
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
    /// Of `response.completed`.
    #[serde(borrow)]
    response: Option<&'a RawValue>,
    /// Of `message_start`.
    #[serde(borrow)]
    message: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Usage<'a> {
    #[serde(borrow)]
    prompt_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    completion_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    input_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    output_tokens: Option<&'a RawValue>,
}

/// Counts above this are nonsense: no JSON reader tells them apart, and sums of them would overflow.
const LARGEST: u64 = 1 << 53;

fn number(value: Option<&RawValue>) -> Option<u64> {
    count(value?.get())
}

fn count(digits: &str) -> Option<u64> {
    digits.parse().ok().filter(|count| *count <= LARGEST)
}

/// What a native message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Last {
    /// Others follow.
    No,
    /// The last one, with counts, or where nothing was to be counted.
    Told,
    /// The last one of a backend that counts nothing.
    Silent,
}

/// Reads a native message into `counts` if it is a final one. `/api/embed` has no `done` and `whole` says that the message
/// is the whole body.
pub(super) fn native(text: &[u8], whole: bool, counts: &mut Counts) -> Last {
    let Ok(message) = serde_json::from_slice::<Native>(text) else { return Last::No };
    let done = message.done.map(RawValue::get);
    let known = message.prompt_eval_count.is_some() || message.eval_count.is_some();
    if done != Some("true") && !(whole && done.is_none() && known) {
        return Last::No;
    }
    let ns = |value| number(value).unwrap_or_default();
    counts.load_ns = ns(message.load_duration);
    counts.prompt_ns = ns(message.prompt_eval_duration);
    counts.completion_ns = ns(message.eval_duration);
    counts.total_ns = ns(message.total_duration);
    if matches!(message.done_reason.map(RawValue::get), Some("\"load\"" | "\"unload\"")) {
        return Last::Told;
    }
    if !known {
        return Last::Silent;
    }
    // Ollama leaves out what is zero.
    let or_zero = |value: Option<&RawValue>| if value.is_none() { Some(0) } else { number(value) };
    counts.prompt = or_zero(message.prompt_eval_count);
    counts.completion = if done.is_some() { or_zero(message.eval_count) } else { number(message.eval_count) };
    Last::Told
}

/// Members that hold what a model wrote, in any of the dialects.
const WRITTEN: [&str; 8] =
    ["content", "response", "text", "thinking", "reasoning", "reasoning_content", "refusal", "arguments"];

/// Bytes of what a model wrote in a whole answer that counts nothing. Only such answers are read a second time.
pub(super) fn written_bytes(text: &[u8]) -> u64 {
    serde_json::from_slice(text).map_or(0, |answer| written_in(&answer, false))
}

fn written_in(value: &Value, written: bool) -> u64 {
    match value {
        Value::String(text) if written => text.len() as u64,
        Value::Array(items) => items.iter().map(|item| written_in(item, written)).sum(),
        Value::Object(members) => {
            // Arguments of a tool are written whole, whatever they are called.
            let all = |name: &str| name == "arguments" || name == "input";
            members
                .iter()
                .map(|(name, value)| match value {
                    Value::Object(_) if all(name) => value.to_string().len() as u64,
                    _ => written_in(value, WRITTEN.contains(&name.as_str())),
                })
                .sum()
        }
        _ => 0,
    }
}

/// Reads usage of the compatible APIs into `counts`; later messages win. Returns whether there was any.
pub(super) fn compatible(text: &[u8], counts: &mut Counts) -> bool {
    let Ok(message) = serde_json::from_slice::<Compatible>(text) else { return false };
    let nested = || {
        let inner = message.response.or(message.message)?;
        serde_json::from_str::<Compatible>(inner.get()).ok()?.usage
    };
    let Some(usage) = message.usage.or_else(nested) else { return false };
    let Ok(usage) = serde_json::from_str::<Usage>(usage.get()) else { return false };
    let prompt = number(usage.prompt_tokens).or_else(|| number(usage.input_tokens));
    let completion = number(usage.completion_tokens).or_else(|| number(usage.output_tokens));
    counts.prompt = prompt.or(counts.prompt);
    counts.completion = completion.or(counts.completion);
    prompt.is_some() || completion.is_some()
}

/// Bytes at the end of one search that the next must see again: the longest key, its colon and a number.
pub(super) const OVERLAP: usize = 64;

/// Puts a number where it belongs.
type Set = fn(&mut Counts, u64);

/// Looks for the integer members by text alone. A number that touches the end of `text` is left for the next search.
pub(super) fn search(text: &[u8], counts: &mut Counts) -> bool {
    let keys: [(&[u8], Set); 10] = [
        (b"\"prompt_eval_count\":", |counts, value| counts.prompt = Some(value)),
        (b"\"eval_count\":", |counts, value| counts.completion = Some(value)),
        (b"\"load_duration\":", |counts, value| counts.load_ns = value),
        (b"\"prompt_eval_duration\":", |counts, value| counts.prompt_ns = value),
        (b"\"eval_duration\":", |counts, value| counts.completion_ns = value),
        (b"\"total_duration\":", |counts, value| counts.total_ns = value),
        (b"\"prompt_tokens\":", |counts, value| counts.prompt = Some(value)),
        (b"\"completion_tokens\":", |counts, value| counts.completion = Some(value)),
        (b"\"input_tokens\":", |counts, value| counts.prompt = Some(value)),
        (b"\"output_tokens\":", |counts, value| counts.completion = Some(value)),
    ];
    let mut found = false;
    for (key, set) in keys {
        for at in memmem::find_iter(text, key) {
            let rest = text[at + key.len()..].trim_ascii_start();
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if digits == rest.len() {
                continue;
            }
            if let Some(value) = std::str::from_utf8(&rest[..digits]).ok().and_then(count) {
                set(counts, value);
                found = true;
            }
        }
    }
    found
}
