//! What is asked of the usage, and the answer: sums by time, by what or who, and by the hours of the week.

use serde::{Deserialize, Serialize};

use super::Outcome;
use crate::{
    endpoint::Endpoint,
    error::FieldError,
    id::{BackendId, KeyId, UserId},
};

const DAY: u64 = 86_400_000;
/// Most milliseconds of one report, and of one by hours.
pub const LONGEST: u64 = 800 * DAY;
pub const LONGEST_BY_HOUR: u64 = 93 * DAY;
/// Beyond this the days of a report are those of UTC.
pub const LONGEST_IN_ZONE: u64 = 93 * DAY;
/// Groups that are told one by one.
pub const GROUPS: usize = 50;
/// Stands for requests without a model that some backend has.
pub const NO_MODEL: &str = "(none)";
/// Stands, as an outcome, for whatever was answered with a status of 400 or more or broken off by a backend.
pub const ERRORS: &str = "errors";
const MAX_NAME: usize = 200;
/// The year 9999 ends here.
pub(super) const LATEST: u64 = 253_402_300_800_000;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $variant:ident $word:literal)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $($(#[$of])* $variant,)*
        }

        impl $name {
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The word for it in addresses and files.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// From that word.
            pub fn parse(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.as_str() == word)
            }
        }
    };
}

words! {
    /// Length of the stretches of a report.
    Step {
        Hour "hour"
        #[default]
        Day "day"
        /// Begins on Monday.
        Week "week"
    }
}

words! {
    /// What a report groups by.
    GroupBy {
        User "user"
        Key "key"
        #[default]
        Model "model"
        Backend "backend"
        Endpoint "endpoint"
    }
}

impl Outcome {
    pub const ALL: [Self; 5] = [Self::Complete, Self::ClientGone, Self::UpstreamFailed, Self::Refused, Self::ShutDown];

    /// The word for it in addresses and files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::ClientGone => "client_gone",
            Self::UpstreamFailed => "upstream_failed",
            Self::Refused => "refused",
            Self::ShutDown => "shut_down",
        }
    }
}

/// Asks for a report. Texts as typed; empty means: whichever.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UsageQuery {
    /// Unix milliseconds, included; the report begins with the step that this is in.
    pub from: u64,
    /// Not included; the report ends with the step that the moment before is in.
    pub to: u64,
    pub step: Step,
    /// The viewer's time zone, as `Europe/Berlin`; empty is UTC.
    pub zone: String,
    pub by: GroupBy,
    /// Ids.
    pub user: String,
    pub key: String,
    /// A name, or [`NO_MODEL`].
    pub model: String,
    /// An id.
    pub backend: String,
    /// A path, as [`Endpoint::path`] has it.
    pub endpoint: String,
    /// A word of [`Outcome::as_str`], or [`ERRORS`].
    pub outcome: String,
}

/// The filters of a query, read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filters {
    pub user: Option<UserId>,
    pub key: Option<KeyId>,
    /// `Some(None)` is none.
    pub model: Option<Option<String>>,
    pub backend: Option<BackendId>,
    pub endpoint: Option<Endpoint>,
    pub outcome: Option<Outcome>,
    /// [`ERRORS`].
    pub failed: bool,
}

/// Reads the filters that both the report and the log have; faults name their fields.
pub(super) fn filters(
    [user, key, model, backend, endpoint, outcome]: [&str; 6],
    faults: &mut Vec<FieldError>,
) -> Filters {
    fn given<T>(
        field: &str,
        text: &str,
        read: impl Fn(&str) -> Option<T>,
        must: &str,
        faults: &mut Vec<FieldError>,
    ) -> Option<T> {
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        let value = read(text);
        if value.is_none() {
            faults.push(FieldError::new(field, must));
        }
        value
    }
    let id = "must be an id";
    let failed = outcome.trim() == ERRORS;
    let name = |text: &str| (text.len() <= MAX_NAME).then(|| (text != NO_MODEL).then(|| text.to_owned()));
    let path = |text: &str| Endpoint::ALL.iter().copied().find(|known| known.path() == text);
    let word = |text: &str| Outcome::ALL.into_iter().find(|known| known.as_str() == text);
    Filters {
        user: given("user", user, |text| UserId::new(text).ok(), id, faults),
        key: given("key", key, |text| KeyId::new(text).ok(), id, faults),
        model: given("model", model, name, "must be at most 200 bytes", faults),
        backend: given("backend", backend, |text| BackendId::new(text).ok(), id, faults),
        endpoint: given("endpoint", endpoint, path, "must be the path of an endpoint", faults),
        outcome: if failed { None } else { given("outcome", outcome, word, "must be an outcome or errors", faults) },
        failed,
    }
}

