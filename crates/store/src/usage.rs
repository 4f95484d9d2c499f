//! Usage in the database. An append is one transaction that writes segments and marks them as pending. Now and then the
//! pending ones are added to the roll-ups and the totals of the keys, in one transaction that takes the marks away: rows
//! that every append would write anew are so written once for many. Reads go over the segments, newest first, or over the
//! roll-ups and what is still pending.

mod read;
mod rollup;
mod segment;

use std::{collections::BTreeMap, time::Duration};

use domain::usage::UsageRecord;
use surrealdb::types::{Array, Bytes, RecordId, RecordIdKey, SurrealValue, Value, Variables};

use crate::{KeyTotals, StoreError, engine::Handle};

pub(crate) use read::{key_totals, minutes, records, rollups, spent};

/// Records in one segment at most; a second of traffic has about a thousand.
const SEGMENT_RECORDS: usize = 4096;
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
IF $reach > (SELECT VALUE reach FROM ONLY usage_state:one) { UPDATE usage_state:one SET reach = $reach };
COMMIT TRANSACTION;";

const PENDING: &str = "RETURN {
    appends: (SELECT VALUE appends FROM ONLY usage_state:one),
    segments: (SELECT id, type::record('usage_segment', record::id(id)).block AS block FROM usage_pending LIMIT $limit)
}";

/// What is there of the rows to be added to.
const BEFORE: &str = "RETURN {
    rollups: (SELECT id, $this AS row FROM $rollups),
    keys: (SELECT id, requests, last_used_at FROM $keys)
}";

const ROLL_UP: &str = "BEGIN TRANSACTION;
IF (SELECT VALUE appends FROM ONLY usage_state:one) != $appends { THROW 'fortress:stale' };
FOR $rollup IN $rollups { UPSERT $rollup.id CONTENT $rollup.row };
FOR $key IN $keys { UPSERT $key.id CONTENT { requests: $key.requests, last_used_at: $key.last_used_at } };
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
    rollups: Vec<Identified<rollup::RollupRecord>>,
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
    let segments = records.chunks(SEGMENT_RECORDS).map(segment_row).collect::<Result<Vec<_>, _>>()?;
    let reach = segments.iter().map(|segment| segment.row.until - segment.row.start).max().unwrap_or_default();
    let mut parameters = Variables::new();
    parameters.insert("segments", segments);
    parameters.insert("reach", reach);
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
    let mut rollups = rollup::of(&records);
    let mut keys = key_additions(&records);

    let rollup_ids = rollups.keys().map(rollup::Dimensions::record_id).collect::<Vec<_>>();
    let key_ids = keys.keys().map(|key| RecordId::new("usage_key", key.clone())).collect::<Vec<_>>();
    let mut parameters = Variables::new();
    parameters.insert("rollups", rollup_ids);
    parameters.insert("keys", key_ids);
    let before: Option<Before> = handle.one(BEFORE, parameters).await?;
    let before = before.ok_or_else(|| StoreError::corrupt("it holds no usage state"))?;
    for Identified { id, row } in before.rollups {
        let stored = row.into_row(&id)?;
        if let Some(added) = rollups.get_mut(&rollup::Dimensions::of_row(&stored)) {
            rollup::merge(added, &stored);
        }
    }
    for KeyRecord { id, requests, last_used_at } in before.keys {
        if let RecordIdKey::String(key) = &id.key
            && let Some(added) = keys.get_mut(key.as_str())
        {
            added.requests = added.requests.saturating_add(requests);
            added.last_used_at = added.last_used_at.max(last_used_at);
        }
    }

    let rollups = rollups
        .into_iter()
        .map(|(dimensions, row)| Identified { id: dimensions.record_id(), row: rollup::RollupRecord::from(row) })
        .collect::<Vec<_>>();
    let keys = keys
        .into_iter()
        .map(|(key, KeyTotals { requests, last_used_at })| KeyRecord {
            id: RecordId::new("usage_key", key),
            requests,
            last_used_at,
        })
        .collect::<Vec<_>>();
    let more = pending.segments.len() == AT_ONCE;
    let mut parameters = Variables::new();
    parameters.insert("appends", pending.appends);
    parameters.insert("rollups", rollups);
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
        let entry = totals.entry(record.key.as_str()).or_default();
        entry.requests += 1;
        entry.last_used_at = entry.last_used_at.max(Some(record.at));
    }
    totals.into_iter().map(|(key, totals)| (key.to_owned(), totals)).collect()
}

fn array<const N: usize>(values: [Value; N]) -> RecordIdKey {
    RecordIdKey::Array(Array::from(values.to_vec()))
}
