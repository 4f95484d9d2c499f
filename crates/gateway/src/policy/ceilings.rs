//! Ceilings on what a request may ask of a backend. Only the member that asks for too much is written anew, and one that
//! must be there is put in; every other byte of the body stays.
//!
//! A request that names no answer length asks for an answer without end, so the ceiling is put in. One that names no
//! context or no keep-alive gets what the backend's operator has set, which is nobody's to change here: another context
//! would load the model anew for everybody.

use bytes::Bytes;
use domain::endpoint::{Dialect, Endpoint};

use super::body::{self, Edits, Found};
use crate::{
    error::Error,
    request::json::{self, Kind},
};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Ceilings {
    /// Tokens of context.
    pub(crate) num_ctx: Option<u32>,
    /// Tokens of the answer.
    pub(crate) num_predict: Option<u32>,
    /// Seconds.
    pub(crate) keep_alive_s: Option<u32>,
}

/// Every name under which a server behind `/v1` takes the length of an answer.
pub(super) const LENGTHS: [&str; 5] =
    ["max_tokens", "max_completion_tokens", "max_output_tokens", "n_predict", "num_predict"];

impl Ceilings {
    pub(crate) fn any(&self) -> bool {
        *self != Self::default()
    }

    /// The body as it may be sent. It has been read before, so that its outermost value is an object.
    pub(crate) fn apply(&self, endpoint: Endpoint, body: &Bytes) -> Result<Bytes, Error> {
        let mut edits = Edits::default();
        match (endpoint, endpoint.dialect()) {
            (Endpoint::Generate | Endpoint::Chat, _) => self.native(body, &mut edits, true)?,
            (Endpoint::Embed | Endpoint::Embeddings, _) => self.native(body, &mut edits, false)?,
            (
                Endpoint::OpenAiChat | Endpoint::OpenAiCompletions | Endpoint::AnthropicMessages,
                Dialect::OpenAi | Dialect::Anthropic,
            ) => self.compatible(body, &mut edits, "max_tokens")?,
            (Endpoint::OpenAiResponses, _) => self.compatible(body, &mut edits, "max_output_tokens")?,
            _ => {}
        }
        Ok(edits.apply(body))
    }

    fn native(&self, body: &[u8], edits: &mut Edits, answers: bool) -> Result<(), Error> {
        let [options, keep_alive] = body::find(body, ["options", "keep_alive"])?;
        if let Some(ceiling) = self.keep_alive_s
            && let Some(value) = keep_alive.get("keep_alive")?
            && let Some(text) = clamp_keep_alive(value, ceiling)?
        {
            edits.replace(body, value, text);
        }
        let num_predict = self.num_predict.filter(|_| answers);
        if self.num_ctx.is_none() && num_predict.is_none() {
            return Ok(());
        }
        let given = options.get("options")?;
        let Some(given) = given else {
            if let Some(ceiling) = num_predict {
                let value = format!("{{\"num_predict\":{ceiling}}}");
                match options.null() {
                    Some(null) => edits.replace(body, null, value),
                    None => edits.insert(body, body, &format!("\"options\":{value}")),
                }
            }
            return Ok(());
        };
        if Kind::of(given) != Kind::Object {
            return Err(Error::BadRequest("options must be an object".into()));
        }
        let [ctx, predict] = body::find(given, ["num_ctx", "num_predict"])?;
        if let Some(ceiling) = self.num_ctx
            && let Some(value) = ctx.get("num_ctx")?
            && body::number(value, "num_ctx")? > f64::from(ceiling)
        {
            edits.replace(body, value, ceiling.to_string());
        }
        if let Some(ceiling) = num_predict
            && clamp_length(body, edits, &predict, "num_predict", ceiling)?.is_none()
        {
            edits.insert(body, given, &format!("\"num_predict\":{ceiling}"));
        }
        Ok(())
    }

    fn compatible(&self, body: &[u8], edits: &mut Edits, required: &str) -> Result<(), Error> {
        let Some(ceiling) = self.num_predict else { return Ok(()) };
        let found = body::find(body, LENGTHS)?;
        let mut least = ceiling;
        let mut missing = true;
        for (found, name) in found.iter().zip(LENGTHS) {
            if let Some(length) = clamp_length(body, edits, found, name, ceiling)? {
                least = least.min(length);
                missing &= name != required;
            }
        }
        // Not every server knows every name, and the one that all of them know bounds the answer.
        if missing {
            edits.insert(body, body, &format!("\"{required}\":{least}"));
        }
        Ok(())
    }
}

/// Brings the length of an answer under its ceiling; returns the length in force, `None` where the member is not there.
fn clamp_length(
    body: &[u8],
    edits: &mut Edits,
    found: &Found<'_>,
    name: &str,
    ceiling: u32,
) -> Result<Option<u32>, Error> {
    let value = match (found.get(name)?, found.null()) {
        (Some(value), _) => value,
        (None, Some(null)) => {
            edits.replace(body, null, ceiling.to_string());
            return Ok(Some(ceiling));
        }
        (None, None) => return Ok(None),
    };
    let length = body::number(value, name)?;
    // Nothing and less stand for an answer without end.
    if (1.0..=f64::from(ceiling)).contains(&length) {
        return Ok(Some(length as u32));
    }
    edits.replace(body, value, ceiling.to_string());
    Ok(Some(ceiling))
}

/// What to write in place of a keep-alive over the ceiling, `None` if it may stay.
fn clamp_keep_alive(value: &[u8], ceiling: u32) -> Result<Option<String>, Error> {
    let too_long = |seconds: f64| seconds.is_sign_negative() && seconds != 0.0 || seconds > f64::from(ceiling);
    match Kind::of(value) {
        Kind::Number => {
            let seconds = body::number(value, "keep_alive")?;
            Ok(too_long(seconds).then(|| ceiling.to_string()))
        }
        Kind::String => {
            let text = json::unescape(&value[1..value.len() - 1]);
            let seconds = go_duration(&text)
                .ok_or_else(|| Error::BadRequest("keep_alive must be seconds or a duration such as \"5m\"".into()))?;
            Ok(too_long(seconds).then(|| format!("\"{ceiling}s\"")))
        }
        _ => Err(Error::BadRequest("keep_alive must be seconds or a duration such as \"5m\"".into())),
    }
}

/// Seconds of what Go's `time.ParseDuration` takes: signed decimal numbers, each with a unit.
fn go_duration(text: &str) -> Option<f64> {
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0.0);
    }
    let mut seconds = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
        let (number, tail) = rest.split_at(digits);
        if !number.bytes().any(|byte| byte.is_ascii_digit()) || number.matches('.').count() > 1 {
            return None;
        }
        let unit = tail.find(|letter: char| letter.is_ascii_digit() || letter == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit);
        let length = match unit {
            "ns" => 1e-9,
            "us" | "\u{b5}s" | "\u{3bc}s" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3_600.0,
            _ => return None,
        };
        seconds += number.parse::<f64>().ok()? * length;
        rest = tail;
    }
    Some(sign * seconds)
}

#[cfg(test)]
mod tests;
