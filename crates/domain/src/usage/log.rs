//! The log of requests: what is asked of it, its pages, and one request in full.

use serde::{Deserialize, Serialize};

use super::{
    Outcome,
    report::{Filters, LATEST, Named, filters},
};
use crate::{endpoint::Endpoint, error::FieldError};

/// Most milliseconds that one search may reach over.
pub const LONGEST_LOG: u64 = 400 * 86_400_000;
/// Rows of a page.
pub const PAGE: usize = 50;

/// Asks for a page of the log, newest first. Texts as typed; empty means: whichever.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogQuery {
    /// Unix milliseconds, included.
    pub from: u64,
    /// Not included.
    pub to: u64,
    /// Ids, a name, a path and a word, as in a [`UsageQuery`](super::report::UsageQuery).
    pub user: String,
    pub key: String,
    pub model: String,
    pub backend: String,
    pub endpoint: String,
    pub outcome: String,
    /// `429`, or `4xx` for a class.
    pub status: String,
    /// An `x-request-id`: 16 hex digits.
    pub request: String,
    /// [`LogPage::next`] of the page before.
    pub after: String,
}

/// A query of the log, read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogFilters {
    pub filters: Filters,
    /// First and last.
    pub statuses: Option<(u16, u16)>,
    pub request: Option<u64>,
    /// Time and number of the record that the page before ended with.
    pub after: Option<(u64, u64)>,
}

impl LogQuery {
    /// Names and values of what is given, as an address carries them.
    pub fn pairs(&self) -> Vec<(&'static str, String)> {
        let Self { from, to, user, key, model, backend, endpoint, outcome, status, request, after } = self;
        let mut pairs = vec![("from", from.to_string()), ("to", to.to_string())];
        let texts = [
            ("user", user),
            ("key", key),
            ("model", model),
            ("backend", backend),
            ("endpoint", endpoint),
            ("outcome", outcome),
            ("status", status),
            ("request", request),
            ("after", after),
        ];
        pairs.extend(texts.into_iter().filter(|(_, text)| !text.is_empty()).map(|(name, text)| (name, text.clone())));
        pairs
    }

    /// Sets the field called `name`; `false` where there is none, or it cannot have this value.
    pub fn set(&mut self, name: &str, value: String) -> bool {
        let field = match name {
            "from" => return value.parse().map(|value| self.from = value).is_ok(),
            "to" => return value.parse().map(|value| self.to = value).is_ok(),
            "user" => &mut self.user,
            "key" => &mut self.key,
            "model" => &mut self.model,
            "backend" => &mut self.backend,
            "endpoint" => &mut self.endpoint,
            "outcome" => &mut self.outcome,
            "status" => &mut self.status,
            "request" => &mut self.request,
            "after" => &mut self.after,
            _ => return false,
        };
        *field = value;
        true
    }

    /// The query, or every fault.
    pub fn read(&self) -> Result<LogFilters, Vec<FieldError>> {
        let mut faults = Vec::new();
        if self.from >= self.to {
            faults.push(FieldError::new("to", "must be later than the beginning"));
        } else if self.to > LATEST {
            faults.push(FieldError::new("to", "must be before the year 10000"));
        } else if self.to - self.from > LONGEST_LOG {
            faults.push(FieldError::new("to", "at most 400 days can be searched at once"));
        }
        let Self { user, key, model, backend, endpoint, outcome, .. } = self;
        let filters = filters([user, key, model, backend, endpoint, outcome], &mut faults);
        let mut given = |field: &str, text: &str, must: &str, good: bool| {
            if !text.trim().is_empty() && !good {
                faults.push(FieldError::new(field, must));
            }
        };
        let statuses = statuses(self.status.trim());
        given("status", &self.status, "must be a status such as 429, or a class such as 4xx", statuses.is_some());
        let request = hex(self.request.trim());
        given("request", &self.request, "must be 16 hexadecimal digits", request.is_some());
        let after = place(self.after.trim());
        given("after", &self.after, "is not the place of a row", after.is_some());
        let read = LogFilters { filters, statuses, request, after };
        if faults.is_empty() { Ok(read) } else { Err(faults) }
    }
}