impl UsageQuery {
    /// Names and values of what is given, as an address carries them.
    pub fn pairs(&self) -> Vec<(&'static str, String)> {
        let Self { from, to, step, zone, by, user, key, model, backend, endpoint, outcome } = self;
        let mut pairs = vec![
            ("from", from.to_string()),
            ("to", to.to_string()),
            ("step", step.as_str().to_owned()),
            ("by", by.as_str().to_owned()),
        ];
        let texts = [
            ("zone", zone),
            ("user", user),
            ("key", key),
            ("model", model),
            ("backend", backend),
            ("endpoint", endpoint),
            ("outcome", outcome),
        ];
        pairs.extend(texts.into_iter().filter(|(_, text)| !text.is_empty()).map(|(name, text)| (name, text.clone())));
        pairs
    }

    /// Sets the field called `name`; `false` where there is none, or it cannot have this value.
    pub fn set(&mut self, name: &str, value: String) -> bool {
        fn put<T>(field: &mut T, value: Option<T>) -> bool {
            let good = value.is_some();
            if let Some(value) = value {
                *field = value;
            }
            good
        }
        match name {
            "from" => put(&mut self.from, value.parse().ok()),
            "to" => put(&mut self.to, value.parse().ok()),
            "step" => put(&mut self.step, Step::parse(&value)),
            "by" => put(&mut self.by, GroupBy::parse(&value)),
            "zone" => put(&mut self.zone, Some(value)),
            "user" => put(&mut self.user, Some(value)),
            "key" => put(&mut self.key, Some(value)),
            "model" => put(&mut self.model, Some(value)),
            "backend" => put(&mut self.backend, Some(value)),
            "endpoint" => put(&mut self.endpoint, Some(value)),
            "outcome" => put(&mut self.outcome, Some(value)),
            _ => false,
        }
    }

    /// The filters, or every fault of the query but those of its time zone.
    pub fn read(&self) -> Result<Filters, Vec<FieldError>> {
        let mut faults = Vec::new();
        let (longest, told) = match self.step {
            Step::Hour => (LONGEST_BY_HOUR, "by the hour at most 93 days can be told"),
            Step::Day | Step::Week => (LONGEST, "at most 800 days can be told"),
        };
        if self.from >= self.to {
            faults.push(FieldError::new("to", "must be later than the beginning"));
        } else if self.to > LATEST {
            faults.push(FieldError::new("to", "must be before the year 10000"));
        } else if self.to - self.from > longest {
            faults.push(FieldError::new("to", told));
        }
        let Self { user, key, model, backend, endpoint, outcome, .. } = self;
        let filters = filters([user, key, model, backend, endpoint, outcome], &mut faults);
        if faults.is_empty() { Ok(filters) } else { Err(faults) }
    }
}

/// Percentiles in milliseconds, out of histograms whose buckets double: right to within the bucket. `None` of nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Percentiles {
    pub p50: Option<u64>,
    pub p95: Option<u64>,
    pub p99: Option<u64>,
}

/// Sums over requests. Numbers of a backend end at the largest instead of overflowing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageFigures {
    pub requests: u64,
    /// Answered with a status of 400 or more, or broken off by a backend.
    pub errors: u64,
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
    /// Microseconds that backends worked.
    pub gpu_us: u64,
    /// Microseconds that models were loaded: the cold-start tax.
    pub load_us: u64,
    /// Microseconds of waiting for slots; not known before this was counted.
    pub queue_us: u64,
    /// Requests whose model had to be loaded first; not known before this was counted.
    pub cold: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
    /// From the head read to the end.
    pub latency: Percentiles,
    /// To the first byte; then only of requests whose model was loaded, or was not.
    pub ttft: Percentiles,
    pub ttft_warm: Percentiles,
    pub ttft_cold: Percentiles,
}

/// One stretch of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsagePoint {
    /// Its start, Unix milliseconds.
    pub at: u64,
    pub figures: UsageFigures,
}

