//! Folding what is over, one bounded piece at a time: rows of schemas before the fifth and the slots of a day go into the
//! blocks of that day, by the hour; the days of a month into the blocks of that month (`months`). Each piece is one
//! transaction that only goes through where nothing was moved since it was computed, so several gateways may do it at once,
//! and a kill at any moment loses and doubles nothing. What comes late lies in a slot again, and is folded again.

use domain::policy::{month_begins, month_of};
use surrealdb::types::{Bytes, RecordId, SurrealValue, Variables};

use super::{
    Identified, NewBlock, array, merge, months,
    rollup::{self, DAY, HOUR, RollupRecord, Rows},
    sums::month_ends,
};
use crate::{StoreError, engine::Handle, row::RollupRow};

/// A day is folded when it has been over for this long: what was answered slowly is in it then.
const GRACE: u64 = HOUR;
/// Rows of earlier schemas in one piece.
const OLD_ROWS: u64 = 512;
/// Rows of one block at most.
pub(super) const BLOCK_ROWS: usize = 8_192;
/// Blocks of a day are written anew into one while they have no more rows together.
const MERGED_ROWS: u64 = 200_000;

/// What is about to be moved.
pub(crate) struct Plan {
    text: &'static str,
    parameters: Variables,
}

impl Plan {
    pub(super) fn new(text: &'static str, parameters: Variables) -> Self {
        Self { text, parameters }
    }

    /// Fails with [`StoreError::Stale`], and does nothing, where something else was moved first.
    pub(crate) async fn carry_out(self, handle: &Handle) -> Result<(), StoreError> {
        handle.run(self.text, self.parameters).await.map(drop)
    }
}

const OLD: &str = "RETURN {
    appends: (SELECT VALUE appends FROM ONLY usage_state:one),
    folds: (SELECT VALUE folds FROM ONLY usage_state:one),
    rows: (SELECT id, $this AS row FROM usage_rollup LIMIT $limit)
}";
const OLDEST_SLOT: &str = "RETURN {
    slots: (SELECT VALUE record::id(id)[0] FROM usage_slot:[0]..[$end] LIMIT 1),
    pending: (SELECT VALUE type::record('usage_segment', record::id(id)).start FROM usage_pending)
}";
const SLOTS: &str = "RETURN {
    appends: (SELECT VALUE appends FROM ONLY usage_state:one),
    folds: (SELECT VALUE folds FROM ONLY usage_state:one),
    slots: (SELECT id, block FROM usage_slot:[$from]..[$to])
}";
const PARTS: &str = "SELECT id, rows FROM usage_day:[$from]..[$to]";
const PART_BLOCKS: &str = "SELECT VALUE block FROM $parts";

/// A month that was written before does not hold this: it is taken away, to be written again.
const FOLD: &str = "BEGIN TRANSACTION;
LET $state = (SELECT appends, folds, months, first_day, last_day FROM ONLY usage_state:one);
IF $state.appends != $appends OR $state.folds != $folds { THROW 'fortress:stale' };
FOR $old IN $delete { DELETE $old };
FOR $part IN $parts { UPSERT $part.id CONTENT { rows: $part.rows, block: $part.block } };
IF $month IN $state.months { DELETE usage_month:[$month]..[$month_end] };
UPDATE usage_state:one SET
    appends = $appends + 1,
    folds = $folds + 1,
    months = array::complement($state.months, [$month]),
    first_day = math::min([$state.first_day ?? $day, $day]),
    last_day = math::max([$state.last_day ?? $day, $day]);
COMMIT TRANSACTION;";

#[derive(SurrealValue)]
struct Old {
    appends: u64,
    folds: u64,
    rows: Vec<Identified<RollupRecord>>,
}

#[derive(SurrealValue)]
struct OldestSlot {
    slots: Vec<u64>,
    pending: Vec<Option<u64>>,
}

#[derive(SurrealValue)]
struct Slots {
    appends: u64,
    folds: u64,
    slots: Vec<Stored>,
}

#[derive(SurrealValue)]
struct Stored {
    id: RecordId,
    block: Bytes,
}

#[derive(SurrealValue)]
struct Part {
    id: RecordId,
    rows: u64,
}

/// The next piece of what is over at `now`; `None` where nothing is left to do.
pub(crate) async fn plan(handle: &Handle, now: u64) -> Result<Option<Plan>, StoreError> {
    if let Some(plan) = old_rows(handle).await? {
        return Ok(Some(plan));
    }
    if let Some(plan) = slots(handle, now).await? {
        return Ok(Some(plan));
    }
    if let Some(plan) = months::plan(handle, now).await? {
        return Ok(Some(plan));
    }
    merge::plan(handle, now).await
}

