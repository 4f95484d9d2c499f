//! The bodies of the listing endpoints over the whole fleet, written when a list changes and cloned for each request. A
//! backend that hangs delays none of them.

mod merge;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use bytes::Bytes;
use domain::model::ModelName;
use serde_json::json;

use self::merge::Merged;
use crate::backend::{View, seen::Seen};

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

pub(crate) struct Listings {
    tags: List,
    ps: List,
    openai: List,
    version: Bytes,
    /// Rows of `/v1/models` by id.
    ids: HashMap<String, Bytes>,
    names: HashMap<ModelName, OpenAiRow>,
}

/// A list that is written once for those who may see all of it, and each time anew for the others.
struct List {
    start: &'static str,
    whole: Bytes,
    /// Names and rows.
    rows: Vec<(String, String)>,
}

impl List {
    fn new(start: &'static str, rows: Vec<(String, String)>) -> Self {
        let whole = write(start, rows.iter().map(|(_, row)| row.as_str()));
        Self { start, whole, rows }
    }

    fn body(&self, part: Option<impl Fn(&str) -> bool>) -> Bytes {
        match part {
            None => self.whole.clone(),
            Some(part) => {
                write(self.start, self.rows.iter().filter(|(name, _)| part(name)).map(|(_, row)| row.as_str()))
            }
        }
    }
}

fn write<'a>(start: &str, rows: impl Iterator<Item = &'a str>) -> Bytes {
    format!("{start}{}]}}", rows.collect::<Vec<_>>().join(",")).into()
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
        Self::build(&[])
    }
}

impl Listings {
    /// From what is known of each enabled backend, in the snapshot's order.
    pub(crate) fn build(sources: &[&Seen]) -> Self {
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
                openai.push((row.name.clone(), text));
            }
        }
        let tags = models.iter().map(|Merged { row }| (row.name.clone(), row.tags.get().to_owned())).collect();
        Self {
            tags: List::new(r#"{"models":["#, tags),
            ps: List::new(r#"{"models":["#, merge::running(sources)),
            openai: List::new(r#"{"object":"list","data":["#, openai),
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
