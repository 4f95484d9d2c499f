//! Going over the roll-ups of a stretch of time, each counted once wherever it lies: months that are written, days that are
//! folded, slots, rows of schemas before the fifth, and segments that are in none of these yet.

use domain::policy::{month_begins, month_of};
use surrealdb::types::{Bytes, SurrealValue, Variables};

use super::{
    Identified, PendingSegment, block, decoded,
    rollup::{self, DAY, RollupRecord},
};
use crate::{
    StoreError,
    engine::Handle,
    row::{RollupRow, SumsQuery, UsageSum},
};

/// Days read at a time.
const DAYS: u64 = 8;

/// Everything that is not folded, in one consistent view.
const FRESH: &str = "RETURN {
    state: (SELECT folds, months, first_day, last_day FROM ONLY usage_state:one),
    slots: (SELECT VALUE block FROM usage_slot:[$from]..[$to]),
    rows: (SELECT id, $this AS row FROM usage_rollup:[$from]..[$to]),
    pending: (SELECT id, type::record('usage_segment', record::id(id)).block AS block FROM usage_pending)
}";
const DAY_BLOCKS: &str = "RETURN {
    folds: (SELECT VALUE folds FROM ONLY usage_state:one),
    blocks: (SELECT VALUE block FROM usage_day:[$from]..[$to])
}";
const MONTH_BLOCKS: &str = "RETURN {
    folds: (SELECT VALUE folds FROM ONLY usage_state:one),
    blocks: (SELECT VALUE block FROM usage_month:[$from]..[$to])
}";

#[derive(SurrealValue)]
struct Fresh {
    state: State,
    slots: Vec<Bytes>,
    rows: Vec<Identified<RollupRecord>>,
    pending: Vec<PendingSegment>,
}

#[derive(SurrealValue)]
struct State {
    folds: u64,
    months: Vec<u64>,
    first_day: Option<u64>,
    last_day: Option<u64>,
}

#[derive(SurrealValue)]
struct Folded {
    folds: u64,
    blocks: Vec<Bytes>,
}

fn range(from: u64, to: u64) -> Variables {
    let mut parameters = Variables::new();
    parameters.insert("from", from.min(i64::MAX as u64));
    parameters.insert("to", to.min(i64::MAX as u64));
    parameters
}

/// Hands over every row that the query means. Fails with [`StoreError::Stale`] where something was moved meanwhile: what was
/// handed over counts for nothing then.
pub(crate) async fn visit(
    handle: &Handle,
    query: &SumsQuery,
    take: &mut (dyn FnMut(&UsageSum<'_>) + Send),
) -> Result<(), StoreError> {
    let (from, to) = (query.from, query.to);
    let fresh: Option<Fresh> = handle.one(FRESH, range(from, to)).await?;
    let fresh = fresh.ok_or_else(|| StoreError::corrupt("it holds no usage state"))?;
    let mut see = |block: &[u8]| block::visit(block, (from, to), &query.filter, take);
    for block in &fresh.slots {
        see(block)?;
    }
    let rows = fresh.rows.into_iter().map(|Identified { id, row }| row.into_row(&id));
    let rows = rows.collect::<Result<Vec<RollupRow>, _>>()?;
    let pending = rollup::of(&decoded(&fresh.pending)?);
    let loose: Vec<&RollupRow> = rows.iter().chain(pending.values()).collect();
    if !loose.is_empty() {
        see(&block::encode(&loose)?)?;
    }

    // However wide the question: nothing is folded before the first day, or after the last.
    let State { folds, mut months, first_day: Some(first), last_day: Some(last) } = fresh.state else { return Ok(()) };
    let (mut day, end) = (from.max(first) / DAY * DAY, to.min(last.saturating_add(DAY)));
    months.retain(|&month| query.days && from <= month && month_ends(month) <= to);
    months.sort_unstable();
    // Days up to each of these months are read as such, then the month.
    for month in months {
        days(handle, (day, month.min(end)), folds, &mut see).await?;
        for block in of(handle, MONTH_BLOCKS, (month, month_ends(month)), folds).await? {
            see(&block)?;
        }
        day = day.max(month_ends(month));
    }
    days(handle, (day, end), folds, &mut see).await
}

/// Start of the month after the one that begins at `month`.
pub(super) fn month_ends(month: u64) -> u64 {
    month_begins(month_of(month) + 1)
}

async fn days(
    handle: &Handle,
    (mut day, to): (u64, u64),
    folds: u64,
    see: &mut (dyn FnMut(&[u8]) -> Result<(), StoreError> + Send),
) -> Result<(), StoreError> {
    while day < to {
        let until = day.saturating_add(DAYS * DAY).min(to);
        for block in of(handle, DAY_BLOCKS, (day, until), folds).await? {
            see(&block)?;
        }
        day = until;
    }
    Ok(())
}

async fn of(handle: &Handle, text: &'static str, (from, to): (u64, u64), folds: u64) -> Result<Vec<Bytes>, StoreError> {
    let answer: Option<Folded> = handle.one(text, range(from, to)).await?;
    let answer = answer.ok_or_else(|| StoreError::corrupt("it holds no usage state"))?;
    if answer.folds == folds { Ok(answer.blocks) } else { Err(StoreError::Stale) }
}
