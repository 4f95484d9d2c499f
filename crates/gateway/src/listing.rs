//! The bodies of the listing endpoints over the whole fleet, written when a list changes and cloned for each request. A
//! backend that hangs delays none of them.

mod list;
mod merge;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use bytes::Bytes;
use domain::model::ModelName;
use jiff::Timestamp;
use serde_json::json;

use self::{
    list::{List, Row},
    merge::Merged,
};
use crate::{
    alias::{Alias, Aliases},
    backend::{View, seen::Seen},
};

/// Said while no backend has told its version. Clients that ask for a feature by version then do without.
const NO_VERSION: &str = "0.0.0";

/// `/api/tags`, all of it or the models that `part` names.
pub(crate) fn tags(view: &View, part: Option<impl Fn(&str) -> bool>) -> Bytes {
    view.catalogue.listings.tags.body(part)
}

/// `/api/ps`, all of it or the models that `part` names.
pub(crate) fn ps(view: &View, part: Option<impl Fn(&str) -> bool>) -> Bytes {
    view.catalogue.listings.ps.body(part)
}

/// `/v1/models`, all of it or the models that `part` names.
pub(crate) fn openai_models(view: &View, part: Option<impl Fn(&str) -> bool>) -> Bytes {
    view.catalogue.listings.openai.body(part)
}

/// `/v1/models/{model}` for any spelling of a model the fleet has; the answer repeats the client's.
pub(crate) fn openai_model(view: &View, id: &str) -> Option<Bytes> {
    view.catalogue.listings.openai_model(id)
}

/// `/api/version`.
pub(crate) fn version(view: &View) -> Bytes {
    view.catalogue.listings.version.clone()
}

/// `/v1/models/{model}` for a spelling of an alias: as the first of its models that `part` names, or any if it names the
/// alias.
pub(crate) fn openai_alias(view: &View, alias: &Alias, id: &str, part: impl Fn(&str) -> bool) -> Option<Bytes> {
    let row = view.catalogue.listings.openai.alias(&alias.display, id, Some(part))?;
    Some(row.into_owned().into())
}

pub(crate) struct Listings {
    tags: List,
    ps: List,
    openai: List,
    version: Bytes,
    /// Rows of `/v1/models` by id.
    ids: HashMap<String, Bytes>,
    names: HashMap<ModelName, OpenAiRow>,
}

/// What a row of `/v1/models` says of a model of an Ollama.
struct OpenAiRow {
    created: i64,
}

impl OpenAiRow {
    fn write(&self, id: &str, owner: &str) -> String {
        json!({"id": id, "object": "model", "created": self.created, "owned_by": owner}).to_string()
    }
}

impl Default for Listings {
    fn default() -> Self {
        Self::build(&[], &Aliases::default())
    }
}

impl Listings {
    /// From what is known of each enabled backend, in the snapshot's order. An alias is listed as the first of its models
    /// that some backend has, and hides a model of its own name.
    pub(crate) fn build(sources: &[&Seen], aliases: &Aliases) -> Self {
        let models = merge::models(sources);
        let mut ids = HashMap::new();
        let mut names = HashMap::new();
        let mut openai = Vec::new();
        for Merged { row, .. } in &models {
            let text = match (&row.openai, &row.canonical) {
                (Some(given), _) => given.get().to_owned(),
                (None, name) => {
                    let made = OpenAiRow { created: row.modified.as_second() };
                    let owner = name.as_ref().map_or("library", ModelName::namespace);
                    let text = made.write(&row.name, owner);
                    if let Some(name) = name {
                        names.insert(name.clone(), made);
                    }
                    text
                }
            };
            // An Ollama and another server may list the same text; clients of this endpoint see ids alone.
            if !ids.contains_key(&row.name) {
                ids.insert(row.name.clone(), Bytes::from(text.clone()));
                openai.push(Row { name: row.name.clone(), text, modified: row.modified });
            }
        }
        let row = |Merged { row }: &Merged| Row {
            name: row.name.clone(),
            text: row.tags.get().to_owned(),
            modified: row.modified,
        };
        let tags = models.iter().map(row).collect();
        let running = merge::running(sources).into_iter();
        let running = running.map(|(name, text)| Row { name, text, modified: Timestamp::UNIX_EPOCH }).collect();
        Self {
            tags: List::new(r#"{"models":["#, &["name", "model"], tags, aliases),
            ps: List::new(r#"{"models":["#, &[], running, &Aliases::default()),
            openai: List::new(r#"{"object":"list","data":["#, &["id"], openai, aliases),
            version: json!({"version": merge::version(sources).unwrap_or(NO_VERSION)}).to_string().into(),
            ids,
            names,
        }
    }

    fn openai_model(&self, id: &str) -> Option<Bytes> {
        if let Some(row) = self.ids.get(id) {
            return Some(row.clone());
        }
        let (name, source) = ModelName::parse(id).ok()?;
        let row = self.names.get(&name).filter(|_| source != domain::model::Source::Cloud)?;
        Some(row.write(id, name.namespace()).into())
    }
}
