//! Model names in allow lists: one spelling for every way to write a model, and `*` for any characters.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::{ModelName, Source};

/// Longest pattern in bytes.
const LONGEST: usize = 300;

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPattern {
    #[error("{0:?} is no model name or pattern like llama3.2, qwen3:* or hf.co/*")]
    Malformed(String),
    #[error("{0:?} is a cloud model, and those are not served")]
    Cloud(String),
}

/// A model, or with `*` many of them. Held and shown in the spelling that lists use, in lower case, with its tag.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ModelPattern(String);

impl ModelPattern {
    /// Whether it admits the model with this [`normal_name`].
    pub fn admits(&self, normal: &str) -> bool {
        matches(self.0.as_bytes(), normal.as_bytes())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// In a name of some backend, or the star. What other pattern languages mean something by is refused, because here it would
/// stand for itself and match nothing.
fn may_be(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b",[]{}?\\^$|<>\"'`;".contains(&byte)
}

/// The one spelling of a model that permissions compare: as Ollama's lists show it, in lower case, the tag always there.
/// A name that Ollama would not take is itself in lower case.
pub fn normal_name(model: &str) -> String {
    match ModelName::parse(model) {
        Ok((name, _)) => name.display().to_owned(),
        Err(_) => model.trim().to_ascii_lowercase(),
    }
}

impl std::str::FromStr for ModelPattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, InvalidPattern> {
        let text = text.trim();
        if text.is_empty() || text.len() > LONGEST || !text.bytes().all(may_be) {
            return Err(InvalidPattern::Malformed(text.chars().take(80).collect()));
        }
        if !text.contains('*') {
            return match ModelName::parse(text) {
                Ok((_, Source::Cloud)) => Err(InvalidPattern::Cloud(text.to_owned())),
                _ => Ok(Self(normal_name(text))),
            };
        }
        let mut pattern = text.to_ascii_lowercase();
        for default in ["https://", "http://", "registry.ollama.ai/", "library/"] {
            if let Some(rest) = pattern.strip_prefix(default) {
                pattern = rest.to_owned();
            }
        }
        // Without a tag it means the same as without one anywhere else, unless the star may stand for the tag too.
        let last = pattern.rsplit('/').next().unwrap_or_default();
        if !last.contains(':') && !last.ends_with('*') {
            pattern.push_str(":latest");
        }
        Ok(Self(pattern))
    }
}

impl TryFrom<String> for ModelPattern {
    type Error = InvalidPattern;

    fn try_from(text: String) -> Result<Self, InvalidPattern> {
        text.parse()
    }
}

impl From<ModelPattern> for String {
    fn from(pattern: ModelPattern) -> Self {
        pattern.0
    }
}

impl fmt::Display for ModelPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Compares from the left; where a star was taken too short it is taken one longer. Never more than the product of both
/// lengths.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut read) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while read < text.len() {
        if pattern.get(at) == Some(&b'*') {
            star = Some((at, read));
            at += 1;
        } else if pattern.get(at) == Some(&text[read]) {
            at += 1;
            read += 1;
        } else if let Some((star_at, covered)) = star {
            star = Some((star_at, covered + 1));
            at = star_at + 1;
            read = covered + 1;
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|&byte| byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(pattern: &str, model: &str) -> bool {
        pattern.parse::<ModelPattern>().unwrap().admits(&normal_name(model))
    }

    #[test]
    fn every_spelling_of_a_model_is_the_same_model() {
        for model in
            ["llama3", "LLAMA3:latest", "library/llama3", "registry.ollama.ai/library/llama3:LATEST", "llama3:local"]
        {
            for pattern in [
                "llama3",
                "Llama3:Latest",
                "https://registry.ollama.ai/library/llama3",
                "llama*",
                "library/llama*",
                "*",
            ] {
                assert!(admits(pattern, model), "{pattern} {model}");
            }
            for pattern in ["llama3:8b", "llama", "me/llama3", "hf.co/*", "llama*:8b", "*lama"] {
                assert!(!admits(pattern, model), "{pattern} {model}");
            }
        }
    }

    #[test]
    fn stars_stand_for_any_characters() {
        for (pattern, model, expected) in [
            ("qwen3:*", "qwen3:8b", true),
            ("qwen3:*", "qwen3", true),
            ("qwen3:*", "qwen3.5:8b", false),
            ("*:8b", "hf.co/u/m:8b", true),
            ("hf.co/*", "hf.co/u/m:q4", true),
            ("me/*", "me/llama3", true),
            ("me/*", "llama3", false),
            ("*-coder", "qwen-coder", true),
            ("*-coder", "qwen-coder:7b", false),
            ("*-coder:*", "qwen-coder:7b", true),
            ("a*b*c", "axbxbxd", false),
            ("a*b*c", "axbxbxc", true),
            ("a*b*c*", "axbxbxc", true),
            ("Qwen/Qwen3-8B", "Qwen/Qwen3-8B", true),
            ("meta.org/M 1", "x", false),
        ] {
            let found = pattern.parse::<ModelPattern>().is_ok_and(|pattern| pattern.admits(&normal_name(model)));
            assert_eq!(found, expected, "{pattern} {model}");
        }
        // Names of other servers that Ollama would not take count letter by letter, but for their case.
        assert!(admits("meta.org/Model-8B", "meta.org/model-8b"));
        assert!(!admits("a*a*a*a*a*a*a*a*b", &"a".repeat(79)));
    }

    #[test]
    fn what_is_no_pattern_is_refused_with_its_text() {
        for bad in
            ["", "a b", "é", "[bad", "qwen?", "^qwen.*$", "a,b", &"a".repeat(301), "kimi:cloud", "gpt-oss:20b-cloud"]
        {
            assert!(bad.parse::<ModelPattern>().is_err(), "{bad}");
        }
    }
}
