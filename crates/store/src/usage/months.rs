//! Months that are over, written once more with rows by the day of UTC, for questions over years. The days stay: hours are
//! read from them.

use std::ops::Range;

use domain::policy::{month_begins, month_of};
use surrealdb::types::{Bytes, RecordId, SurrealValue, Variables};

use super::{
    array,
    fold::{self, Plan},
    rollup::{self, DAY, Rows},
    sums::month_ends,
};
use crate::{StoreError, engine::Handle};

/// A month is written when it has been over for this long.
const GRACE: u64 = DAY;

const STATE: &str = "RETURN (SELECT folds, months, first_day FROM ONLY usage_state:one)";
const DAYS: &str = "RETURN {
    folds: (SELECT VALUE folds FROM ONLY usage_state:one),
    blocks: (SELECT VALUE block FROM usage_day:[$from]..[$to])
}";
/// Days that were moved meanwhile count `folds` up.
const WRITE: &str = "BEGIN TRANSACTION;
LET $state = (SELECT folds, months FROM ONLY usage_state:one);
IF $state.folds != $folds OR $month IN $state.months { THROW 'fortress:stale' };
FOR $part IN $parts { UPSERT $part.id CONTENT { rows: $part.rows, block: $part.block } };
UPDATE usage_state:one SET months = array::append($state.months, $month);
COMMIT TRANSACTION;";

#[derive(SurrealValue)]
struct State {
    folds: u64,
    months: Vec<u64>,
    first_day: Option<u64>,
}

#[derive(SurrealValue)]
struct Days {
    folds: u64,
    blocks: Vec<Bytes>,
}

/// The oldest month that is over at `now` and not written.
pub(super) async fn plan(handle: &Handle, now: u64) -> Result<Option<Plan>, StoreError> {
    let state: Option<State> = handle.one(STATE, Variables::new()).await?;
    let State { folds, months, first_day } = state.ok_or_else(|| StoreError::corrupt("it holds no usage state"))?;
    let Some(first) = first_day else { return Ok(None) };
    let over: Range<u64> = month_of(first)..month_of(now.saturating_sub(GRACE));
    let Some(month) = over.map(month_begins).find(|month| !months.contains(month)) else { return Ok(None) };
    let mut rows = Rows::new();
    // A day at a time, so that no more of them are in memory.
    let mut day = month;
    while day < month_ends(month) {
        let mut parameters = Variables::new();
        parameters.insert("from", day);
        day += DAY;
        parameters.insert("to", day);
        let days: Option<Days> = handle.one(DAYS, parameters).await?;
        let days = days.ok_or_else(|| StoreError::corrupt("it holds no usage state"))?;
        if days.folds != folds {
            return Err(StoreError::Stale);
        }
        for block in &days.blocks {
            rollup::add_block(&mut rows, block, DAY)?;
        }
    }
    let key = |part: usize| RecordId::new("usage_month", array([month, part as u64].map(SurrealValue::into_value)));
    let mut parameters = Variables::new();
    parameters.insert("folds", folds);
    parameters.insert("month", month);
    parameters.insert("parts", fold::blocks(&rows, key)?);
    Ok(Some(Plan::new(WRITE, parameters)))
}
