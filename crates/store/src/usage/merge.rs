//! Bringing small segments together. A gateway with little to do writes a segment for each request, and whoever searches the
//! log would have to look at all of them. What is older than a day is written anew, 15 minutes at a time, in segments of a
//! thousand records that do not overlap.

use domain::usage::UsageRecord;
use surrealdb::types::{Bytes, RecordId, SurrealValue, Variables};

use super::{
    apart,
    fold::Plan,
    rollup::{DAY, SLOT},
    segment, segment_order, segment_row,
};
use crate::{StoreError, engine::Handle};

/// An append that was never answered is handed over again, and known again by its segment: this one stays for so long.
const GRACE: u64 = DAY;
/// Records of one segment.
const RECORDS: usize = 1_000;
/// More than this is not brought together at once: such segments are not small.
const MOST_SEGMENTS: usize = 2_048;
const MOST_RECORDS: u64 = 100_000;
/// Slots that are looked at for one piece.
const LOOK: usize = 96;
/// Milliseconds that a merged segment reaches over.
pub(super) const MERGED_REACH: u64 = SLOT;

const STATE: &str = "RETURN {
    merged: (SELECT VALUE merged FROM ONLY usage_state:one),
    first_day: (SELECT VALUE first_day FROM ONLY usage_state:one),
    first_slot: (SELECT VALUE record::id(id)[0] FROM usage_slot LIMIT 1),
    pending: (SELECT VALUE record::id(id)[0] FROM usage_pending)
}";
const ANY: &str = "SELECT VALUE id FROM usage_segment:[$begin]..[$end] LIMIT 1";
const SEGMENTS: &str = "SELECT id, count FROM usage_segment:[$begin]..[$end] LIMIT $limit";
const BLOCKS: &str = "SELECT VALUE block FROM $segments";

/// What is not rolled up is found by its segment.
const MERGE: &str = "BEGIN TRANSACTION;
IF (SELECT VALUE merged FROM ONLY usage_state:one) != $merged { THROW 'fortress:stale' };
FOR $segment IN $delete {
    IF record::exists(type::record('usage_pending', record::id($segment))) { THROW 'fortress:stale' };
    DELETE $segment;
};
FOR $segment IN $segments { UPSERT $segment.id CONTENT $segment.row };
UPDATE usage_state:one SET merged = $next;
COMMIT TRANSACTION;";

#[derive(SurrealValue)]
struct State {
    merged: u64,
    first_day: Option<u64>,
    first_slot: Vec<u64>,
    /// Minus the times that segments end at which are not rolled up yet.
    pending: Vec<i64>,
}

#[derive(SurrealValue)]
struct Found {
    id: RecordId,
    count: u64,
}

/// Segments that end in `from..to`.
fn ending(from: u64, to: u64) -> Variables {
    let mut parameters = Variables::new();
    parameters.insert("begin", segment_order(to).saturating_add(1));
    parameters.insert("end", segment_order(from).saturating_add(1));
    parameters
}

/// The next slots of what was over for a day at `now`; `None` where nothing is left to do.
pub(super) async fn plan(handle: &Handle, now: u64) -> Result<Option<Plan>, StoreError> {
    let state: Option<State> = handle.one(STATE, Variables::new()).await?;
    let State { merged, first_day, first_slot, pending } =
        state.ok_or_else(|| StoreError::corrupt("it holds no usage state"))?;
    let Some(first) = first_day.into_iter().chain(first_slot).min() else { return Ok(None) };
    let pending = pending.into_iter().map(i64::unsigned_abs).min().unwrap_or(u64::MAX);
    let over = now.saturating_sub(GRACE).min(pending) / SLOT * SLOT;
    let mut slot = merged.max(first / SLOT * SLOT);
    let (mut looked, begun) = (0, slot);
    while slot < over && looked < LOOK {
        if slot % DAY == 0 && slot + DAY <= over && is_empty(handle, slot, slot + DAY).await? {
            slot += DAY;
            continue;
        }
        looked += 1;
        let (from, to) = (slot, slot + SLOT);
        slot = to;
        let mut parameters = ending(from, to);
        parameters.insert("limit", MOST_SEGMENTS as u64 + 1);
        let found: Vec<Found> = handle.all(SEGMENTS, parameters).await?;
        let records = found.iter().map(|segment| segment.count).sum::<u64>();
        let fewer = records.div_ceil(RECORDS as u64) as usize;
        // Worth it where three of four go.
        if found.len() <= MOST_SEGMENTS && records <= MOST_RECORDS && found.len() > 4 * fewer.max(1) - 3 {
            return merge(handle, merged, slot, found).await.map(Some);
        }
    }
    if slot == begun {
        return Ok(None);
    }
    merge(handle, merged, slot, Vec::new()).await.map(Some)
}

async fn is_empty(handle: &Handle, from: u64, to: u64) -> Result<bool, StoreError> {
    let found: Vec<RecordId> = handle.all(ANY, ending(from, to)).await?;
    Ok(found.is_empty())
}

async fn merge(handle: &Handle, merged: u64, next: u64, found: Vec<Found>) -> Result<Plan, StoreError> {
    let ids: Vec<RecordId> = found.into_iter().map(|segment| segment.id).collect();
    let mut parameters = Variables::new();
    parameters.insert("segments", ids.clone());
    let blocks: Vec<Bytes> = if ids.is_empty() { Vec::new() } else { handle.all(BLOCKS, parameters).await? };
    let mut records = Vec::<UsageRecord>::new();
    for block in &blocks {
        records.extend(segment::decode(block)?);
    }
    if blocks.len() != ids.len() {
        return Err(StoreError::Stale);
    }
    records.sort_by_key(|record| std::cmp::Reverse((record.at, record.request_id)));
    let groups = if records.is_empty() { Vec::new() } else { apart(&records, MERGED_REACH) };
    let segments = groups.iter().flat_map(|near| near.chunks(RECORDS)).map(segment_row);
    let mut parameters = Variables::new();
    parameters.insert("segments", segments.collect::<Result<Vec<_>, _>>()?);
    parameters.insert("merged", merged);
    parameters.insert("next", next);
    parameters.insert("delete", ids);
    Ok(Plan::new(MERGE, parameters))
}
