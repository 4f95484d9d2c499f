//! The page of usage: what is asked for as it stands in an address, and the page as it is shown. Sums by time come in
//! columns, because a report in full would be a megabyte of names.

use serde::{Deserialize, Serialize};

use super::report::{ColdTax, Named, OtherGroups, UsageFigures, UsageGroup, UsageQuery};
use crate::error::FieldError;

/// Groups of which a chart tells each; all others are one.
pub const CHARTED: usize = 6;
/// Names that a filter offers at most; where there are more, it offers none.
pub const CHOICES: usize = 100;
/// Stretches that end now, by their words, with their lengths in days.
pub const RANGES: [(&str, &str, u64); 5] = [
    ("24h", "24 hours", 1),
    ("7d", "7 days", 7),
    ("30d", "30 days", 30),
    ("90d", "90 days", 90),
    ("12m", "12 months", 365),
];
/// The range of a page without one.
pub const USUAL_RANGE: &str = "7d";

/// Asks for the page. All texts as typed; empty means: as usual, or whichever.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AskUsage {
    /// A word of [`RANGES`]; does not count where a day is given.
    pub range: String,
    /// First and last day, as `2026-12-31` in the zone, or Unix milliseconds as a [`UsageQuery`] has them.
    pub from: String,
    pub to: String,
    /// The others as a [`UsageQuery`] has them.
    pub step: String,
    pub zone: String,
    pub by: String,
    pub user: String,
    pub key: String,
    pub model: String,
    pub backend: String,
    pub endpoint: String,
    pub outcome: String,
}

impl AskUsage {
    /// Names of the fields, in the order of an address.
    pub const FIELDS: [&str; 12] =
        ["range", "from", "to", "step", "by", "zone", "user", "key", "model", "backend", "endpoint", "outcome"];
    /// Those that leave out requests.
    pub const FILTERS: [&str; 6] = ["user", "key", "model", "backend", "endpoint", "outcome"];

    fn all(&mut self) -> [&mut String; 12] {
        let Self { range, from, to, step, zone, by, user, key, model, backend, endpoint, outcome } = self;
        [range, from, to, step, by, zone, user, key, model, backend, endpoint, outcome]
    }

    /// Sets the field called `name`; does nothing where there is none.
    pub fn set(&mut self, name: &str, value: String) {
        if let Some(at) = Self::FIELDS.iter().position(|field| *field == name)
            && let Some(field) = self.all().into_iter().nth(at)
        {
            *field = value;
        }
    }

    /// The same with another value in one field.
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut other = self.clone();
        other.set(name, value.to_owned());
        other
    }

    /// What a field holds; empty where there is none of that name.
    pub fn get(&self, name: &str) -> String {
        let mut copy = self.clone();
        let at = Self::FIELDS.iter().position(|field| *field == name);
        at.and_then(|at| copy.all().into_iter().nth(at).map(std::mem::take)).unwrap_or_default()
    }

    /// Names and values of what is given, as an address carries them.
    pub fn pairs(&self) -> Vec<(&'static str, String)> {
        let mut copy = self.clone();
        let values = copy.all().map(std::mem::take);
        Self::FIELDS.into_iter().zip(values).filter(|(_, value)| !value.is_empty()).collect()
    }

    /// Some requests are left out.
    pub fn is_narrow(&self) -> bool {
        Self::FILTERS.iter().any(|name| !self.get(name).is_empty())
    }
}

/// One value that a filter offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    pub id: String,
    pub name: String,
}

/// What the filters offer; empty where there are more than [`CHOICES`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageChoices {
    pub users: Vec<Choice>,
    /// Of the user that is asked for, or of all; not revoked.
    pub keys: Vec<Choice>,
    pub models: Vec<Choice>,
    pub backends: Vec<Choice>,
}

/// A filter that is in force, with a name for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chosen {
    /// A name of [`AskUsage::FILTERS`].
    pub field: String,
    pub of: Named,
    /// Id of the user that it is, or whose key it is, where there is one.
    pub owner: Option<String>,
}

/// What the numbers of a chart are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChartKind {
    /// Counts, the columns stacked.
    Stacked,
    /// Counts of what went wrong.
    Errors,
    /// Milliseconds, a line for each column, with gaps where nothing was measured.
    Times,
}

/// A column of numbers, one for each stretch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageColumn {
    pub label: String,
    pub values: Vec<Option<u64>>,
}

/// Numbers over time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageChart {
    pub title: String,
    pub kind: ChartKind,
    pub columns: Vec<UsageColumn>,
}

/// What was used, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageShown {
    /// What was asked for, with its moments; a report for it has the same numbers.
    pub query: UsageQuery,
    /// As in a [`UsageReport`](super::report::UsageReport).
    pub zone: String,
    pub utc_days: bool,
    pub exact: bool,
    pub chosen: Vec<Chosen>,
    pub total: UsageFigures,
    /// The stretches in their zone, as `2026-12-31` or `2026-12-31 08:00`.
    pub labels: Vec<String>,
    pub charts: Vec<UsageChart>,
    pub groups: Vec<UsageGroup>,
    pub others: Option<OtherGroups>,
    pub peak: Option<Vec<[u64; 24]>>,
    pub tax_by_model: Vec<ColdTax>,
    pub tax_by_key: Vec<ColdTax>,
}

/// The page.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsagePage {
    pub choices: UsageChoices,
    /// What is wrong with what was asked for, by its fields.
    pub faults: Vec<FieldError>,
    /// `None` where something is wrong.
    pub shown: Option<UsageShown>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_carries_every_field_there_and_back() {
        let mut asked = AskUsage::default();
        for (at, name) in AskUsage::FIELDS.into_iter().enumerate() {
            asked.set(name, format!("{name} {at}"));
            assert_eq!(asked.get(name), format!("{name} {at}"));
        }
        asked.set("nothing", "x".into());
        let mut read = AskUsage::default();
        for (name, value) in asked.pairs() {
            read.set(name, value);
        }
        assert_eq!((&read, read.pairs().len(), asked.range.as_str()), (&asked, 12, "range 0"));
        assert!(asked.is_narrow() && !AskUsage { by: "user".into(), ..Default::default() }.is_narrow());
        assert_eq!(asked.with("zone", "").pairs().len(), 11);
        // The server function's fields are the same.
        assert_eq!(serde_json::from_str::<AskUsage>(&serde_json::to_string(&asked).unwrap()).unwrap(), asked);
    }
}
