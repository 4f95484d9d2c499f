//! A policy as it is typed, in forms and on the command line, and the way back into an edit form.

use serde::{Deserialize, Serialize};

use super::{ModelPattern, Policy, format_utc, parse_utc};
use crate::{error::FieldError, network::Networks};

const MAX_CONCURRENT: u64 = 100_000;
const MAX_TOKENS: u64 = 1_000_000_000_000_000;
const MAX_SECONDS: u64 = 1_000_000_000;
/// Largest context or answer.
const MAX_CONTEXT: u64 = 100_000_000;
/// Largest keep-alive: ten years.
const MAX_KEEP_ALIVE: u64 = 10 * 365 * 86_400;
const MAX_MODELS: usize = 200;

/// Every field as typed; empty means: not restricted, and not granted. Faults name the field as it is called here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PolicyInput {
    pub concurrent: String,
    pub tokens_per_minute: String,
    pub tokens_per_day: String,
    pub tokens_per_month: String,
    pub gpu_seconds_per_day: String,
    /// `2026-12-31`, `2026-12-31T23:59` (UTC), or a time from now on like `30d` or `12h`.
    pub expires_at: String,
    /// Names and patterns between commas, blanks or line breaks.
    pub models: String,
    /// `on`, `true`, `yes` or `1`; else `off`, `false`, `no`, `0` or empty.
    pub management: String,
    /// As `management`.
    pub topology: String,
    pub num_ctx: String,
    pub num_predict: String,
    /// Seconds, or a time like `90s`, `5m` or `1h`.
    pub keep_alive_s: String,
    /// Addresses and networks between commas, blanks or line breaks.
    pub networks: String,
}

impl PolicyInput {
    /// Every field, in the page's order.
    pub const FIELDS: [&str; 13] = [
        "concurrent",
        "tokens_per_minute",
        "tokens_per_day",
        "tokens_per_month",
        "gpu_seconds_per_day",
        "expires_at",
        "models",
        "management",
        "topology",
        "num_ctx",
        "num_predict",
        "keep_alive_s",
        "networks",
    ];
}

impl Policy {
    /// Reads what was typed. `now` is Unix milliseconds. The error holds one fault for each field that has one.
    pub fn from_input(input: &PolicyInput, now: u64) -> Result<Self, Vec<FieldError>> {
        let mut faults = Faults(Vec::new());
        let policy = Self {
            concurrent: faults.number("concurrent", &input.concurrent, MAX_CONCURRENT).and_then(|n| n.try_into().ok()),
            tokens_per_minute: faults.number("tokens_per_minute", &input.tokens_per_minute, MAX_TOKENS),
            tokens_per_day: faults.number("tokens_per_day", &input.tokens_per_day, MAX_TOKENS),
            tokens_per_month: faults.number("tokens_per_month", &input.tokens_per_month, MAX_TOKENS),
            gpu_seconds_per_day: faults.number("gpu_seconds_per_day", &input.gpu_seconds_per_day, MAX_SECONDS),
            expires_at: faults.take("expires_at", expiry(&input.expires_at, now)),
            models: faults.take("models", models(&input.models)),
            management: faults.take("management", switch(&input.management)),
            topology: faults.take("topology", switch(&input.topology)),
            num_ctx: faults.number("num_ctx", &input.num_ctx, MAX_CONTEXT).and_then(|n| n.try_into().ok()),
            num_predict: faults.number("num_predict", &input.num_predict, MAX_CONTEXT).and_then(|n| n.try_into().ok()),
            keep_alive_s: faults.take("keep_alive_s", keep_alive(&input.keep_alive_s)),
            networks: faults.take("networks", Networks::parse(&input.networks)),
        };
        if faults.0.is_empty() { Ok(policy) } else { Err(faults.0) }
    }
}

