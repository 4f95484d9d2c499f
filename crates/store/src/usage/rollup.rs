//! Roll-ups: sums and latency histograms of 15 minutes for one observed combination of user, key, model, backend,
//! endpoint and outcome.

use std::collections::BTreeMap;

use domain::{
    endpoint::Endpoint,
    id::{BackendId, KeyId, UserId},
    usage::{Outcome, UsageRecord},
};
use surrealdb::types::{RecordId, RecordIdKey, SurrealValue, Value};

use super::array;
use crate::{StoreError, row::RollupRow};

/// Milliseconds of one slot.
const SLOT: u64 = 15 * 60 * 1000;

/// What makes a roll-up row one row; also its record key, in this order.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Dimensions {
    at: u64,
    pub(super) user: UserId,
    pub(super) key: KeyId,
    model: Option<String>,
    backend: Option<BackendId>,
    endpoint: u8,
    outcome: u8,
}

impl Dimensions {
    pub(super) fn of_row(row: &RollupRow) -> Self {
        Self {
            at: row.at,
            user: row.user.clone(),
            key: row.key.clone(),
            model: row.model.clone(),
            backend: row.backend.clone(),
            endpoint: row.endpoint as u8,
            outcome: row.outcome as u8,
        }
    }

    pub(super) fn record_id(&self) -> RecordId {
        let text = |text: &str| text.into_value();
        RecordId::new(
            "usage_rollup",
            array([
                self.at.into_value(),
                text(self.user.as_str()),
                text(self.key.as_str()),
                text(self.model.as_deref().unwrap_or_default()),
                text(self.backend.as_ref().map(BackendId::as_str).unwrap_or_default()),
                self.endpoint.into_value(),
                self.outcome.into_value(),
            ]),
        )
    }

    pub(super) fn from_record_id(id: &RecordId) -> Option<Self> {
        let RecordIdKey::Array(parts) = &id.key else { return None };
        let [at, user, key, model, backend, endpoint, outcome] = parts.as_slice() else { return None };
        let text = |value: &Value| String::from_value(value.clone()).ok();
        Some(Self {
            at: u64::from_value(at.clone()).ok()?,
            user: UserId::new(&text(user)?).ok()?,
            key: KeyId::new(&text(key)?).ok()?,
            model: Some(text(model)?).filter(|name| !name.is_empty()),
            backend: match text(backend)?.as_str() {
                "" => None,
                id => Some(BackendId::new(id).ok()?),
            },
            endpoint: u8::from_value(endpoint.clone()).ok()?,
            outcome: u8::from_value(outcome.clone()).ok()?,
        })
    }
}

/// The part of a row outside its key.
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

impl From<RollupRow> for RollupRecord {
    fn from(row: RollupRow) -> Self {
        Self {
            requests: row.requests,
            errors: row.errors,
            bytes_in: row.bytes_in,
            bytes_out: row.bytes_out,
            prompt_tokens: row.prompt_tokens,
            completion_tokens: row.completion_tokens,
            load_us: row.load_us,
            gpu_us: Some(row.gpu_us),
            last_at: row.last_at,
            total_histogram: row.total_histogram,
            ttft_histogram: row.ttft_histogram,
        }
    }
}

impl RollupRecord {
    pub(super) fn into_row(self, id: &RecordId) -> Result<RollupRow, StoreError> {
        let row = Dimensions::from_record_id(id).and_then(|dimensions| {
            Some(RollupRow {
                at: dimensions.at,
                user: dimensions.user,
                key: dimensions.key,
                model: dimensions.model,
                backend: dimensions.backend,
                endpoint: Endpoint::from_code(dimensions.endpoint)?,
                outcome: Outcome::from_code(dimensions.outcome)?,
                requests: self.requests,
                errors: self.errors,
                bytes_in: self.bytes_in,
                bytes_out: self.bytes_out,
                prompt_tokens: self.prompt_tokens,
                completion_tokens: self.completion_tokens,
                load_us: self.load_us,
                gpu_us: self.gpu_us.unwrap_or_default(),
                last_at: self.last_at,
                total_histogram: self.total_histogram,
                ttft_histogram: self.ttft_histogram,
            })
        });
        row.ok_or_else(|| StoreError::corrupt("a usage roll-up makes no sense"))
    }
}

