//! Aliases: names for models that are chosen here, each an ordered list of models of which the first that can be used is
//! taken. What follows from the names alone is decided here; what backends have is the gateway's business.

mod input;

pub use input::{AliasRef, SaveAlias};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};

use crate::model::{ModelName, SHORT};

/// Most aliases of one gateway.
pub const MAX_ALIASES: usize = 1_000;
/// Most targets of one alias.
pub const MAX_TARGETS: usize = 8;
/// Most models that an alias may lead to by way of others.
pub const MAX_MODELS: usize = 64;
/// Most characters of a note.
pub const MAX_NOTE: usize = 200;

/// How one model that an alias leads to stands at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetState {
    /// It gets the next request.
    Next,
    /// It could take requests, and one before it does.
    Standby,
    /// Some backend has it, and none can take requests now.
    Out,
    /// No backend has it.
    Missing,
}

/// A model that an alias leads to, directly or by way of others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetView {
    pub model: String,
    pub state: TargetState,
    /// Why, in a few words without full stop: `on gpu-1, loaded there`.
    pub why: String,
}

/// An alias, and what it leads to at this moment for whoever may use all of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasView {
    /// In its shortest spelling.
    pub name: String,
    /// As they were written.
    pub targets: Vec<String>,
    /// For the administrators.
    pub note: String,
    /// Stands for all that is stored: changes with every save.
    pub version: String,
    pub models: Vec<TargetView>,
    /// Backends have a model of this name, which nobody reaches by it any more.
    pub shadows: bool,
}

/// The short name, `None` for what cannot be an alias.
pub fn short_name(text: &str) -> Option<String> {
    ModelName::short(text, &mut [0; SHORT]).map(str::to_owned)
}

/// Aliases by their short names, each with its targets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Aliases(BTreeMap<String, Vec<String>>);

impl FromIterator<(String, Vec<String>)> for Aliases {
    fn from_iter<T: IntoIterator<Item = (String, Vec<String>)>>(aliases: T) -> Self {
        Self(aliases.into_iter().collect())
    }
}

impl Aliases {
    /// The alias that a text means.
    fn alias(&self, text: &str) -> Option<(&str, &[String])> {
        let (name, targets) = self.0.get_key_value(&short_name(text)?)?;
        Some((name, targets))
    }

    /// The models that `name` leads to, in the order in which they are tried: in the place of an alias stands what that
    /// leads to, and what comes twice counts the first time. Ends whatever is stored, also in a circle; with one model more
    /// than [`MAX_MODELS`] where there are more.
    pub fn models(&self, name: &str) -> Vec<String> {
        let (mut models, mut seen) = (Vec::new(), HashSet::new());
        let mut coming = vec![name];
        while let Some(next) = coming.pop() {
            match self.alias(next) {
                Some((alias, targets)) if seen.insert(alias.to_owned()) => {
                    coming.extend(targets.iter().rev().map(String::as_str));
                }
                // Names of other servers count letter by letter.
                None if seen.insert(format!("model {next}")) => models.push(next.to_owned()),
                _ => {}
            }
            if models.len() > MAX_MODELS {
                break;
            }
        }
        models
    }

    /// A way from `name` over other aliases back to it, its beginning and end the same.
    pub fn circle(&self, name: &str) -> Option<Vec<String>> {
        let (start, _) = self.alias(name)?;
        let mut from: BTreeMap<&str, &str> = BTreeMap::new();
        let mut coming = vec![start];
        while let Some(here) = coming.pop() {
            for target in self.0.get(here)? {
                let Some((next, _)) = self.alias(target) else { continue };
                if next == start {
                    let mut way = vec![start.to_owned()];
                    let mut at = here;
                    while at != start {
                        way.push(at.to_owned());
                        at = from.get(at)?;
                    }
                    way.push(start.to_owned());
                    way.reverse();
                    return Some(way);
                }
                if !from.contains_key(next) {
                    from.insert(next, here);
                    coming.push(next);
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aliases(list: &[(&str, &[&str])]) -> Aliases {
        list.iter()
            .map(|(name, targets)| ((*name).to_owned(), targets.iter().map(|text| (*text).to_owned()).collect()))
            .collect()
    }

    #[test]
    fn an_alias_leads_to_models_in_their_order_and_each_once() {
        let aliases = aliases(&[
            ("fast", &["llama3.2:3b", "Small", "phi4"]),
            ("small", &["qwen3:0.6b", "phi4", "library/tiny:latest"]),
            ("tiny", &["Qwen/Qwen3-8B"]),
        ]);
        assert_eq!(aliases.models("FAST:latest"), ["llama3.2:3b", "qwen3:0.6b", "phi4", "Qwen/Qwen3-8B"]);
        assert_eq!(aliases.models("llama3"), ["llama3"], "what is no alias is itself");
    }

    #[test]
    fn a_circle_is_found_with_its_way() {
        let aliases = aliases(&[("a", &["x", "b"]), ("b", &["c"]), ("c", &["y", "A:latest"]), ("d", &["a"])]);
        assert_eq!(aliases.circle("a").unwrap(), ["a", "b", "c", "a"]);
        assert_eq!(aliases.circle("d"), None, "it only leads into one");
        assert_eq!(aliases.models("d"), ["x", "y"], "and what is stored in spite of that ends");
    }
}