impl From<&Policy> for PolicyInput {
    fn from(policy: &Policy) -> Self {
        fn text<T: ToString>(value: Option<T>) -> String {
            value.map_or_else(String::new, |value| value.to_string())
        }
        let models: Vec<&str> = policy.models.iter().map(ModelPattern::as_str).collect();
        Self {
            concurrent: text(policy.concurrent),
            tokens_per_minute: text(policy.tokens_per_minute),
            tokens_per_day: text(policy.tokens_per_day),
            tokens_per_month: text(policy.tokens_per_month),
            gpu_seconds_per_day: text(policy.gpu_seconds_per_day),
            expires_at: policy.expires_at.map_or_else(String::new, format_utc),
            models: models.join("\n"),
            management: switched(policy.management),
            topology: switched(policy.topology),
            num_ctx: text(policy.num_ctx),
            num_predict: text(policy.num_predict),
            keep_alive_s: text(policy.keep_alive_s),
            networks: policy.networks.to_string(),
        }
    }
}

struct Faults(Vec<FieldError>);

impl Faults {
    fn take<T: Default>(&mut self, field: &str, value: Result<T, String>) -> T {
        value.unwrap_or_else(|fault| {
            self.0.push(FieldError::new(field, fault));
            T::default()
        })
    }

    fn number(&mut self, field: &str, text: &str, max: u64) -> Option<u64> {
        let text = text.trim();
        let value = match text.parse() {
            _ if text.is_empty() => Ok(None),
            Ok(value) if (1..=max).contains(&value) => Ok(Some(value)),
            _ => Err(format!("must be a whole number from 1 to {max}, or empty")),
        };
        self.take(field, value)
    }
}

/// When something ends: a day, a time of UTC or a time from `now` on, all in Unix milliseconds; `None` where nothing was typed.
pub fn expiry(text: &str, now: u64) -> Result<Option<u64>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let from_now = span(text, &[('h', 3_600), ('d', 86_400), ('w', 7 * 86_400)])
        // Whole seconds, so that the form shows what is stored.
        .map(|seconds| (now / 1_000).saturating_add(seconds).saturating_mul(1_000));
    let at = from_now.or_else(|| parse_utc(text)).filter(|&at| parse_utc(&format_utc(at)) == Some(at)).ok_or(
        "must be a day like 2026-12-31, a time like 2026-12-31T23:59 (UTC), or a time from now on like 30d or 12h",
    )?;
    if at <= now {
        return Err("is in the past; disable or revoke the key to end it now".into());
    }
    Ok(Some(at))
}

fn models(text: &str) -> Result<Vec<ModelPattern>, String> {
    let mut models: Vec<ModelPattern> = Vec::new();
    for item in text.split(|letter: char| letter == ',' || letter.is_whitespace()).filter(|item| !item.is_empty()) {
        let pattern = item.parse().map_err(|fault: super::InvalidPattern| fault.to_string())?;
        if !models.contains(&pattern) {
            models.push(pattern);
        }
    }
    if models.len() > MAX_MODELS {
        return Err(format!("a list has at most {MAX_MODELS} models; use a pattern like qwen3:*"));
    }
    Ok(models)
}

fn switch(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "on" | "true" | "yes" | "1" => Ok(true),
        "" | "off" | "false" | "no" | "0" => Ok(false),
        _ => Err("must be yes or no".into()),
    }
}

fn switched(on: bool) -> String {
    if on { "on".into() } else { String::new() }
}

fn keep_alive(text: &str) -> Result<Option<u32>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let seconds = text.parse().ok().or_else(|| span(text, &[('s', 1), ('m', 60), ('h', 3_600), ('d', 86_400)]));
    seconds
        .filter(|&seconds: &u64| seconds <= MAX_KEEP_ALIVE)
        .and_then(|seconds| seconds.try_into().ok())
        .map(Some)
        .ok_or_else(|| format!("must be seconds from 0 to {MAX_KEEP_ALIVE}, or a time like 90s, 5m or 1h"))
}