/// The roll-ups of `records` alone.
pub(super) fn of(records: &[UsageRecord]) -> BTreeMap<Dimensions, RollupRow> {
    let mut rows = BTreeMap::new();
    for record in records {
        let addition = of_one(record);
        let row = rows.entry(Dimensions::of_row(&addition)).or_insert_with(|| RollupRow {
            requests: 0,
            errors: 0,
            bytes_in: 0,
            bytes_out: 0,
            prompt_tokens: 0,
            completion_tokens: 0,
            load_us: 0,
            gpu_us: 0,
            last_at: 0,
            total_histogram: Vec::new(),
            ttft_histogram: Vec::new(),
            ..addition.clone()
        });
        merge(row, &addition);
    }
    rows
}

fn of_one(record: &UsageRecord) -> RollupRow {
    let mut total_histogram = Vec::new();
    count(&mut total_histogram, record.total_us, 1);
    let mut ttft_histogram = Vec::new();
    if let Some(ttft_us) = record.ttft_us {
        count(&mut ttft_histogram, ttft_us, 1);
    }
    RollupRow {
        at: record.at - record.at % SLOT,
        user: record.user.clone(),
        key: record.key.clone(),
        // What no backend has is summed under no name: a client could make any number of them. A name is never empty,
        // so that "" can stand for none in the record key.
        model: record.model.clone().filter(|name| !record.unresolved && !name.is_empty()),
        backend: record.backend.clone(),
        endpoint: record.endpoint,
        outcome: record.outcome,
        requests: 1,
        errors: u64::from(record.status >= 400),
        bytes_in: record.bytes_in,
        bytes_out: record.bytes_out,
        prompt_tokens: record.prompt_tokens.unwrap_or_default(),
        completion_tokens: record.completion_tokens.unwrap_or_default(),
        load_us: record.load_us,
        gpu_us: record.gpu_us,
        last_at: record.at,
        total_histogram,
        ttft_histogram,
    }
}

/// Adds `other` to `row`; both have the same dimensions.
pub(super) fn merge(row: &mut RollupRow, other: &RollupRow) {
    let add = |sum: &mut u64, value: u64| *sum = sum.saturating_add(value).min(i64::MAX as u64);
    add(&mut row.requests, other.requests);
    add(&mut row.errors, other.errors);
    add(&mut row.bytes_in, other.bytes_in);
    add(&mut row.bytes_out, other.bytes_out);
    add(&mut row.prompt_tokens, other.prompt_tokens);
    add(&mut row.completion_tokens, other.completion_tokens);
    add(&mut row.load_us, other.load_us);
    add(&mut row.gpu_us, other.gpu_us);
    row.last_at = row.last_at.max(other.last_at);
    merge_histogram(&mut row.total_histogram, &other.total_histogram);
    merge_histogram(&mut row.ttft_histogram, &other.ttft_histogram);
}

fn merge_histogram(sum: &mut Vec<u32>, other: &[u32]) {
    if sum.len() < other.len() {
        sum.resize(other.len(), 0);
    }
    for (sum, value) in sum.iter_mut().zip(other) {
        *sum = sum.saturating_add(*value);
    }
}

fn count(histogram: &mut Vec<u32>, microseconds: u64, times: u32) {
    let milliseconds = microseconds / 1000;
    let bucket = (u64::BITS - milliseconds.leading_zeros()) as usize;
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
        let bucket = |microseconds| {
            let mut histogram = Vec::new();
            count(&mut histogram, microseconds, 1);
            histogram.len() - 1
        };
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