/// Somebody or something that was used or did use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// What a filter takes: an id, a model's name or [`NO_MODEL`], a path. Empty for no backend.
    pub id: String,
    /// For people. The id, of what is gone without a trace.
    pub name: String,
    /// It is not there any more.
    pub removed: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageGroup {
    pub of: Named,
    pub figures: UsageFigures,
}

/// All groups that are not told one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OtherGroups {
    pub count: u64,
    pub figures: UsageFigures,
}

/// What loading cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColdTax {
    pub of: Named,
    pub cold: u64,
    pub load_us: u64,
}

/// The answer to a [`UsageQuery`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageReport {
    /// First moment and the one after the last, at borders of steps.
    pub from: u64,
    pub to: u64,
    pub step: Step,
    /// The zone whose days these are: `UTC` where the report is too long for others.
    pub zone: String,
    /// The viewer's zone was not used, because the report is long.
    pub utc_days: bool,
    /// Hours of the zone begin when those of UTC do. Where not, each hour of UTC counts for the step that it begins in.
    pub exact: bool,
    pub by: GroupBy,
    pub total: UsageFigures,
    /// One a step, also where nothing happened.
    pub points: Vec<UsagePoint>,
    /// Most requests first, at most [`GROUPS`].
    pub groups: Vec<UsageGroup>,
    pub others: Option<OtherGroups>,
    /// Requests by weekday (Monday first) and hour of the zone; `None` where only days are known.
    pub peak: Option<Vec<[u64; 24]>>,
    /// Most time first, at most [`GROUPS`]; those that lost none are left out.
    pub tax_by_model: Vec<ColdTax>,
    pub tax_by_key: Vec<ColdTax>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(query: &UsageQuery) -> Vec<String> {
        query.read().unwrap_err().into_iter().map(|fault| fault.field).collect()
    }

    #[test]
    fn every_fault_names_its_field() {
        let query = UsageQuery {
            from: 5,
            to: 5,
            user: "x".into(),
            key: "y".into(),
            model: "m".repeat(201),
            backend: "z".into(),
            endpoint: "/nowhere".into(),
            outcome: "well".into(),
            ..Default::default()
        };
        assert_eq!(faults(&query), ["to", "user", "key", "model", "backend", "endpoint", "outcome"]);
        let of = |step, days: u64| UsageQuery { to: days * DAY, step, ..Default::default() };
        assert_eq!(faults(&of(Step::Hour, 94)), ["to"]);
        assert_eq!(faults(&of(Step::Day, 801)), ["to"]);
        assert!(of(Step::Hour, 93).read().is_ok() && of(Step::Week, 800).read().is_ok());
        assert_eq!(faults(&UsageQuery { from: u64::MAX - 5, to: u64::MAX, ..Default::default() }), ["to"]);
    }

    #[test]
    fn filters_are_read_as_they_are_meant() {
        let query = UsageQuery {
            to: 1,
            user: " uuuuuuuuuuuu ".into(),
            model: NO_MODEL.into(),
            endpoint: "/api/chat".into(),
            outcome: ERRORS.into(),
            ..Default::default()
        };
        let expected = Filters {
            user: UserId::new("uuuuuuuuuuuu").ok(),
            model: Some(None),
            endpoint: Some(Endpoint::Chat),
            failed: true,
            ..Default::default()
        };
        assert_eq!(query.read(), Ok(expected));
        for outcome in Outcome::ALL {
            let query = UsageQuery { to: 1, outcome: outcome.as_str().into(), ..Default::default() };
            assert_eq!(query.read().unwrap().outcome, Some(outcome));
        }
    }

    #[test]
    fn an_address_carries_the_query_there_and_back() {
        let query = UsageQuery {
            from: 1,
            to: 2,
            step: Step::Week,
            zone: "Europe/Berlin".into(),
            by: GroupBy::Key,
            user: "uuuuuuuuuuuu".into(),
            key: "kkkkkkkkkkkk".into(),
            model: "m".into(),
            backend: "b".into(),
            endpoint: "/".into(),
            outcome: "refused".into(),
        };
        let mut read = UsageQuery::default();
        for (name, value) in query.pairs() {
            assert!(read.set(name, value), "{name}");
        }
        assert_eq!(read, query);
        assert!(!read.set("format", "csv".into()) && !read.set("step", "year".into()));
    }
}
