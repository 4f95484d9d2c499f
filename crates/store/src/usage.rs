//! Usage in the database: an append is one transaction that writes a segment and adds the same records to the roll-ups
//! and the totals of the keys; reads go over the segments, newest first, or over the roll-ups.

mod read;
mod rollup;
mod segment;

use std::{collections::BTreeMap, time::Duration};

use domain::usage::UsageRecord;
use surrealdb::types::{Array, Bytes, RecordId, RecordIdKey, SurrealValue, Value, Variables};

use crate::{KeyTotals, StoreError, engine::Handle, row::RollupRow};

pub(crate) use read::{key_totals, minutes, records, rollups, spent};

/// Records in one segment at most; a second of traffic has about a thousand.
const SEGMENT_RECORDS: usize = 4096;
/// Appends that lost against another gateway on a shared database begin anew.
const ATTEMPTS: u32 = 8;

/// What an append has to know first.
const BEFORE: &str = "RETURN {
    written: array::len((SELECT id FROM $segments)),
    appends: (SELECT VALUE appends FROM ONLY usage_state:one),
    rollups: (SELECT id, $this AS row FROM $rollups),
    keys: (SELECT id, requests, last_used_at FROM $keys)
}";

const APPEND: &str = "BEGIN TRANSACTION;
LET $state = (SELECT appends, reach FROM ONLY usage_state:one);
IF $state.appends != $appends { THROW 'fortress:stale' };
FOR $segment IN $segments { CREATE $segment.id CONTENT $segment.row };
FOR $rollup IN $rollups { UPSERT $rollup.id CONTENT $rollup.row };
FOR $key IN $keys { UPSERT $key.id CONTENT { requests: $key.requests, last_used_at: $key.last_used_at } };
UPDATE usage_state:one SET appends = $appends + 1, reach = math::max([$state.reach, $reach]);
COMMIT TRANSACTION;";

#[derive(SurrealValue)]
struct Before {
    /// How many of the segments are there already.
    written: u64,
    appends: u64,
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
    let segment_ids = segments.iter().map(|segment| segment.id.clone()).collect::<Vec<_>>();
    let reach = segments.iter().map(|segment| segment.row.until - segment.row.start).max().unwrap_or_default();
    let segments = segments.into_value();
    let rollups = rollup::of(records);
    let keys = key_additions(records);
    for attempt in 0..ATTEMPTS {
        match append_once(handle, &segment_ids, segments.clone(), reach, rollups.clone(), keys.clone()).await {
            Err(StoreError::Stale) => tokio::time::sleep(pause(records, attempt)).await,
            done => return done,
        }
    }
    Err(StoreError::other("usage was not written: too many gateways write at once"))
}

/// How long to stand back after losing against another gateway: longer each time, and for each batch another time, so
/// that two do not meet again and again.
fn pause(records: &[UsageRecord], attempt: u32) -> Duration {
    let first = records.first().map(|record| record.request_id).unwrap_or_default();
    let spread = u64::from(crc32fast::hash(&first.rotate_left(attempt).to_be_bytes()));
    Duration::from_millis(spread % (10 << attempt))
}

async fn append_once(
    handle: &Handle,
    segment_ids: &[RecordId],
    segments: Value,
    reach: u64,
    mut rollups: BTreeMap<rollup::Dimensions, RollupRow>,
    mut keys: BTreeMap<String, KeyTotals>,
) -> Result<(), StoreError> {
    let rollup_ids = rollups.keys().map(rollup::Dimensions::record_id).collect::<Vec<_>>();
    let key_ids = keys.keys().map(|key| RecordId::new("usage_key", key.clone())).collect::<Vec<_>>();
    let mut parameters = Variables::new();
    parameters.insert("segments", segment_ids.to_vec());
    parameters.insert("rollups", rollup_ids);
    parameters.insert("keys", key_ids);
    let before: Option<Before> = handle.one(BEFORE, parameters).await?;
    let before = before.ok_or_else(|| StoreError::corrupt("it holds no usage state"))?;
    if before.written > 0 {
        // An earlier try was written and its answer lost. It was one transaction: all of it is there.
        return Ok(());
    }

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
    let mut parameters = Variables::new();
    parameters.insert("appends", before.appends);
    parameters.insert("segments", segments);
    parameters.insert("reach", reach);
    parameters.insert("rollups", rollups);
    parameters.insert("keys", keys);
    handle.run(APPEND, parameters).await.map(drop)
}

/// First part of a segment's record key: later segments come first, the order they are read in.
fn segment_order(until: u64) -> i64 {
    i64::try_from(until).map_or(-i64::MAX, |until| -until)
}

/// Keyed by the latest `at` inside; the rest of the key comes from the content too, so that the same records always make
/// the same segment, and others never do.
fn segment_row(records: &[UsageRecord]) -> Result<Identified<SegmentRecord>, StoreError> {
    let summary = segment::summarise(records);
    let block = segment::encode(records)?;
    let first = records.first().map(|record| record.request_id).unwrap_or_default();
    let tail = format!("{first:016x}{:08x}", crc32fast::hash(&block));
    Ok(Identified {
        id: RecordId::new("usage_segment", array([segment_order(summary.until).into_value(), tail.into_value()])),
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
