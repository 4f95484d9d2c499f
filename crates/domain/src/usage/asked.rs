//! What a person asks of the log of requests, as typed in the page's form or an address, and what the page is answered.

use serde::{Deserialize, Serialize};

use super::{
    log::{LogPage, LogQuery, LogRow},
    report::LATEST,
};
use crate::{
    audit::{AGE_HINT, moment},
    error::FieldError,
};

const DAY: u64 = 86_400_000;
/// How far back is looked where nobody says.
const USUAL: u64 = DAY;
/// Suggestions of each kind.
pub const SUGGESTED: usize = 100;
/// Rows that are followed live at most; the oldest go first.
pub const FOLLOWED: usize = 200;

macro_rules! asked {
    ($($(#[$doc:meta])* $name:ident)*) => {
        /// Asks for a page of the log, newest first. Everything as typed; empty means: whichever.
        #[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct AskLog {
            $($(#[$doc])* pub $name: String,)*
        }

        impl AskLog {
            /// The fields, as addresses and faults call them.
            pub const FIELDS: &[&str] = &[$(stringify!($name)),*];

            fn all(&self) -> [(&'static str, &String); Self::FIELDS.len()] {
                [$((stringify!($name), &self.$name)),*]
            }

            fn field(&mut self, name: &str) -> Option<&mut String> {
                match name { $(stringify!($name) => Some(&mut self.$name),)* _ => None }
            }
        }
    };
}

asked! {
    /// A time as in [`AGE_HINT`], where a day alone is its beginning, or Unix milliseconds. Empty: a day before `to`.
    from
    /// The same, where a day alone is its end. Empty: now.
    to
    /// A name or an id.
    user
    /// A name or an id. A name that several users gave a key needs `user`.
    key
    /// A name; without a tag also that of a known model with the usual one.
    model
    /// A name or an id.
    backend
    /// A path, as [`Endpoint::path`](crate::endpoint::Endpoint::path) has it.
    endpoint
    /// A word of [`Outcome::as_str`](super::Outcome::as_str), or [`ERRORS`](super::report::ERRORS).
    outcome
    /// `429`, or `4xx` for a class.
    status
    /// An `x-request-id`: 16 hex digits.
    request
    /// [`LogPage::next`] of the page before.
    after
}

impl AskLog {
    /// Names and values of what is given, as an address carries them. Those of a [`LogQuery`] mean the same.
    pub fn pairs(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.all().into_iter().map(|(name, value)| (name, value.trim())).filter(|(_, value)| !value.is_empty())
    }

    /// Sets the field called `name`; `false` where there is none.
    pub fn set(&mut self, name: &str, value: String) -> bool {
        self.field(name).map(|field| *field = value).is_some()
    }

    /// It asks for less than everything of its time, its place aside.
    pub fn is_narrow(&self) -> bool {
        self.pairs().any(|(name, _)| !["from", "to", "after"].contains(&name))
    }

    /// The query with its times read, and what is wrong with them. Names are left as they were typed. `now` is the Unix
    /// milliseconds that ages count from.
    pub fn query(&self, now: u64) -> (LogQuery, Vec<FieldError>) {
        let mut faults = Vec::new();
        let mut time = |field: &'static str, text: &str, of_day: u64| {
            let text = text.trim();
            if text.is_empty() {
                return None;
            }
            let read = unix(text).or_else(|| moment(text, now, of_day));
            if read.is_none() {
                faults.push(FieldError::new(field, format!("give a time as {AGE_HINT}")));
            }
            read
        };
        // What came in this very millisecond belongs to it.
        let to = time("to", &self.to, 0).unwrap_or(now.saturating_add(1));
        let from = time("from", &self.from, DAY).unwrap_or(to.saturating_sub(USUAL));
        let text = |text: &String| text.trim().to_owned();
        let query = LogQuery {
            from,
            // A fault beside another field must not make one here.
            to: if faults.is_empty() { to } else { from.saturating_add(1) },
            user: text(&self.user),
            key: text(&self.key),
            model: text(&self.model),
            backend: text(&self.backend),
            endpoint: text(&self.endpoint),
            outcome: text(&self.outcome),
            status: text(&self.status),
            request: text(&self.request),
            after: text(&self.after),
        };
        (query, faults)
    }
}

/// Milliseconds as other pages write them into addresses; a year alone is none.
fn unix(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (text.len() > 8 && number <= LATEST).then_some(number)
}

/// Names that can be asked for, the first [`SUGGESTED`] of each kind by the alphabet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogNames {
    pub users: Vec<String>,
    pub keys: Vec<String>,
    pub models: Vec<String>,
    pub backends: Vec<String>,
}

/// A page of the log with what its form suggests.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogView {
    pub page: LogPage,
    pub names: LogNames,
    /// Days that single requests are kept.
    pub kept_days: u32,
}

/// What a stream of the log tells, at most once a second.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogNews {
    /// Newest first, at most [`FOLLOWED`].
    pub rows: Vec<LogRow>,
    /// These rows are the newest of the log as it was written down when the stream began: between the last of them and the
    /// next there is no other.
    pub whole: bool,
    /// Requests since the news before that came too fast to be looked at, whether they fit or not.
    pub missed: u64,
}

