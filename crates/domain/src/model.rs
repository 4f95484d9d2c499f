//! Model names by Ollama's exact rules: what a client writes, and the canonical form that routing, permissions and
//! quotas use. Names of other servers (vLLM, llama.cpp) are looked up exactly first; that is the catalogue's business.

use std::fmt;

use serde::{Deserialize, Serialize};

const DEFAULT_HOST: &str = "registry.ollama.ai";
const DEFAULT_NAMESPACE: &str = "library";
const DEFAULT_TAG: &str = "latest";
/// Most bytes of [`ModelName::short`].
pub const SHORT: usize = 200;

/// Why a text is no model name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelNameError {
    #[error("model is required")]
    Empty,
    #[error("invalid model name")]
    Invalid,
    /// Both source suffixes at once; the text is the client's.
    #[error("use either :local or :cloud, not both: {0:?}")]
    LocalAndCloud(String),
}

/// Where a name says its model runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// No suffix.
    Unspecified,
    /// `:local`: the client forbids remote stubs.
    Local,
    /// `:cloud` or `-cloud`: the backend would hand the call to ollama.com under its owner's account.
    Cloud,
}

/// The canonical form: ASCII lower case `host/namespace/model:tag`, every default written out, source suffix removed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ModelName(String);

impl ModelName {
    /// Parses what a client or a backend wrote.
    pub fn parse(text: &str) -> Result<(Self, Source), ModelNameError> {
        let (Parts { host, namespace, model, tag }, source) = Parts::of(text)?;
        Ok((Self(format!("{host}/{namespace}/{model}:{tag}").to_ascii_lowercase()), source))
    }

    /// The shortest spelling, in `buffer`: lower case, without default host, namespace and tag. Two texts name the same model
    /// exactly where these are equal. `None` for what is no name, names a cloud model or is longer than the buffer. Allocates
    /// nothing, for look-ups by every request.
    pub fn short<'b>(text: &str, buffer: &'b mut [u8; SHORT]) -> Option<&'b str> {
        let (Parts { host, namespace, model, tag }, source) = Parts::of(text).ok()?;
        if source == Source::Cloud {
            return None;
        }
        let (far, other) =
            (!host.eq_ignore_ascii_case(DEFAULT_HOST), !namespace.eq_ignore_ascii_case(DEFAULT_NAMESPACE));
        let mut length = 0;
        let mut add = |part: &str, behind: &str| {
            for text in [part, behind] {
                buffer.get_mut(length..length + text.len())?.copy_from_slice(text.as_bytes());
                length += text.len();
            }
            Some(())
        };
        if far {
            add(host, "/")?;
        }
        if far || other {
            add(namespace, "/")?;
        }
        add(model, "")?;
        if !tag.eq_ignore_ascii_case(DEFAULT_TAG) {
            add(":", tag)?;
        }
        let written = buffer.get_mut(..length)?;
        written.make_ascii_lowercase();
        std::str::from_utf8(written).ok()
    }

    /// The whole canonical text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The shortest text that means the same: default host and namespace dropped, the tag always there.
    pub fn display(&self) -> &str {
        let text = self.0.strip_prefix(DEFAULT_HOST).and_then(|rest| rest.strip_prefix('/')).unwrap_or(&self.0);
        if text.len() == self.0.len() {
            return text;
        }
        text.strip_prefix(DEFAULT_NAMESPACE).and_then(|rest| rest.strip_prefix('/')).unwrap_or(text)
    }

    /// Namespace, the `owned_by` of `/v1/models`.
    pub fn namespace(&self) -> &str {
        let path = self.0.rsplit_once(':').map_or(self.0.as_str(), |(path, _)| path);
        path.rsplit('/').nth(1).unwrap_or(DEFAULT_NAMESPACE)
    }
}

/// The parts of a name as they were written, defaults in place of what was left out.
struct Parts<'a> {
    host: &'a str,
    namespace: &'a str,
    model: &'a str,
    tag: &'a str,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Result<(Self, Source), ModelNameError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(ModelNameError::Empty);
        }
        let (text, source) = strip_source(text)?;
        let text = text.split_once("://").map_or(text, |(_, rest)| rest);
        let slash = text.rfind('/');
        let (path, tag) = match text.rfind(':') {
            Some(colon) if slash.is_none_or(|slash| colon > slash) => (&text[..colon], &text[colon + 1..]),
            _ => (text, DEFAULT_TAG),
        };
        let mut parts = path.rsplitn(3, '/');
        let model = parts.next().unwrap_or_default();
        let namespace = parts.next().unwrap_or(DEFAULT_NAMESPACE);
        let host = parts.next().unwrap_or(DEFAULT_HOST);
        let valid = is_part(host, 350, |byte| matches!(byte, b'_' | b'.' | b'-' | b':'))
            && is_part(namespace, 80, |byte| matches!(byte, b'_' | b'-'))
            && is_part(model, 80, |byte| matches!(byte, b'_' | b'.' | b'-'))
            && is_part(tag, 80, |byte| matches!(byte, b'_' | b'.' | b'-'));
        if !valid {
            return Err(ModelNameError::Invalid);
        }
        Ok((Self { host, namespace, model, tag }, source))
    }
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.display())
    }
}

