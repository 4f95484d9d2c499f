//! Roll-ups: sums and latency histograms of one observed combination of user, key, model, backend, endpoint and outcome,
//! over 15 minutes, an hour or a day.

use std::collections::BTreeMap;

use domain::{
    endpoint::Endpoint,
    id::{BackendId, KeyId, UserId},
    usage::{Outcome, UsageRecord},
};
use surrealdb::types::{RecordId, RecordIdKey, SurrealValue, Value};

use super::block;
use crate::{
    StoreError,
    row::{Counts, RollupRow, UsageFilter, UsageSum},
};

/// Milliseconds of one slot, and of the longer stretches.
pub(super) const SLOT: u64 = 15 * 60 * 1000;
pub(super) const HOUR: u64 = 3_600_000;
pub(super) const DAY: u64 = 24 * HOUR;

/// Rows by what they are, in time's order.
pub(super) type Rows = BTreeMap<Dimensions, RollupRow>;

/// What makes a row one row.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Dimensions {
    at: u64,
    user: UserId,
    key: KeyId,
    model: Option<String>,
    backend: Option<BackendId>,
    endpoint: u8,
    outcome: u8,
    failed: bool,
}

impl Dimensions {
    fn of_row(row: &RollupRow) -> Self {
        Self {
            at: row.at,
            user: row.user.clone(),
            key: row.key.clone(),
            model: row.model.clone(),
            backend: row.backend.clone(),
            endpoint: row.endpoint as u8,
            outcome: row.outcome as u8,
            failed: row.failed,
        }
    }
}

/// Adds a row to those of its stretch, which is `length` milliseconds long.
pub(super) fn add(rows: &mut Rows, mut row: RollupRow, length: u64) {
    row.at -= row.at % length;
    match rows.entry(Dimensions::of_row(&row)) {
        std::collections::btree_map::Entry::Occupied(mut known) => merge(known.get_mut(), &row),
        std::collections::btree_map::Entry::Vacant(free) => drop(free.insert(row)),
    }
}

/// The same with every row of a block.
pub(super) fn add_block(rows: &mut Rows, block: &[u8], length: u64) -> Result<(), StoreError> {
    let mut sense = Ok(());
    block::visit(block, (0, u64::MAX), &UsageFilter::default(), &mut |sum| match of_sum(sum) {
        Some(row) => add(rows, row, length),
        None => sense = Err(nonsense()),
    })?;
    sense
}

fn nonsense() -> StoreError {
    StoreError::corrupt("a usage roll-up makes no sense")
}

/// A row of its own out of a borrowed one.
pub(super) fn of_sum(sum: &UsageSum<'_>) -> Option<RollupRow> {
    let mut ttft_histogram = dense(sum.warm_ttft);
    for counts in [sum.cold_ttft, sum.other_ttft] {
        merge_histogram(&mut ttft_histogram, &dense(counts));
    }
    Some(RollupRow {
        at: sum.at,
        user: UserId::new(sum.user).ok()?,
        key: KeyId::new(sum.key).ok()?,
        model: sum.model.map(str::to_owned),
        backend: match sum.backend {
            Some(id) => Some(BackendId::new(id).ok()?),
            None => None,
        },
        endpoint: sum.endpoint,
        outcome: sum.outcome,
        failed: sum.failed,
        requests: sum.requests,
        errors: sum.errors,
        bytes_in: sum.bytes_in,
        bytes_out: sum.bytes_out,
        prompt_tokens: sum.prompt_tokens,
        completion_tokens: sum.completion_tokens,
        load_us: sum.load_us,
        gpu_us: sum.gpu_us,
        queue_us: sum.queue_us,
        cold: sum.cold,
        last_at: sum.last_at,
        total_histogram: dense(sum.total),
        ttft_histogram,
        warm_ttft_histogram: dense(sum.warm_ttft),
        cold_ttft_histogram: dense(sum.cold_ttft),
    })
}

fn dense(counts: Counts<'_>) -> Vec<u32> {
    let mut histogram = Vec::new();
    for (bucket, times) in counts.iter() {
        count(&mut histogram, bucket, times);
    }
    histogram
}

/// A row as schemas before the fifth wrote it, its key apart: [slot, user, key, model, backend, endpoint, outcome], with
/// none as an empty text.
#[derive(SurrealValue)]
pub(super) struct RollupRecord {
    requests: u64,
    errors: u64,
    bytes_in: u64,
    bytes_out: u64,
    prompt_tokens: u64,
    completion_tokens: u64,
    load_us: u64,
    /// Rows of the first schema have none.
    gpu_us: Option<u64>,
    last_at: u64,
    total_histogram: Vec<u32>,
    ttft_histogram: Vec<u32>,
}

impl RollupRecord {
    pub(super) fn into_row(self, id: &RecordId) -> Result<RollupRow, StoreError> {
        self.read(id).ok_or_else(nonsense)
    }

