//! Reading usage back.

use std::{cmp::Reverse, collections::BTreeMap, ops::ControlFlow};

use domain::{
    id::{KeyId, UserId},
    usage::{MinutePoint, UsageRecord},
};
use surrealdb::types::{Bytes, RecordId, SurrealValue, Variables};

use super::{
    Identified, PendingSegment, decoded, key_additions,
    rollup::{self, Dimensions, RollupRecord},
    segment, segment_order,
};
use crate::{
    KeyTotals, StoreError,
    engine::Handle,
    row::{MinuteRow, RollupRow, SpentRow},
};

/// Segments read at a time.
const PAGE: u64 = 32;
/// Milliseconds of roll-ups read at a time: a day.
const STRETCH: u64 = 86_400_000;

const REACH: &str = "RETURN (SELECT VALUE reach FROM ONLY usage_state:one)";
/// The keys run from the latest to the oldest, so the limit ends the scan; an ORDER BY would read the whole range first.
const SEGMENTS: &str = "SELECT until, record::id(id)[1] AS tail, block
    FROM usage_segment:[$begin, $tail]>..[$end] LIMIT $page";
/// Rows and what is not in them yet, in one consistent view.
const ROLLUPS: &str = "RETURN {
    rows: (SELECT id, $this AS row FROM usage_rollup:[$from]..[$to]),
    pending: (SELECT id, type::record('usage_segment', record::id(id)).block AS block FROM usage_pending)
}";
/// Without the histograms, because these are read for a whole month at once.
const SPENT: &str = "RETURN {
    rows: (SELECT id, prompt_tokens, completion_tokens, gpu_us FROM usage_rollup:[$from]..[$to]),
    pending: (SELECT id, type::record('usage_segment', record::id(id)).block AS block FROM usage_pending)
}";
const TOTALS: &str = "RETURN {
    rows: (SELECT record::id(id) AS key, requests, last_used_at FROM usage_key),
    pending: (SELECT id, type::record('usage_segment', record::id(id)).block AS block FROM usage_pending)
}";

/// Stored sums, and the segments that are not in them yet.
#[derive(SurrealValue)]
struct WithPending<T: SurrealValue> {
    rows: Vec<T>,
    pending: Vec<PendingSegment>,
}

/// Asks for stored sums and the records that are not in them yet.
async fn with_pending<T: SurrealValue>(
    handle: &Handle,
    text: &'static str,
    parameters: Variables,
) -> Result<(Vec<T>, Vec<UsageRecord>), StoreError> {
    let answer: Option<WithPending<T>> = handle.one(text, parameters).await?;
    let answer = answer.ok_or_else(|| StoreError::corrupt("it holds no usage state"))?;
    Ok((answer.rows, decoded(&answer.pending)?))
}

#[derive(SurrealValue)]
struct SegmentRecord {
    until: u64,
    tail: String,
    block: Bytes,
}

#[derive(SurrealValue)]
struct SpentRecord {
    id: RecordId,
    prompt_tokens: u64,
    completion_tokens: u64,
    gpu_us: Option<u64>,
}

#[derive(SurrealValue)]
struct TotalsRecord {
    key: String,
    requests: u64,
    last_used_at: Option<u64>,
}

