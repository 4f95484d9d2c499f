//! Usage in the database. An append is one transaction that writes segments and marks them as pending. Now and then the
//! pending ones are added to the roll-ups and the totals of the keys, in one transaction that takes the marks away: what
//! every append would write anew is so written once for many. Roll-ups are blocks: one for each 15 minutes, folded into the
//! hours of a day and the days of a month when those are over (`fold`, `months`);
//! small segments are brought together (`merge`). Reads go over the segments, newest first
//! (`read`, `search`), or over the roll-ups and what is still pending (`sums`).

mod block;
mod dictionary;
pub(crate) mod fold;
mod merge;
mod months;
mod read;
pub(crate) mod retention;
mod rollup;
mod search;
mod segment;
mod sums;

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use domain::usage::UsageRecord;
use surrealdb::types::{Array, Bytes, RecordId, RecordIdKey, SurrealValue, Value, Variables};

use crate::{KeyTotals, StoreError, engine::Handle, row::RollupRow};

pub(crate) use read::{key_totals, minutes, records, rollups, spent};
pub(crate) use search::search;
pub(crate) use sums::visit as sums;

/// Records in one segment at most; a second of traffic has about a thousand.
const SEGMENT_RECORDS: usize = 4096;
/// Milliseconds that one segment reaches over: whoever looks for a time need not look at segments that end much later.
const REACH: u64 = 60_000;
/// Writes that lost against another gateway on a shared database begin anew.
const ATTEMPTS: u32 = 8;
/// Segments added to the roll-ups in one transaction at most.
const AT_ONCE: usize = 32;

/// A segment that is there already was written by an earlier try whose answer was lost; it may even be rolled up.
const APPEND: &str = "BEGIN TRANSACTION;
FOR $segment IN $segments {
    IF !record::exists($segment.id) {
        CREATE $segment.id CONTENT $segment.row;
        CREATE $segment.pending;
    }
};
COMMIT TRANSACTION;";

const PENDING: &str = "RETURN {
    appends: (SELECT VALUE appends FROM ONLY usage_state:one),
    segments: (SELECT id, type::record('usage_segment', record::id(id)).block AS block FROM usage_pending LIMIT $limit)
}";

/// What is there of the rows to be added to.
const BEFORE: &str = "RETURN {
    slots: (SELECT VALUE block FROM $slots),
    keys: (SELECT id, requests, last_used_at, last_address FROM $keys)
}";

const ROLL_UP: &str = "BEGIN TRANSACTION;
IF (SELECT VALUE appends FROM ONLY usage_state:one) != $appends { THROW 'fortress:stale' };
FOR $slot IN $slots { UPSERT $slot.id CONTENT { rows: $slot.rows, block: $slot.block } };
FOR $key IN $keys { UPSERT $key.id CONTENT { requests: $key.requests, last_used_at: $key.last_used_at, last_address: $key.last_address } };
FOR $segment IN $pending { DELETE $segment };
UPDATE usage_state:one SET appends = $appends + 1;
COMMIT TRANSACTION;";

/// What waits for the roll-ups.
#[derive(SurrealValue)]
struct Pending {
    /// How often something was rolled up: tells two gateways that do it at once.
    appends: u64,
    segments: Vec<PendingSegment>,
}

#[derive(SurrealValue)]
struct PendingSegment {
    id: RecordId,
    block: Option<Bytes>,
}

#[derive(SurrealValue)]
struct Before {
    slots: Vec<Bytes>,
    keys: Vec<KeyRecord>,
}

#[derive(SurrealValue)]
struct Identified<T: SurrealValue> {
    id: RecordId,
    row: T,
}

#[derive(SurrealValue)]
struct KeyRecord {
    id: RecordId,
    requests: u64,
    last_used_at: Option<u64>,
    last_address: Option<String>,
}

/// A block of roll-ups to be written.
#[derive(SurrealValue)]
struct NewBlock {
    id: RecordId,
    rows: u64,
    block: Bytes,
}

impl NewBlock {
    fn new(id: RecordId, rows: &[&RollupRow]) -> Result<Self, StoreError> {
        Ok(Self { id, rows: rows.len() as u64, block: Bytes::from(block::encode(rows)?) })
    }
}