    fn read(self, id: &RecordId) -> Option<RollupRow> {
        let RecordIdKey::Array(parts) = &id.key else { return None };
        let [at, user, key, model, backend, endpoint, outcome] = parts.as_slice() else { return None };
        let text = |value: &Value| String::from_value(value.clone()).ok();
        Some(RollupRow {
            at: u64::from_value(at.clone()).ok()?,
            user: UserId::new(&text(user)?).ok()?,
            key: KeyId::new(&text(key)?).ok()?,
            model: Some(text(model)?).filter(|name| !name.is_empty()),
            backend: match text(backend)?.as_str() {
                "" => None,
                id => Some(BackendId::new(id).ok()?),
            },
            endpoint: Endpoint::from_code(u8::from_value(endpoint.clone()).ok()?)?,
            outcome: Outcome::from_code(u8::from_value(outcome.clone()).ok()?)?,
            failed: self.errors > 0 && self.errors == self.requests,
            requests: self.requests,
            errors: self.errors,
            bytes_in: self.bytes_in,
            bytes_out: self.bytes_out,
            prompt_tokens: self.prompt_tokens,
            completion_tokens: self.completion_tokens,
            load_us: self.load_us,
            gpu_us: self.gpu_us.unwrap_or_default(),
            queue_us: 0,
            cold: 0,
            last_at: self.last_at,
            total_histogram: self.total_histogram,
            ttft_histogram: self.ttft_histogram,
            warm_ttft_histogram: Vec::new(),
            cold_ttft_histogram: Vec::new(),
        })
    }
}

/// The roll-ups of `records` alone.
pub(super) fn of(records: &[UsageRecord]) -> Rows {
    let mut rows = Rows::new();
    for record in records {
        add(&mut rows, of_one(record), SLOT);
    }
    rows
}

fn of_one(record: &UsageRecord) -> RollupRow {
    let histogram = |microseconds: Option<u64>| {
        let mut histogram = Vec::new();
        if let Some(microseconds) = microseconds {
            count(&mut histogram, bucket(microseconds), 1);
        }
        histogram
    };
    let ttft = |warm| record.ttft_us.filter(|_| record.warm == Some(warm));
    let failed = record.status >= 400;
    // The database's whole numbers end where a signed one does.
    let bounded = |value: u64| value.min(i64::MAX as u64);
    RollupRow {
        at: record.at - record.at % SLOT,
        user: record.user.clone(),
        key: record.key.clone(),
        // What no backend has is summed under no name: a client could make any number of them.
        model: record.model.clone().filter(|name| !record.unresolved && !name.is_empty()),
        backend: record.backend.clone(),
        endpoint: record.endpoint,
        outcome: record.outcome,
        failed,
        requests: 1,
        errors: u64::from(failed),
        bytes_in: bounded(record.bytes_in),
        bytes_out: bounded(record.bytes_out),
        prompt_tokens: bounded(record.prompt_tokens.unwrap_or_default()),
        completion_tokens: bounded(record.completion_tokens.unwrap_or_default()),
        load_us: bounded(record.load_us),
        gpu_us: bounded(record.gpu_us),
        queue_us: bounded(record.queue_us),
        cold: u64::from(record.warm == Some(false)),
        last_at: record.at,
        total_histogram: histogram(Some(record.total_us)),
        ttft_histogram: histogram(record.ttft_us),
        warm_ttft_histogram: histogram(ttft(true)),
        cold_ttft_histogram: histogram(ttft(false)),
    }
}

/// Adds `other` to `row`; both have the same dimensions.
fn merge(row: &mut RollupRow, other: &RollupRow) {
    let add = |sum: &mut u64, value: u64| *sum = sum.saturating_add(value).min(i64::MAX as u64);
    add(&mut row.requests, other.requests);
    add(&mut row.errors, other.errors);
    add(&mut row.bytes_in, other.bytes_in);
    add(&mut row.bytes_out, other.bytes_out);
    add(&mut row.prompt_tokens, other.prompt_tokens);
    add(&mut row.completion_tokens, other.completion_tokens);
    add(&mut row.load_us, other.load_us);
    add(&mut row.gpu_us, other.gpu_us);
    add(&mut row.queue_us, other.queue_us);
    add(&mut row.cold, other.cold);
    row.last_at = row.last_at.max(other.last_at);
    merge_histogram(&mut row.total_histogram, &other.total_histogram);
    merge_histogram(&mut row.ttft_histogram, &other.ttft_histogram);
    merge_histogram(&mut row.warm_ttft_histogram, &other.warm_ttft_histogram);
    merge_histogram(&mut row.cold_ttft_histogram, &other.cold_ttft_histogram);
}

fn merge_histogram(sum: &mut Vec<u32>, other: &[u32]) {
    if sum.len() < other.len() {
        sum.resize(other.len(), 0);
    }
    for (sum, value) in sum.iter_mut().zip(other) {
        *sum = sum.saturating_add(*value);
    }
}

/// Bucket i holds durations in `[2^(i-1), 2^i)` milliseconds, bucket 0 those under one.
fn bucket(microseconds: u64) -> usize {
    let milliseconds = microseconds / 1000;
    (u64::BITS - milliseconds.leading_zeros()) as usize
}

fn count(histogram: &mut Vec<u32>, bucket: usize, times: u32) {
    if histogram.len() <= bucket {
        histogram.resize(bucket + 1, 0);
    }
    if let Some(slot) = histogram.get_mut(bucket) {
        *slot = slot.saturating_add(times);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_fall_into_buckets_of_powers_of_two() {
        assert_eq!([0, 999, 1000, 1999, 2000, 3999, 4000].map(bucket), [0, 0, 1, 1, 2, 2, 3]);
        assert_eq!(bucket(u64::MAX), 55);
    }

    #[test]
    fn histograms_of_different_length_add_up() {
        let mut sum = vec![1];
        merge_histogram(&mut sum, &[1, 0, u32::MAX]);
        merge_histogram(&mut sum, &[0, 2, 1]);
        assert_eq!(sum, [2, 2, u32::MAX]);
    }
}
