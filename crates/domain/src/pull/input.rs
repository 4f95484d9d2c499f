//! What is asked for: pulling a model, cancelling that, and keeping a model on some backends.

use serde::{Deserialize, Serialize};

use crate::{
    error::FieldError,
    id::PullId,
    model::{ModelName, Source},
    models::act::{Boxes, ticked},
};

/// Most backends that a model can be wished on.
const MOST_COPIES: u32 = 1_000;

/// Has a model pulled.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartPull {
    pub model: String,
    /// Boxes of the backends it is pulled to.
    #[serde(default)]
    pub backends: Boxes,
    /// To every backend that it can be pulled to.
    #[serde(default)]
    pub all: bool,
    /// To every backend that has it, which brings it up to date there.
    #[serde(default)]
    pub holders: bool,
}

impl StartPull {
    /// What faults stand beside.
    pub const FIELDS: [&str; 4] = ["model", "backends", "all", "holders"];

    /// Ids of the backends that are ticked, as they came.
    pub fn ticked(&self) -> impl Iterator<Item = &str> {
        ticked(&self.backends)
    }

    /// The name as backends are told it.
    pub fn wanted(&self) -> Result<String, FieldError> {
        check(&self.model)
    }
}

/// One pull, by its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PullRef {
    pub id: PullId,
}

/// Keeps a model on so many backends, or no longer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeepCopies {
    pub model: String,
    /// How many; 0 ends it.
    pub copies: String,
    /// Boxes of the only backends it may be pulled to; none for all.
    #[serde(default)]
    pub backends: Boxes,
}

impl KeepCopies {
    /// What faults stand beside.
    pub const FIELDS: [&str; 3] = ["model", "copies", "backends"];

    /// Ids of the backends that are ticked, as they came.
    pub fn ticked(&self) -> impl Iterator<Item = &str> {
        ticked(&self.backends)
    }

    /// The name as backends are told it, and how many are wished.
    pub fn wanted(&self) -> Result<(String, u32), Vec<FieldError>> {
        let copies = self.copies.trim().parse::<u32>().ok().filter(|copies| *copies <= MOST_COPIES);
        let copies = copies.ok_or_else(|| {
            FieldError::new("copies", format!("give a number from 0 to {MOST_COPIES}; 0 keeps it no longer"))
        });
        match (check(&self.model), copies) {
            (Ok(model), Ok(copies)) => Ok((model, copies)),
            (model, copies) => Err(model.err().into_iter().chain(copies.err()).collect()),
        }
    }
}

/// A name that a backend can pull. Models that run at ollama.com are refused, as they are to clients.
fn check(text: &str) -> Result<String, FieldError> {
    let fault = |message: &str| FieldError::new("model", message);
    match ModelName::parse(text) {
        Ok((_, Source::Cloud)) => Err(fault(
            "this model would run at ollama.com under the account of a backend's owner: name one without cloud",
        )),
        Ok((_, Source::Local)) => Err(fault("leave out :local, every pulled model is")),
        Ok(_) => Ok(text.trim().to_owned()),
        Err(_) if text.trim().is_empty() => Err(fault("name a model, for example llama3.2 or qwen3:8b")),
        Err(_) => Err(fault("no model can have this name: write it as ollama.com does, for example qwen3:8b")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_taken_as_it_is_written_and_what_no_backend_may_pull_is_refused() {
        let wanted = |model: &str| StartPull { model: model.into(), ..Default::default() }.wanted();
        for good in ["llama3.2", " Qwen3:8B ", "hf.co/bartowski/Llama-3.2-1B-Instruct-GGUF:Q4_K_M"] {
            assert_eq!(wanted(good), Ok(good.trim().to_owned()));
        }
        for bad in ["", "  ", "a b", "../x", "a:b:c", "x:cloud", "gpt-oss:20b-cloud", "x:local", "<b>"] {
            assert_eq!(wanted(bad).unwrap_err().field, "model", "{bad}");
        }
    }

    #[test]
    fn a_wish_names_all_its_faults_at_once() {
        let wanted = |model: &str, copies: &str| {
            KeepCopies { model: model.into(), copies: copies.into(), ..Default::default() }.wanted()
        };
        assert_eq!(wanted("m", " 2 "), Ok(("m".into(), 2)));
        assert_eq!(wanted("m", "0"), Ok(("m".into(), 0)));
        for bad in ["", "-1", "two", "1001", "1.5"] {
            assert_eq!(wanted("", bad).unwrap_err().len(), 2, "{bad}");
        }
    }
}
