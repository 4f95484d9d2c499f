//! Searching the log: records newest first, from the segments that may hold what is looked for. What a segment's columns
//! rule out is not decoded, and its block not handed over.

use std::cmp::Reverse;

use domain::{
    id::KeyId,
    usage::{Outcome, UsageRecord},
};
use surrealdb::types::{Bytes, SurrealValue, Variables};

use super::{read, segment, segment_order};
use crate::{
    StoreError,
    engine::Handle,
    row::{LogPlace, UsageFilter, UsageFound, UsageSearch},
};

/// Segments read at a time: few at first, since they mostly have the page in them.
const PAGES: [u64; 3] = [4, 32, 128];

const SEGMENTS: &str = "SELECT until, record::id(id)[1] AS tail,
    IF start < $before
        AND ($keys = NONE OR keys = NONE OR keys ANYINSIDE $keys)
        AND ($model = NONE OR models = NONE OR $model IN models)
        AND ($statuses = NONE OR statuses = NONE OR statuses ANYINSIDE $statuses)
    THEN block ELSE NONE END AS block
    FROM usage_segment:[$begin, $tail]>..[$end] LIMIT $page";

#[derive(SurrealValue)]
struct Segment {
    until: u64,
    tail: String,
    block: Option<Bytes>,
}

impl UsageFilter {
    fn takes_record(&self, record: &UsageRecord) -> bool {
        fn fits<T: PartialEq>(wanted: Option<&T>, found: Option<&T>) -> bool {
            wanted.is_none_or(|wanted| found == Some(wanted))
        }
        let model = match &self.model {
            None => true,
            Some(None) => record.unresolved || record.model.as_deref().unwrap_or_default().is_empty(),
            Some(Some(name)) => record.model.as_ref() == Some(name),
        };
        model
            && fits(self.user.as_ref(), Some(&record.user))
            && fits(self.key.as_ref(), Some(&record.key))
            && fits(self.backend.as_ref(), record.backend.as_ref())
            && fits(self.endpoint.as_ref(), Some(&record.endpoint))
            && fits(self.outcome.as_ref(), Some(&record.outcome))
            && (!self.failed || record.status >= 400 || record.outcome == Outcome::UpstreamFailed)
    }
}

impl UsageSearch {
    /// The record is looked for. What bounds the work of a search plays no part.
    pub fn takes(&self, record: &UsageRecord) -> bool {
        (self.from..self.to).contains(&record.at)
            && self.after.is_none_or(|after| place(record) < after)
            && self.request_id.is_none_or(|id| id == record.request_id)
            && self.statuses.is_none_or(|(first, last)| (first..=last).contains(&record.status))
            && self.filter.takes_record(record)
    }

    /// What the columns of segments are compared with.
    fn columns(&self) -> Variables {
        let keys = match (&self.filter.key, &self.keys) {
            (Some(key), _) => Some(vec![key.as_str().to_owned()]),
            (None, Some(keys)) => Some(keys.iter().map(KeyId::as_str).map(str::to_owned).collect::<Vec<_>>()),
            (None, None) => None,
        };
        // Names that no backend has are in the column too, so "none" rules nothing out.
        let model = self.filter.model.clone().flatten();
        let mut statuses = self.statuses.map(|(first, last)| (first..=last.min(999)).collect::<Vec<_>>());
        if self.filter.failed && self.filter.outcome == Some(Outcome::Complete) && statuses.is_none() {
            statuses = Some((400..=999).collect());
        }
        let mut parameters = Variables::new();
        parameters.insert("keys", keys);
        parameters.insert("model", model);
        parameters.insert("statuses", statuses);
        parameters
    }
}

fn place(record: &UsageRecord) -> LogPlace {
    (record.at, record.request_id)
}

pub(crate) async fn search(handle: &Handle, search: &UsageSearch) -> Result<UsageFound, StoreError> {
    let mut left = Left { look: search.look, read: search.read };
    let Some(within) = &search.within else { return one(handle, search, &mut left).await };
    let mut found = UsageFound::default();
    // Nothing from here on is wanted.
    let before = before(search);
    for (from, to) in within.iter().rev().map(|(from, to)| (*from.max(&search.from), *to.min(&search.to))) {
        if from >= to || from >= before {
            continue;
        }
        let limit = search.limit - found.records.len();
        if limit == 0 || left.is_used_up() {
            found.next = found.records.last().filter(|_| limit == 0).map(place).or(Some((to.min(before), 0)));
            return Ok(found);
        }
        let part = one(handle, &UsageSearch { from, to, limit, ..search.clone() }, &mut left).await?;
        found.records.extend(part.records);
        if part.next.is_some() {
            found.next = part.next;
            return Ok(found);
        }
    }
    Ok(found)
}

/// What may still be done for one page.
struct Left {
    look: usize,
    read: usize,
}

impl Left {
    fn is_used_up(&self) -> bool {
        self.look == 0 || self.read == 0
    }
}

/// Nothing from this time on is wanted.
fn before(search: &UsageSearch) -> u64 {
    // Nothing of the same time comes before the first number.
    search.after.map_or(search.to, |(at, number)| at.saturating_add(u64::from(number > 0)).min(search.to))
}

async fn one(handle: &Handle, search: &UsageSearch, left: &mut Left) -> Result<UsageFound, StoreError> {
    let mut found = Vec::<UsageRecord>::new();
    let before = before(search);
    if search.limit == 0 || before <= search.from {
        return Ok(UsageFound::default());
    }
    let columns = search.columns();
    let mut until = before.saturating_add(read::reach(handle, before).await?);
    let mut tail = String::new();
    let mut pages = PAGES.into_iter();
    let mut size = 0;
    loop {
        size = pages.next().unwrap_or(size);
        let mut parameters = columns.clone();
        parameters.insert("before", before.min(i64::MAX as u64));
        parameters.insert("begin", segment_order(until));
        parameters.insert("tail", tail);
        parameters.insert("end", segment_order(search.from).saturating_add(1));
        parameters.insert("page", size);
        let page: Vec<Segment> = handle.all(SEGMENTS, parameters).await?;
        let full = page.len() as u64 == size;
        let Some(last) = page.last() else { return Ok(all(found, search.limit)) };
        (until, tail) = (last.until, last.tail.clone());
        for segment in page {
            // What lies above the place is looked through for stragglers on every page, so it counts for none.
            left.look = left.look.saturating_sub(usize::from(segment.until < before));
            let Some(block) = segment.block else { continue };
            let records = segment::decode(&block)?;
            left.read = left.read.saturating_sub(records.len());
            found.extend(records.into_iter().filter(|record| search.takes(record)));
        }
        found.sort_unstable_by_key(|record| Reverse(place(record)));
        found.truncate(search.limit + 1);
        if !full {
            return Ok(all(found, search.limit));
        }
        // No segment still to come holds anything later than `until`.
        if let Some(last) = found.get(search.limit - 1).filter(|last| last.at > until) {
            let next = Some(place(last));
            found.truncate(search.limit);
            return Ok(UsageFound { records: found, next });
        }
        if left.is_used_up() && until.saturating_add(1) < before {
            found.retain(|record| record.at > until);
            found.truncate(search.limit);
            return Ok(UsageFound { records: found, next: Some((until + 1, 0)) });
        }
    }
}

/// The range was searched to its end.
fn all(mut found: Vec<UsageRecord>, limit: usize) -> UsageFound {
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(place);
    UsageFound { records: found, next }
}
