//! The log of requests, a page at a time with a bound on the work of every page, and one request in full.

use std::collections::BTreeSet;

use domain::{
    error::AdminError,
    id::KeyId,
    usage::{
        UsageRecord,
        log::{LogEntry, LogPage, LogQuery, LogRow, PAGE, place_text},
    },
};
use store::row::{SumsQuery, UsageFilter, UsageFound, UsageSearch, UsageSum};

use super::{names::Names, report};
use crate::{Actor, Control, fault};

/// Segments that one page looks at, and records that it reads out of them: a segment holds a thousand, or what came in a
/// second.
pub(super) const LOOK: usize = 1_024;
pub(super) const READ: usize = 100_000;
const HOUR: u64 = 3_600_000;

impl Control {
    /// A page of the log, newest first. Every role may read it. Faults name their fields.
    pub async fn request_log(&self, _actor: &Actor, query: &LogQuery) -> Result<LogPage, AdminError> {
        self.bounded_page(UsageSearch { limit: PAGE, look: LOOK, read: READ, ..self.search(query)? }).await
    }

    /// A page of a search that has bounds.
    pub(super) async fn bounded_page(&self, mut search: UsageSearch) -> Result<LogPage, AdminError> {
        let page = self.log_page(&search).await?;
        // It stopped at its bound: what is looked for is rare. The roll-ups know when there was something of it.
        if page.searched_to.is_none() || !self.narrow(&mut search).await {
            return Ok(page);
        }
        self.log_page(&search).await
    }

    /// Keeps a search to the hours in which there was something of what it is for; `false` where they are not known.
    async fn narrow(&self, search: &mut UsageSearch) -> bool {
        // Names that no backend has are summed under none, and what failed was not always told apart.
        let filter = UsageFilter { model: None, failed: false, ..search.filter.clone() };
        if filter == UsageFilter::default() {
            return false;
        }
        let to = search.after.map_or(search.to, |(at, _)| at.saturating_add(1).min(search.to));
        let hour = |at: u64| at - at % HOUR;
        let asked = SumsQuery { from: hour(search.from), to, filter, days: false };
        let mut hours = BTreeSet::new();
        let mut take = |sum: &UsageSum<'_>| {
            hours.insert(hour(sum.at));
        };
        if self.0.store.usage_sums(&asked, &mut take).await.is_err() {
            return false;
        }
        let mut within = Vec::<(u64, u64)>::new();
        for hour in hours {
            match within.last_mut() {
                Some((_, end)) if *end == hour => *end += HOUR,
                _ => within.push((hour, hour + HOUR)),
            }
        }
        search.within = Some(within);
        true
    }

    /// One request: its `x-request-id` and when it came, as the log has them.
    pub async fn request(&self, _actor: &Actor, id: &str, at: u64) -> Result<LogEntry, AdminError> {
        let query = LogQuery { from: at, to: at.saturating_add(1), request: id.to_owned(), ..LogQuery::default() };
        let search = UsageSearch { limit: 1, look: usize::MAX, read: usize::MAX, ..self.search(&query)? };
        if search.request_id.is_none() {
            return Err(AdminError::invalid("request", "must be 16 hexadecimal digits"));
        }
        let UsageFound { mut records, .. } = self.find(&search).await?;
        let record = records.pop().ok_or_else(|| fault::not_found("request"))?;
        let state = self.state();
        let names = Names::of(&state);
        let row = row(&record, &names);
        Ok(LogEntry {
            timeline: row.timeline(),
            why: self.why_slow(&record),
            evicted_by: record.evicted_by.as_ref().map(|key| names.key(key.as_str())),
            reason: record.why_there(),
            error: record.error.as_deref().map(str::to_owned),
            row,
        })
    }

    /// What to ask of the store, without bounds.
    pub(super) fn search(&self, query: &LogQuery) -> Result<UsageSearch, AdminError> {
        let read = query.read().map_err(|fields| AdminError::Invalid { fields })?;
        let state = self.state();
        // No key is ever without a row, so those of a user are all that it can have used; an administrator is its own key.
        let keys =
            read.filters.user.as_ref().map(|user| {
                state.keys_of(user).map(|key| key.id.clone()).chain(KeyId::new(user.as_str()).ok()).collect()
            });
        Ok(UsageSearch {
            from: query.from,
            to: query.to,
            filter: report::filter(&read.filters),
            keys,
            statuses: read.statuses,
            request_id: read.request,
            after: read.after,
            ..UsageSearch::default()
        })
    }

    async fn find(&self, search: &UsageSearch) -> Result<UsageFound, AdminError> {
        let found = self.0.store.search_usage(search).await;
        found.map_err(|error| fault::internal("the log of requests cannot be read", &error))
    }

    pub(super) async fn log_page(&self, search: &UsageSearch) -> Result<LogPage, AdminError> {
        let UsageFound { records, next } = self.find(search).await?;
        let state = self.state();
        let names = Names::of(&state);
        Ok(LogPage {
            searched_to: next.map(|(at, _)| at).filter(|_| records.len() < search.limit),
            next: next.map(place_text),
            rows: records.iter().map(|record| row(record, &names)).collect(),
        })
    }
}

pub(super) fn row(record: &UsageRecord, names: &Names<'_>) -> LogRow {
    LogRow {
        request: format!("{:016x}", record.request_id),
        at: record.at,
        user: names.user(record.user.as_str()),
        key: names.key(record.key.as_str()),
        model: record.model.clone(),
        unresolved: record.unresolved,
        backend: record.backend.as_ref().map(|id| names.backend(id.as_str())),
        endpoint: record.endpoint,
        status: record.status,
        outcome: record.outcome,
        prompt_tokens: record.prompt_tokens,
        completion_tokens: record.completion_tokens,
        tokens_estimated: record.tokens_estimated,
        queue_us: record.queue_us,
        load_us: record.load_us,
        gpu_us: record.gpu_us,
        ttft_us: record.ttft_us,
        total_us: record.total_us,
        bytes_in: record.bytes_in,
        bytes_out: record.bytes_out,
        retries: record.retries,
        warm: record.warm,
    }
}