/// Newest first, at most `limit`.
pub(crate) async fn records(handle: &Handle, from: u64, to: u64, limit: usize) -> Result<Vec<UsageRecord>, StoreError> {
    let mut found = Vec::<UsageRecord>::new();
    if limit == 0 {
        return Ok(found);
    }
    let order = |record: &UsageRecord| Reverse((record.at, record.request_id));
    each_page(handle, from, to, |records, oldest_until| {
        found.extend(records);
        found.sort_by_key(order);
        found.truncate(limit);
        // No segment still to come holds anything later than `oldest_until`.
        match found.last() {
            Some(last) if found.len() == limit && last.at >= oldest_until => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    })
    .await?;
    Ok(found)
}

/// Oldest first; minutes without a request are left out.
pub(crate) async fn minutes(handle: &Handle, from: u64, to: u64) -> Result<Vec<MinuteRow>, StoreError> {
    let mut sums = BTreeMap::<u64, MinutePoint>::new();
    each_page(handle, from, to, |records, _| {
        for record in records {
            let empty = MinutePoint::of(record.at);
            sums.entry(empty.at).or_insert(empty).add(&record);
        }
        ControlFlow::Continue(())
    })
    .await?;
    Ok(sums.into_values().collect())
}

/// Goes over the segments that may hold records of `from..to`, latest first, some at a time: hands over their records
/// in that range, and the `until` of the last of them.
async fn each_page(
    handle: &Handle,
    from: u64,
    to: u64,
    mut take: impl FnMut(Vec<UsageRecord>, u64) -> ControlFlow<()>,
) -> Result<(), StoreError> {
    let reach: Option<u64> = handle.one(REACH, Variables::new()).await?;
    // A segment that begins before `to` ends before this.
    let mut until = to.saturating_add(reach.unwrap_or_default());
    let mut tail = String::new();
    loop {
        let mut parameters = Variables::new();
        parameters.insert("begin", segment_order(until));
        parameters.insert("tail", tail);
        parameters.insert("end", segment_order(from).saturating_add(1));
        parameters.insert("page", PAGE);
        let page: Vec<SegmentRecord> = handle.all(SEGMENTS, parameters).await?;
        let full = page.len() as u64 == PAGE;
        let Some(last) = page.last() else { return Ok(()) };
        (until, tail) = (last.until, last.tail.clone());
        let mut records = Vec::new();
        for segment in page {
            records
                .extend(segment::decode(&segment.block)?.into_iter().filter(|record| (from..to).contains(&record.at)));
        }
        if take(records, until).is_break() || !full {
            return Ok(());
        }
    }
}

pub(crate) async fn rollups(handle: &Handle, from: u64, to: u64) -> Result<Vec<RollupRow>, StoreError> {
    let mut parameters = Variables::new();
    parameters.insert("from", from.min(i64::MAX as u64));
    parameters.insert("to", to.min(i64::MAX as u64));
    let (rows, pending) = with_pending::<Identified<RollupRecord>>(handle, ROLLUPS, parameters).await?;
    let rows = rows.into_iter().map(|Identified { id, row }| row.into_row(&id));
    let rows = rows.map(|row| row.map(|row| (Dimensions::of_row(&row), row)));
    let mut rows = rows.collect::<Result<BTreeMap<Dimensions, RollupRow>, _>>()?;
    for (dimensions, addition) in rollup::of(&pending).into_iter().filter(|(_, row)| (from..to).contains(&row.at)) {
        match rows.get_mut(&dimensions) {
            Some(row) => rollup::merge(row, &addition),
            None => drop(rows.insert(dimensions, addition)),
        }
    }
    Ok(rows.into_values().collect())
}

/// Sums over the slots that begin in `from..to`, by key.
pub(crate) async fn spent(handle: &Handle, from: u64, to: u64) -> Result<Vec<SpentRow>, StoreError> {
    let mut sums = BTreeMap::<KeyId, SpentRow>::new();
    let mut at = from;
    while at < to {
        let until = at.saturating_add(STRETCH).min(to);
        let mut parameters = Variables::new();
        parameters.insert("from", at.min(i64::MAX as u64));
        parameters.insert("to", until.min(i64::MAX as u64));
        let (rows, pending) = with_pending::<SpentRecord>(handle, SPENT, parameters).await?;
        let mut add = |key: &KeyId, user: &UserId, tokens: u64, gpu_us: u64| {
            let empty = || SpentRow { key: key.clone(), user: user.clone(), tokens: 0, gpu_us: 0 };
            let sum = sums.entry(key.clone()).or_insert_with(empty);
            sum.tokens = sum.tokens.saturating_add(tokens);
            sum.gpu_us = sum.gpu_us.saturating_add(gpu_us);
        };
        for SpentRecord { id, prompt_tokens, completion_tokens, gpu_us } in rows {
            let of =
                Dimensions::from_record_id(&id).ok_or_else(|| StoreError::corrupt("a usage roll-up makes no sense"))?;
            add(&of.key, &of.user, prompt_tokens.saturating_add(completion_tokens), gpu_us.unwrap_or_default());
        }
        for row in rollup::of(&pending).into_values().filter(|row| (at..until).contains(&row.at)) {
            add(&row.key, &row.user, row.prompt_tokens.saturating_add(row.completion_tokens), row.gpu_us);
        }
        at = until;
    }
    Ok(sums.into_values().collect())
}

pub(crate) async fn key_totals(handle: &Handle) -> Result<Vec<(KeyId, KeyTotals)>, StoreError> {
    let (rows, pending) = with_pending::<TotalsRecord>(handle, TOTALS, Variables::new()).await?;
    let mut totals = key_additions(&pending);
    for TotalsRecord { key, requests, last_used_at } in rows {
        let total = totals.entry(key).or_default();
        total.requests = total.requests.saturating_add(requests);
        total.last_used_at = total.last_used_at.max(last_used_at);
    }
    let known = |key: &String| KeyId::new(key).map_err(|_| StoreError::corrupt("the usage of a key without an id"));
    totals.into_iter().map(|(key, totals)| Ok((known(&key)?, totals))).collect()
}