fn statuses(text: &str) -> Option<(u16, u16)> {
    let number = |text: &str| text.parse::<u16>().ok();
    if let Some(class) = text.strip_suffix("xx") {
        let class = number(class).filter(|class| (1..=9).contains(class))?;
        return Some((100 * class, 100 * class + 99));
    }
    let status = number(text).filter(|status| (100..=999).contains(status))?;
    Some((status, status))
}

fn hex(text: &str) -> Option<u64> {
    let good = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    good.then(|| u64::from_str_radix(text, 16).ok())?
}

/// The text of a place: time and number of a record.
pub fn place_text((at, request): (u64, u64)) -> String {
    format!("{at}-{request:016x}")
}

fn place(text: &str) -> Option<(u64, u64)> {
    let (at, request) = text.split_once('-')?;
    Some((at.parse().ok()?, hex(request)?))
}

/// One row of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogRow {
    /// The `x-request-id`: 16 hex digits.
    pub request: String,
    /// When it came, Unix milliseconds.
    pub at: u64,
    pub user: Named,
    pub key: Named,
    pub model: Option<String>,
    /// `model` is what the client wrote and no backend has.
    pub unresolved: bool,
    /// `None` where the gateway answered itself.
    pub backend: Option<Named>,
    pub endpoint: Endpoint,
    pub status: u16,
    pub outcome: Outcome,
    pub prompt_tokens: Option<u64>,
    pub completion_tokens: Option<u64>,
    /// The token numbers were counted by the gateway.
    pub tokens_estimated: bool,
    /// Microseconds, as all of these.
    pub queue_us: u64,
    pub load_us: u64,
    pub gpu_us: u64,
    pub ttft_us: Option<u64>,
    pub total_us: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
    /// Backends that were tried before.
    pub retries: u8,
    /// The model was loaded there; `None` where nothing was sent, or nobody knew.
    pub warm: Option<bool>,
}

/// A page of the log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPage {
    /// Newest first.
    pub rows: Vec<LogRow>,
    /// What to put into [`LogQuery::after`] for older rows; `None` where there are none. A page may have few rows, or
    /// none, and a next one: then it was searched as far as one page may.
    pub next: Option<String>,
    /// The search came down to this time, Unix milliseconds, where it did not come to its end.
    pub searched_to: Option<u64>,
}

/// A part of a request's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Waiting for a slot.
    Queued,
    /// The model was being loaded.
    Loading,
    /// Until the first byte: reading the prompt, and what else there was.
    Waiting,
    /// From the first byte to the end.
    Answering,
}

/// One part of a timeline, microseconds since the request came. Parts follow each other, and none is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stretch {
    pub phase: Phase,
    pub from_us: u64,
    pub to_us: u64,
}

/// One request in full.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    pub row: LogRow,
    pub timeline: Vec<Stretch>,
    /// Why it was slow, in one sentence without full stop; `None` for one that was not.
    pub why: Option<String>,
    /// The key whose model took this one's place in the backend's memory before.
    pub evicted_by: Option<Named>,
    /// Why its backend was chosen, in one sentence without full stop; `None` where none was, or it was not kept yet.
    pub reason: Option<String>,
    /// What went wrong where it was not served, at most 200 bytes.
    pub error: Option<String>,
}