/// Nothing adds to rows of earlier schemas any more, so even those of today are folded.
async fn old_rows(handle: &Handle) -> Result<Option<Plan>, StoreError> {
    let mut parameters = Variables::new();
    parameters.insert("limit", OLD_ROWS);
    let old: Option<Old> = handle.one(OLD, parameters).await?;
    let Old { appends, folds, rows: found } = old.ok_or_else(|| StoreError::corrupt("it holds no usage state"))?;
    let mut day = None;
    let (mut rows, mut delete) = (Rows::new(), Vec::new());
    // The last piece of a day brings its blocks together.
    let mut last = (found.len() as u64) < OLD_ROWS;
    for Identified { id, row } in found {
        let row = row.into_row(&id)?;
        let of = row.at - row.at % DAY;
        if *day.get_or_insert(of) != of {
            last = true;
            break;
        }
        rollup::add(&mut rows, row, HOUR);
        delete.push(id);
    }
    match day {
        Some(day) => fold(handle, Piece { day, appends, folds, rows, delete }, last).await.map(Some),
        None => Ok(None),
    }
}

async fn slots(handle: &Handle, now: u64) -> Result<Option<Plan>, StoreError> {
    let over = now.saturating_sub(GRACE);
    let mut parameters = Variables::new();
    parameters.insert("end", over - over % DAY);
    let oldest: Option<OldestSlot> = handle.one(OLDEST_SLOT, parameters).await?;
    let oldest = oldest.ok_or_else(|| StoreError::corrupt("it holds no usage state"))?;
    let Some(slot) = oldest.slots.first() else { return Ok(None) };
    let day = slot - slot % DAY;
    if oldest.pending.into_iter().flatten().any(|start| start < day + DAY) {
        return Ok(None);
    }
    let mut parameters = Variables::new();
    parameters.insert("from", day);
    parameters.insert("to", day + DAY);
    let slots: Option<Slots> = handle.one(SLOTS, parameters).await?;
    let Slots { appends, folds, slots } = slots.ok_or_else(|| StoreError::corrupt("it holds no usage state"))?;
    let (mut rows, mut delete) = (Rows::new(), Vec::with_capacity(slots.len()));
    for Stored { id, block } in slots {
        rollup::add_block(&mut rows, &block, HOUR)?;
        delete.push(id);
    }
    fold(handle, Piece { day, appends, folds, rows, delete }, true).await.map(Some)
}

/// Rows that go into the blocks of a day.
struct Piece {
    day: u64,
    appends: u64,
    folds: u64,
    rows: Rows,
    /// Where the rows come from.
    delete: Vec<RecordId>,
}

async fn fold(handle: &Handle, piece: Piece, merge: bool) -> Result<Plan, StoreError> {
    let Piece { day, appends, folds, mut rows, mut delete } = piece;
    if merge {
        let mut parameters = Variables::new();
        parameters.insert("from", day);
        parameters.insert("to", day + DAY);
        let parts: Vec<Part> = handle.all(PARTS, parameters).await?;
        if parts.iter().map(|part| part.rows).sum::<u64>() <= MERGED_ROWS {
            let ids: Vec<RecordId> = parts.into_iter().map(|part| part.id).collect();
            let mut parameters = Variables::new();
            parameters.insert("parts", ids.clone());
            // Those that are gone meanwhile were moved: then the transaction fails.
            let blocks: Vec<Bytes> = handle.all(PART_BLOCKS, parameters).await?;
            for block in &blocks {
                rollup::add_block(&mut rows, block, HOUR)?;
            }
            delete.extend(ids);
        }
    }
    let key = |part: usize| RecordId::new("usage_day", array([day, folds, part as u64].map(SurrealValue::into_value)));
    let month = month_begins(month_of(day));
    let mut parameters = Variables::new();
    parameters.insert("appends", appends);
    parameters.insert("folds", folds);
    parameters.insert("delete", delete);
    parameters.insert("parts", blocks(&rows, key)?);
    parameters.insert("day", day);
    parameters.insert("month", month);
    parameters.insert("month_end", month_ends(month));
    Ok(Plan::new(FOLD, parameters))
}

/// The rows as blocks under the keys of their numbers.
pub(super) fn blocks(rows: &Rows, key: impl Fn(usize) -> RecordId) -> Result<Vec<NewBlock>, StoreError> {
    let rows: Vec<&RollupRow> = rows.values().collect();
    rows.chunks(BLOCK_ROWS).enumerate().map(|(part, rows)| NewBlock::new(key(part), rows)).collect()
}