/// A whole number and one of these units, in seconds.
fn span(text: &str, units: &[(char, u64)]) -> Option<u64> {
    let (_, seconds) = units.iter().find(|(unit, _)| text.ends_with(*unit))?;
    let number = &text[..text.len() - 1];
    number.bytes().all(|byte| byte.is_ascii_digit()).then(|| number.parse::<u64>().ok())??.checked_mul(*seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_795_343_400_123;

    fn faults(change: impl Fn(&mut PolicyInput)) -> Vec<FieldError> {
        let mut input = PolicyInput::default();
        change(&mut input);
        Policy::from_input(&input, NOW).unwrap_err()
    }

    #[test]
    fn nothing_typed_is_nothing_restricted() {
        assert_eq!(Policy::from_input(&PolicyInput::default(), NOW), Ok(Policy::default()));
        assert_eq!(PolicyInput::from(&Policy::default()), PolicyInput::default());
    }

    #[test]
    fn what_a_form_shows_reads_back_as_the_same_policy() {
        let input = PolicyInput {
            concurrent: " 4 ".into(),
            tokens_per_minute: "1".into(),
            tokens_per_day: "2".into(),
            tokens_per_month: "1000000000000000".into(),
            gpu_seconds_per_day: "3600".into(),
            expires_at: "30d".into(),
            models: "LLaMA3.2, qwen* \n library/qwen*".into(),
            management: "true".into(),
            topology: "yes".into(),
            num_ctx: "8192".into(),
            num_predict: "100".into(),
            keep_alive_s: "5m".into(),
            networks: "10.0.0.1, 192.168.0.0/16".into(),
        };
        let policy = Policy::from_input(&input, NOW).unwrap();
        assert_eq!((policy.concurrent, policy.keep_alive_s), (Some(4), Some(300)));
        assert!(policy.management && policy.topology);
        assert_eq!(policy.expires_at, Some(NOW - 123 + 30 * 86_400_000));
        let shown = PolicyInput::from(&policy);
        assert_eq!(shown.models, "llama3.2:latest\nqwen*");
        assert_eq!(shown.expires_at, "2026-12-22T10:30");
        assert_eq!(Policy::from_input(&shown, NOW), Ok(policy));
    }

    #[test]
    fn every_fault_stands_beside_its_field() {
        let found = faults(|input| {
            input.concurrent = "0".into();
            input.tokens_per_minute = "-1".into();
            input.tokens_per_day = "1.5".into();
            input.tokens_per_month = "lots".into();
            input.gpu_seconds_per_day = "99999999999".into();
            input.expires_at = "soon".into();
            input.models = "a b é".into();
            input.management = "maybe".into();
            input.topology = "2".into();
            input.num_ctx = "4294967296".into();
            input.num_predict = "0".into();
            input.keep_alive_s = "-1".into();
            input.networks = "10.0.0.300".into();
        });
        let fields: Vec<_> = found.iter().map(|fault| fault.field.as_str()).collect();
        assert_eq!(fields, PolicyInput::FIELDS);
        crate::tests::assert_fields(&PolicyInput::default(), &[&PolicyInput::FIELDS]);
    }

    #[test]
    fn an_expiry_lies_ahead_and_in_reach() {
        for bad in ["2026-11-22T10:30", "2026-01-01", "0d", "99999999999999999999d", "9000000d", "d", "1 d", "-1d"] {
            assert_eq!(faults(|input| input.expires_at = bad.into())[0].field, "expires_at", "{bad}");
        }
        let far = PolicyInput { expires_at: "2026-11-22".into(), ..PolicyInput::default() };
        assert_eq!(Policy::from_input(&far, NOW).unwrap().expires_at, Some(1_795_392_000_000));
    }

    #[test]
    fn a_keep_alive_of_nothing_is_a_ceiling_too() {
        for (text, seconds) in [("0", 0), ("90s", 90), ("2h", 7_200), ("1d", 86_400)] {
            let input = PolicyInput { keep_alive_s: text.into(), ..PolicyInput::default() };
            assert_eq!(Policy::from_input(&input, NOW).unwrap().keep_alive_s, Some(seconds), "{text}");
        }
        for bad in ["-1", "forever", "5mm", "m", "99999999999"] {
            assert!(!faults(|input| input.keep_alive_s = bad.into()).is_empty(), "{bad}");
        }
    }
}