impl LogRow {
    /// The parts of its life, in their order. What a backend says of loading never reaches beyond the first byte.
    pub fn timeline(&self) -> Vec<Stretch> {
        let first = self.ttft_us.unwrap_or(self.total_us).min(self.total_us);
        let queued = self.queue_us.min(first);
        let loaded = queued.saturating_add(self.load_us).min(first);
        let ends = [
            (Phase::Queued, queued),
            (Phase::Loading, loaded),
            (Phase::Waiting, first),
            (Phase::Answering, self.total_us),
        ];
        let mut from_us = 0;
        let mut stretches = Vec::new();
        for (phase, to_us) in ends {
            if to_us > from_us {
                stretches.push(Stretch { phase, from_us, to_us });
                from_us = to_us;
            }
        }
        stretches
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(queue_us: u64, load_us: u64, ttft_us: Option<u64>, total_us: u64) -> LogRow {
        let named = Named { id: "x".into(), name: "x".into(), removed: false };
        LogRow {
            request: "0000000000000001".into(),
            at: 1,
            user: named.clone(),
            key: named,
            model: None,
            unresolved: false,
            backend: None,
            endpoint: Endpoint::Chat,
            status: 200,
            outcome: Outcome::Complete,
            prompt_tokens: None,
            completion_tokens: None,
            tokens_estimated: false,
            queue_us,
            load_us,
            gpu_us: 0,
            ttft_us,
            total_us,
            bytes_in: 0,
            bytes_out: 0,
            retries: 0,
            warm: None,
        }
    }

    #[test]
    fn a_timeline_has_no_gap_and_ends_with_the_request() {
        let parts = |row: LogRow| row.timeline().iter().map(|part| (part.phase, part.to_us)).collect::<Vec<_>>();
        let all = [(Phase::Queued, 5), (Phase::Loading, 15), (Phase::Waiting, 20), (Phase::Answering, 90)];
        assert_eq!(parts(row(5, 10, Some(20), 90)), all);
        assert_eq!(parts(row(0, 0, Some(20), 90)), [(Phase::Waiting, 20), (Phase::Answering, 90)]);
        assert_eq!(parts(row(0, 50, Some(20), 20)), [(Phase::Loading, 20)], "no more than until the first byte");
        assert_eq!(parts(row(7, 0, None, 7)), [(Phase::Queued, 7)]);
        assert_eq!(parts(row(u64::MAX, u64::MAX, Some(u64::MAX), 0)), []);
    }

    #[test]
    fn a_query_is_read_or_names_its_faults() {
        let good = LogQuery { to: 5, status: "4xx".into(), request: "00000000000000ff".into(), ..Default::default() };
        let read = good.read().unwrap();
        assert_eq!((read.statuses, read.request, read.after), (Some((400, 499)), Some(255), None));
        assert_eq!(LogQuery { status: " 429 ".into(), ..good.clone() }.read().unwrap().statuses, Some((429, 429)));
        let after = place_text((17, 255));
        assert_eq!(LogQuery { after, ..good.clone() }.read().unwrap().after, Some((17, 255)));
        let faults = |query: LogQuery| query.read().unwrap_err().into_iter().map(|f| f.field).collect::<Vec<_>>();
        let bad = LogQuery { status: "teapot".into(), request: "12".into(), after: "x".into(), ..Default::default() };
        assert_eq!(faults(bad), ["to", "status", "request", "after"]);
        for status in ["0xx", "xx", "99", "1000", "-1", "é"] {
            assert_eq!(faults(LogQuery { status: status.into(), ..good.clone() }), ["status"], "{status}");
        }
        assert_eq!(faults(LogQuery { to: LONGEST_LOG + 1, ..good.clone() }), ["to"]);
        assert_eq!(faults(LogQuery { request: "+00000000000000f".into(), ..good }), ["request"]);
    }

    #[test]
    fn an_address_carries_the_query_there_and_back() {
        let query = LogQuery {
            from: 1,
            to: 2,
            user: "u".into(),
            key: "k".into(),
            model: "m".into(),
            backend: "b".into(),
            endpoint: "e".into(),
            outcome: "o".into(),
            status: "s".into(),
            request: "r".into(),
            after: "a".into(),
        };
        let mut read = LogQuery::default();
        assert!(query.pairs().into_iter().all(|(name, value)| read.set(name, value)));
        assert_eq!(read, query);
        assert!(!read.set("format", String::new()) && !read.set("to", "x".into()));
    }
}
