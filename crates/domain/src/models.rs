//! The fleet's models as the pages show them: what is asked for, every model once with the backends that have it, and one
//! model or one backend by itself. Texts are made where the page is made. What can be done to a model is in [`act`].

pub mod act;

use serde::{Deserialize, Serialize};

use crate::{
    backend::{BackendState, BackendView},
    error::FieldError,
    id::BackendId,
    usage::page::{Choice, UsageChart},
};

/// Models of one page.
pub const PAGE: usize = 25;
/// Backends that a row of the page names; of more it says how many.
pub const NAMED: usize = 6;
/// Longest text that is searched for, in characters.
pub const MAX_SEARCH: usize = 200;

/// Which models [`AskModels::show`] leaves, with words for people.
pub const SHOWS: [(&str, &str); 4] = [
    ("", "All models"),
    ("warm", "Loaded somewhere"),
    ("drift", "Differing between backends"),
    ("one", "On one backend only"),
];
/// Orders of [`AskModels::sort`], with words for people.
pub const SORTS: [(&str, &str); 4] = [
    ("", "Name"),
    ("size", "Size, largest first"),
    ("backends", "Backends, most first"),
    ("warm", "Loaded, most first"),
];

/// Asks for a page of models, or for one. All texts as typed; empty means: as usual, or whichever.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AskModels {
    /// A part of the name, in any case.
    pub search: String,
    /// Id of the backend that must have it.
    pub backend: String,
    /// A word of [`SHOWS`].
    pub show: String,
    /// A word of [`SORTS`].
    pub sort: String,
    /// Counts from 1.
    pub page: String,
    /// The model that is shown by itself.
    pub model: String,
}

impl AskModels {
    /// Names of the fields, in the order of an address.
    pub const FIELDS: [&str; 6] = ["model", "search", "backend", "show", "sort", "page"];

    fn all(&mut self) -> [&mut String; 6] {
        let Self { search, backend, show, sort, page, model } = self;
        [model, search, backend, show, sort, page]
    }

    /// Sets the field called `name`; does nothing where there is none.
    pub fn set(&mut self, name: &str, value: String) {
        if let Some(at) = Self::FIELDS.iter().position(|field| *field == name)
            && let Some(field) = self.all().into_iter().nth(at)
        {
            *field = value;
        }
    }

    /// Names and values of what is given, as an address carries them.
    pub fn pairs(&self) -> Vec<(&'static str, String)> {
        let mut copy = self.clone();
        let values = copy.all().map(std::mem::take);
        Self::FIELDS.into_iter().zip(values).filter(|(_, value)| !value.is_empty()).collect()
    }

    /// Some models are left out.
    pub fn is_narrow(&self) -> bool {
        [&self.search, &self.backend, &self.show].iter().any(|text| !text.trim().is_empty())
    }
}

/// Asks for the page of one backend.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AskBackend {
    pub id: String,
    /// As in [`AskModels`], of its models.
    pub page: String,
}

/// Asks for what one backend did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AskHistory {
    pub id: String,
    /// `24h` or `7d`; empty is the former.
    pub range: String,
}

/// A backend that has a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    pub id: BackendId,
    pub name: String,
    pub state: BackendState,
    /// Its list says no more than names, and it knows no commands about models.
    pub foreign: bool,
    /// Only a stub there: it runs at ollama.com.
    pub remote: bool,
    /// Where it lies and for how long, in words; `None` where it is cold, or nothing is known.
    pub warm: Option<String>,
    /// First digits; empty where it does not say.
    pub digest: String,
    /// In words; empty where it does not say.
    pub size: String,
}

/// Backends on which a name means the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// First digits.
    pub digest: String,
    /// Names of the backends, the first [`NAMED`].
    pub on: Vec<String>,
    /// So many others.
    pub more: u64,
}

/// One model of the fleet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelRow {
    /// As people know it, the same for every spelling.
    pub name: String,
    /// Size, parameters, quantisation and family as far as they are told, in words.
    pub facts: Vec<String>,
    pub capabilities: Vec<String>,
    /// Most backends first. Two and more mean that the name is not the same everywhere.
    pub versions: Vec<Version>,
    /// Those where it is warm first; of a page's row the first [`NAMED`].
    pub on: Vec<Holder>,
    /// So many others have it.
    pub more: u64,
}

/// A page of models.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelsPage {
    pub rows: Vec<ModelRow>,
    /// Models that fit, and all there are.
    pub fitting: u64,
    pub all: u64,
    /// Models of the backend that was asked for, whatever else was; of all without one.
    pub here: u64,
    /// Names that differ between backends, among all.
    pub drifting: u64,
    /// Counts from 1; the last one where a later one was asked for.
    pub page: u64,
    pub pages: u64,
    /// Backends to choose from.
    pub backends: Vec<Choice>,
    /// The model that was asked for by itself, with all backends that have it.
    pub one: Option<ModelRow>,
    /// What to do next where there is nothing to show.
    pub next: String,
    pub faults: Vec<FieldError>,
}

/// How much a backend did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Did {
    pub requests: u64,
    pub errors: u64,
    /// Milliseconds within which half of the requests were, whole and to the first byte.
    pub latency: Option<u64>,
    pub first_byte: Option<u64>,
}

/// What a backend did over time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// The backend's name.
    pub name: String,
    pub did: Did,
    /// The stretches of the charts, in UTC.
    pub labels: Vec<String>,
    pub charts: Vec<UsageChart>,
    /// Queries of the addresses that show the same: of the Usage page, of its numbers as a file, and of the log of requests.
    pub usage: String,
    pub file: String,
    pub log: String,
}

/// One backend by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackendPage {
    /// Without its models.
    pub backend: BackendView,
    /// Over the last 24 hours.
    pub did: Did,
    pub models: ModelsPage,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::assert_fields;

    #[test]
    fn an_address_carries_every_field_there_and_back() {
        let mut asked = AskModels::default();
        assert_fields(&asked, &[&AskModels::FIELDS]);
        for (at, name) in AskModels::FIELDS.into_iter().enumerate() {
            asked.set(name, format!("{name} {at}"));
        }
        asked.set("nothing", "x".into());
        let mut read = AskModels::default();
        for (name, value) in asked.pairs() {
            read.set(name, value);
        }
        assert_eq!((&read, read.pairs().len()), (&asked, 6));
        assert!(
            asked.is_narrow() && !AskModels { page: "2".into(), sort: "size".into(), ..Default::default() }.is_narrow()
        );
    }
}