/// A segment to be written, and its mark.
#[derive(SurrealValue)]
struct NewSegment {
    id: RecordId,
    pending: RecordId,
    row: SegmentRecord,
}

#[derive(SurrealValue)]
struct SegmentRecord {
    start: u64,
    until: u64,
    count: u64,
    keys: Option<Vec<String>>,
    models: Option<Vec<String>>,
    statuses: Option<Vec<u16>>,
    block: Bytes,
}

pub(crate) async fn append(handle: &Handle, records: &[UsageRecord]) -> Result<(), StoreError> {
    if records.is_empty() {
        return Ok(());
    }
    let segments = apart(records, REACH)
        .iter()
        .flat_map(|near| near.chunks(SEGMENT_RECORDS))
        .map(segment_row)
        .collect::<Result<Vec<_>, _>>()?;
    let mut parameters = Variables::new();
    parameters.insert("segments", segments);
    let salt = records.first().map(|record| record.request_id).unwrap_or_default();
    for attempt in 0..ATTEMPTS {
        match handle.run(APPEND, parameters.clone()).await {
            Err(StoreError::Stale) => tokio::time::sleep(pause(salt, attempt)).await,
            done => return done.map(drop),
        }
    }
    Err(too_many())
}

/// Adds pending segments to the roll-ups and totals, as many as one transaction takes. Returns whether there may be more.
pub(crate) async fn roll_up(handle: &Handle) -> Result<bool, StoreError> {
    for attempt in 0..ATTEMPTS {
        match roll_up_once(handle).await {
            Err(StoreError::Stale) => tokio::time::sleep(pause(0, attempt)).await,
            done => return done,
        }
    }
    Err(too_many())
}

/// What lost against other gateways on a shared database again and again.
fn too_many() -> StoreError {
    StoreError::other("usage was not written: too many gateways write at once")
}

/// How long to stand back after losing against another gateway: longer each time, and for each batch another time, so
/// that two do not meet again and again.
fn pause(salt: u64, attempt: u32) -> Duration {
    let spread = u64::from(crc32fast::hash(&salt.rotate_left(attempt).to_be_bytes()));
    Duration::from_millis(spread % (10 << attempt))
}

async fn roll_up_once(handle: &Handle) -> Result<bool, StoreError> {
    let mut parameters = Variables::new();
    parameters.insert("limit", AT_ONCE as u64);
    let pending: Option<Pending> = handle.one(PENDING, parameters).await?;
    let pending = pending.ok_or_else(|| StoreError::corrupt("it holds no usage state"))?;
    if pending.segments.is_empty() {
        return Ok(false);
    }
    let records = decoded(&pending.segments)?;
    let mut rows = rollup::of(&records);
    let mut keys = key_additions(&records);

    let slots: BTreeSet<u64> = rows.values().map(|row| row.at).collect();
    let key_ids = keys.keys().map(|key| RecordId::new("usage_key", key.clone())).collect::<Vec<_>>();
    let mut parameters = Variables::new();
    parameters.insert("slots", slots.iter().map(|at| slot_id(*at)).collect::<Vec<_>>());
    parameters.insert("keys", key_ids);
    let before: Option<Before> = handle.one(BEFORE, parameters).await?;
    let before = before.ok_or_else(|| StoreError::corrupt("it holds no usage state"))?;
    for block in &before.slots {
        rollup::add_block(&mut rows, block, rollup::SLOT)?;
    }
    for KeyRecord { id, requests, last_used_at, last_address } in before.keys {
        if let RecordIdKey::String(key) = &id.key
            && let Some(added) = keys.get_mut(key.as_str())
        {
            added.add(totals(requests, last_used_at, last_address));
        }
    }

    let rows: Vec<&RollupRow> = rows.values().collect();
    let of_slots = rows.chunk_by(|one, other| one.at == other.at);
    let slots = of_slots.map(|rows| NewBlock::new(slot_id(rows.first().map_or(0, |row| row.at)), rows));
    let slots = slots.collect::<Result<Vec<_>, _>>()?;
    let keys = keys
        .into_iter()
        .map(|(key, KeyTotals { requests, last_used_at, last_address })| KeyRecord {
            id: RecordId::new("usage_key", key),
            requests,
            last_used_at,
            last_address: last_address.map(|address| address.to_string()),
        })
        .collect::<Vec<_>>();
    let more = pending.segments.len() == AT_ONCE;
    let mut parameters = Variables::new();
    parameters.insert("appends", pending.appends);
    parameters.insert("slots", slots);
    parameters.insert("keys", keys);
    parameters.insert("pending", pending.segments.into_iter().map(|segment| segment.id).collect::<Vec<_>>());
    handle.run(ROLL_UP, parameters).await?;
    Ok(more)
}

