//! Reading usage back.

use std::{cmp::Reverse, collections::BTreeMap, ops::ControlFlow};

use domain::{
    id::{KeyId, UserId},
    usage::{MinutePoint, UsageRecord},
};
use surrealdb::types::{Bytes, SurrealValue, Variables};

use super::{PendingSegment, decoded, key_additions, merge::MERGED_REACH, rollup, segment, segment_order};
use crate::{
    KeyTotals, StoreError,
    engine::Handle,
    row::{MinuteRow, RollupRow, SpentRow, SumsQuery, UsageSum},
};

/// Segments read at a time.
const PAGE: u64 = 32;
/// How far a segment that holds a time may reach beyond it: those that end before `merged` were brought together, `long_reach` is of those from before there was a bound.
const STATE: &str = "RETURN (SELECT reach, merged, long_reach, long_before FROM ONLY usage_state:one)";
/// The keys run from the latest to the oldest, so the limit ends the scan; an ORDER BY would read the whole range first.
const SEGMENTS: &str = "SELECT until, record::id(id)[1] AS tail, block
    FROM usage_segment:[$begin, $tail]>..[$end] LIMIT $page";
const TOTALS: &str = "RETURN {
    rows: (SELECT record::id(id) AS key, requests, last_used_at, last_address FROM usage_key),
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
struct Reaches {
    reach: u64,
    merged: u64,
    long_reach: u64,
    long_before: u64,
}

/// Milliseconds by which a segment with a record of `at` or earlier may end after `at`.
pub(super) async fn reach(handle: &Handle, at: u64) -> Result<u64, StoreError> {
    let reaches: Option<Reaches> = handle.one(STATE, Variables::new()).await?;
    let Reaches { reach, merged, long_reach, long_before } =
        reaches.ok_or_else(|| StoreError::corrupt("it holds no usage state"))?;
    let reach = if at < merged { reach.max(MERGED_REACH) } else { reach };
    Ok(if at <= long_before { reach.max(long_reach) } else { reach })
}

#[derive(SurrealValue)]
struct TotalsRecord {
    key: String,
    requests: u64,
    last_used_at: Option<u64>,
    last_address: Option<String>,
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
    // A segment that begins before `to` ends before this.
    let mut until = to.saturating_add(reach(handle, to).await?);
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

/// Tries anew where roll-ups were moved while they were read.
const ATTEMPTS: usize = 8;

/// Every row whose stretch begins in `from..to`, added up by what it is.
pub(crate) async fn rollups(handle: &Handle, from: u64, to: u64) -> Result<Vec<RollupRow>, StoreError> {
    let query = SumsQuery { from, to, ..SumsQuery::default() };
    for _ in 0..ATTEMPTS {
        let mut rows = rollup::Rows::new();
        let mut take = |sum: &UsageSum<'_>| {
            if let Some(row) = rollup::of_sum(sum) {
                rollup::add(&mut rows, row, rollup::SLOT);
            }
        };
        match super::sums(handle, &query, &mut take).await {
            Err(StoreError::Stale) => {}
            done => return done.map(|()| rows.into_values().collect()),
        }
    }
    Err(moving())
}

/// Sums over the stretches that begin in `from..to`, by key.
pub(crate) async fn spent(handle: &Handle, from: u64, to: u64) -> Result<Vec<SpentRow>, StoreError> {
    let query = SumsQuery { from, to, ..SumsQuery::default() };
    for _ in 0..ATTEMPTS {
        let mut sums = BTreeMap::<KeyId, SpentRow>::new();
        let mut take = |sum: &UsageSum<'_>| {
            let spent = match sums.get_mut(sum.key) {
                Some(spent) => spent,
                None => {
                    let (Ok(key), Ok(user)) = (KeyId::new(sum.key), UserId::new(sum.user)) else { return };
                    sums.entry(key.clone()).or_insert(SpentRow { key, user, tokens: 0, gpu_us: 0 })
                }
            };
            let tokens = sum.prompt_tokens.saturating_add(sum.completion_tokens);
            spent.tokens = spent.tokens.saturating_add(tokens);
            spent.gpu_us = spent.gpu_us.saturating_add(sum.gpu_us);
        };
        match super::sums(handle, &query, &mut take).await {
            Err(StoreError::Stale) => {}
            done => return done.map(|()| sums.into_values().collect()),
        }
    }
    Err(moving())
}

fn moving() -> StoreError {
    StoreError::other("the roll-ups of usage are being moved: try again")
}

pub(crate) async fn key_totals(handle: &Handle) -> Result<Vec<(KeyId, KeyTotals)>, StoreError> {
    let (rows, pending) = with_pending::<TotalsRecord>(handle, TOTALS, Variables::new()).await?;
    let mut totals = key_additions(&pending);
    for TotalsRecord { key, requests, last_used_at, last_address } in rows {
        totals.entry(key).or_default().add(super::totals(requests, last_used_at, last_address));
    }
    let known = |key: &String| KeyId::new(key).map_err(|_| StoreError::corrupt("the usage of a key without an id"));
    totals.into_iter().map(|(key, totals)| Ok((known(&key)?, totals))).collect()
}