/// Asks for one request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AskRequest {
    /// Its `x-request-id`: 16 hex digits.
    pub id: String,
    /// When it came, Unix milliseconds.
    pub at: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_795_343_400_000;

    #[test]
    fn times_are_read_as_they_are_typed_or_linked() {
        let times = |from: &str, to: &str| {
            let (query, faults) = AskLog { from: from.into(), to: to.into(), ..AskLog::default() }.query(NOW);
            assert_eq!(faults, [], "{from} {to}");
            (query.from, query.to)
        };
        assert_eq!(times("", ""), (NOW + 1 - DAY, NOW + 1));
        assert_eq!(times(" 1h ", ""), (NOW - 3_600_000, NOW + 1));
        assert_eq!(times("", "1795000000000"), (1_795_000_000_000 - DAY, 1_795_000_000_000));
        let day = NOW / DAY * DAY;
        assert_eq!(times("2026-11-22", "2026-11-22"), (day, day + DAY), "a day is the whole of it");
    }

    #[test]
    fn faults_of_times_name_their_fields_and_make_no_others() {
        let asked = AskLog { from: "2026".into(), to: "tomorrow".into(), key: " k ".into(), ..AskLog::default() };
        let (query, faults) = asked.query(NOW);
        assert_eq!(faults.iter().map(|fault| fault.field.as_str()).collect::<Vec<_>>(), ["to", "from"]);
        assert_eq!((query.key.as_str(), query.from < query.to), ("k", true));
        let asked = AskLog { to: "tomorrow".into(), from: "9999-12-31".into(), ..AskLog::default() };
        assert!(asked.query(NOW).0.from < asked.query(NOW).0.to);
    }

    #[test]
    fn an_address_carries_what_is_asked_there_and_back_and_that_of_a_query_too() {
        let mut asked = AskLog::default();
        for (at, name) in AskLog::FIELDS.iter().enumerate() {
            assert!(asked.set(name, format!("{at} é")));
        }
        let mut read = AskLog::default();
        assert!(asked.pairs().all(|(name, value)| read.set(name, value.to_owned())));
        assert_eq!(read, asked);
        assert!(!read.set("format", String::new()) && !AskLog::default().is_narrow() && asked.is_narrow());

        let query = LogQuery { from: NOW - 5, to: NOW, status: "4xx".into(), ..LogQuery::default() };
        let mut read = AskLog::default();
        assert!(query.pairs().into_iter().all(|(name, value)| read.set(name, value)));
        assert_eq!(read.query(0), (query, vec![]));
    }
}