/// The records of pending segments.
fn decoded(segments: &[PendingSegment]) -> Result<Vec<UsageRecord>, StoreError> {
    let mut records = Vec::new();
    // A segment that is gone was deleted with its time: it counts no more.
    for block in segments.iter().filter_map(|segment| segment.block.as_ref()) {
        records.extend(segment::decode(block)?);
    }
    Ok(records)
}

/// Records that belong into one segment each: none reaches over more than `reach`. What was answered slowly is among the
/// records of much later requests, and whoever reads the log in order would have to look far ahead for it.
fn apart(records: &[UsageRecord], reach: u64) -> Vec<Cow<'_, [UsageRecord]>> {
    let times = || records.iter().map(|record| record.at);
    if times().max().unwrap_or_default() - times().min().unwrap_or_default() <= reach {
        return vec![Cow::Borrowed(records)];
    }
    let mut sorted = records.to_vec();
    sorted.sort_by_key(|record| std::cmp::Reverse(record.at));
    let mut groups: Vec<Cow<'_, [UsageRecord]>> = Vec::new();
    while let Some(latest) = sorted.first().map(|record| record.at) {
        let near = sorted.iter().take_while(|record| latest - record.at <= reach).count();
        groups.push(Cow::Owned(sorted.drain(..near).collect()));
    }
    groups
}

/// The record of the slot that begins at `at`.
fn slot_id(at: u64) -> RecordId {
    RecordId::new("usage_slot", array([at.into_value()]))
}

/// First part of a segment's record key: later segments come first, the order they are read in.
fn segment_order(until: u64) -> i64 {
    i64::try_from(until).map_or(-i64::MAX, |until| -until)
}

/// Keyed by the latest `at` inside; the rest of the key comes from the content too, so that the same records always make
/// the same segment, and others never do.
fn segment_row(records: &[UsageRecord]) -> Result<NewSegment, StoreError> {
    let summary = segment::summarise(records);
    let block = segment::encode(records)?;
    let first = records.first().map(|record| record.request_id).unwrap_or_default();
    let tail = format!("{first:016x}{:08x}", crc32fast::hash(&block));
    let key = array([segment_order(summary.until).into_value(), tail.into_value()]);
    Ok(NewSegment {
        id: RecordId::new("usage_segment", key.clone()),
        pending: RecordId::new("usage_pending", key),
        row: SegmentRecord {
            start: summary.start,
            until: summary.until,
            count: records.len() as u64,
            keys: summary.keys,
            models: summary.models,
            statuses: summary.statuses,
            block: Bytes::from(block),
        },
    })
}

fn key_additions(records: &[UsageRecord]) -> BTreeMap<String, KeyTotals> {
    let mut totals = BTreeMap::<&str, KeyTotals>::new();
    for record in records {
        totals.entry(record.key.as_str()).or_default().add_request(record.at, record.address);
    }
    totals.into_iter().map(|(key, totals)| (key.to_owned(), totals)).collect()
}

/// Totals as they are stored. An address that cannot be read is not known.
fn totals(requests: u64, last_used_at: Option<u64>, last_address: Option<String>) -> KeyTotals {
    KeyTotals { requests, last_used_at, last_address: last_address.and_then(|address| address.parse().ok()) }
}

fn array<const N: usize>(values: [Value; N]) -> RecordIdKey {
    RecordIdKey::Array(Array::from(values.to_vec()))
}