/// Removes `:cloud`, `:local` or `-cloud` (behind a tag) from the end, in any case.
fn strip_source(text: &str) -> Result<(&str, Source), ModelNameError> {
    let Some((rest, source)) = strip_one(text) else { return Ok((text, Source::Unspecified)) };
    match strip_one(rest) {
        Some((_, other)) if other != source => Err(ModelNameError::LocalAndCloud(text.to_owned())),
        _ => Ok((rest, source)),
    }
}

fn strip_one(text: &str) -> Option<(&str, Source)> {
    let ends = |suffix: &str| {
        let at = text.len().checked_sub(suffix.len())?;
        text.get(at..).filter(|end| end.eq_ignore_ascii_case(suffix)).map(|_| &text[..at])
    };
    if let Some(rest) = ends(":local") {
        return Some((rest, Source::Local));
    }
    if let Some(rest) = ends(":cloud") {
        return Some((rest, Source::Cloud));
    }
    let rest = ends("-cloud")?;
    let tagged = rest.rfind(':').is_some_and(|colon| rest.rfind('/').is_none_or(|slash| colon > slash));
    tagged.then_some((rest, Source::Cloud))
}

fn is_part(text: &str, longest: usize, punctuation: impl Fn(u8) -> bool) -> bool {
    let bytes = text.as_bytes();
    let Some(first) = bytes.first() else { return false };
    bytes.len() <= longest
        && (first.is_ascii_alphanumeric() || *first == b'_')
        && bytes.iter().all(|&byte| byte.is_ascii_alphanumeric() || punctuation(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> String {
        ModelName::parse(text).unwrap().0.0
    }

    #[test]
    fn spellings_of_one_model_are_one_name() {
        for text in [
            "llama3",
            "LLAMA3",
            " llama3:latest ",
            "library/llama3",
            "registry.ollama.ai/library/Llama3:Latest",
            "https://registry.ollama.ai/library/llama3",
        ] {
            assert_eq!(canonical(text), "registry.ollama.ai/library/llama3:latest", "{text}");
        }
        assert_eq!(canonical("hf.co/u/m:Q4_K_M"), "hf.co/u/m:q4_k_m");
        assert_eq!(canonical("localhost:5000/u/m"), "localhost:5000/u/m:latest");
        assert_ne!(canonical("llama3"), canonical("llama3:8b"));
    }

    #[test]
    fn short_names_are_equal_where_the_names_are() {
        let short = |text: &str| ModelName::short(text, &mut [0; SHORT]).map(str::to_owned);
        for text in ["fast", "FAST:Latest", "library/fast", "https://registry.ollama.ai/Library/fast", " fast:local "] {
            assert_eq!(short(text).as_deref(), Some("fast"), "{text}");
        }
        assert_eq!(short("hf.co/library/M:Q4").as_deref(), Some("hf.co/library/m:q4"));
        assert_eq!(short("me/fast").as_deref(), Some("me/fast"));
        let long = format!("{}/{}/{}", "h".repeat(120), "n".repeat(40), "m".repeat(40));
        for none in ["", "a b", "fast:cloud", "fast:8b-cloud", long.as_str()] {
            assert_eq!(short(none), None, "{none}");
        }
    }

    #[test]
    fn display_drops_defaults_and_keeps_the_tag() {
        let display = |text| ModelName::parse(text).unwrap().0.to_string();
        assert_eq!(display("llama3"), "llama3:latest");
        assert_eq!(display("me/llama3:8b"), "me/llama3:8b");
        assert_eq!(display("hf.co/library/m"), "hf.co/library/m:latest");
        assert_eq!(ModelName::parse("me/llama3").unwrap().0.namespace(), "me");
    }

    #[test]
    fn source_suffixes() {
        let source = |text| ModelName::parse(text).map(|(name, source)| (name.to_string(), source));
        assert_eq!(source("gpt-oss:20b-CLOUD"), Ok(("gpt-oss:20b".into(), Source::Cloud)));
        assert_eq!(source("kimi:cloud"), Ok(("kimi:latest".into(), Source::Cloud)));
        assert_eq!(source("x:local"), Ok(("x:latest".into(), Source::Local)));
        assert_eq!(source("my-cloud"), Ok(("my-cloud:latest".into(), Source::Unspecified)));
        assert!(matches!(source("x:local:cloud"), Err(ModelNameError::LocalAndCloud(_))));
    }

    #[test]
    fn invalid_names() {
        for text in ["a b", "/x", "x/", "x:", "n.s/m", "../x", "x?y", "-x", "é", &"m".repeat(81)] {
            assert_eq!(ModelName::parse(text), Err(ModelNameError::Invalid), "{text}");
        }
        assert_eq!(ModelName::parse("  "), Err(ModelNameError::Empty));
    }
}
