//! Deleting what is too old, one bounded piece at a time.

use surrealdb::types::{RecordId, SurrealValue, Variables};

use super::{fold::Plan, rollup::DAY, segment_order, sums::month_ends};
use crate::{StoreError, engine::Handle};

/// What one piece deletes at most.
const SEGMENTS: u64 = 64;
const ROWS: u64 = 256;
const BLOCKS: u64 = 16;

/// Segments that end before a time and are in the roll-ups. The keys run from the latest to the oldest, and none is above 0.
const OLD_SEGMENTS: &str = "SELECT VALUE id FROM usage_segment:[$first]..[1]
    WHERE !record::exists(type::record('usage_pending', record::id(id))) LIMIT $limit";
const OLD_SUMS: &str = "RETURN {
    rows: (SELECT VALUE id FROM usage_rollup:[0]..[$end] LIMIT $rows),
    slots: (SELECT VALUE id FROM usage_slot:[0]..[$end] LIMIT $blocks),
    days: (SELECT VALUE id FROM usage_day:[0]..[$end] LIMIT $blocks),
    months: (SELECT VALUE months FROM ONLY usage_state:one)
}";

/// A mark that was made meanwhile keeps its segment.
const FORGET_SEGMENTS: &str = "BEGIN TRANSACTION;
FOR $segment IN $segments {
    IF !record::exists(type::record('usage_pending', record::id($segment))) { DELETE $segment };
};
COMMIT TRANSACTION;";
/// Whoever is about to add to one of these, or to fold it, begins anew.
const FORGET_SUMS: &str = "BEGIN TRANSACTION;
LET $state = (SELECT appends, folds, months, first_day FROM ONLY usage_state:one);
FOR $old IN $delete { DELETE $old };
FOR $month IN $months { DELETE usage_month:[$month.from]..[$month.to] };
UPDATE usage_state:one SET
    appends = $state.appends + 1,
    folds = $state.folds + 1,
    months = array::complement($state.months, $starts),
    first_day = IF $state.first_day = NONE { NONE } ELSE { math::max([$state.first_day, $first]) };
COMMIT TRANSACTION;";

#[derive(SurrealValue)]
struct OldSums {
    rows: Vec<RecordId>,
    slots: Vec<RecordId>,
    days: Vec<RecordId>,
    months: Vec<u64>,
}

#[derive(SurrealValue)]
struct Month {
    from: u64,
    to: u64,
}

/// The next piece of the segments that end before `records` and of the roll-ups of days that ended before `sums` (Unix
/// milliseconds); `None` where nothing is left to do.
pub(crate) async fn plan(handle: &Handle, records: u64, sums: u64) -> Result<Option<Plan>, StoreError> {
    let mut parameters = Variables::new();
    parameters.insert("first", segment_order(records).saturating_add(1));
    parameters.insert("limit", SEGMENTS);
    let segments: Vec<RecordId> = handle.all(OLD_SEGMENTS, parameters).await?;
    if !segments.is_empty() {
        let mut parameters = Variables::new();
        parameters.insert("segments", segments);
        return Ok(Some(Plan::new(FORGET_SEGMENTS, parameters)));
    }
    let end = sums - sums % DAY;
    let mut parameters = Variables::new();
    parameters.insert("end", end);
    parameters.insert("rows", ROWS);
    parameters.insert("blocks", BLOCKS);
    let old: Option<OldSums> = handle.one(OLD_SUMS, parameters).await?;
    let OldSums { mut rows, slots, days, mut months } =
        old.ok_or_else(|| StoreError::corrupt("it holds no usage state"))?;
    months.retain(|&month| month_ends(month) <= end);
    let more_days = days.len() as u64 == BLOCKS;
    rows.extend(slots);
    rows.extend(days);
    if rows.is_empty() && months.is_empty() {
        return Ok(None);
    }
    let mut parameters = Variables::new();
    parameters.insert("delete", rows);
    parameters.insert("starts", months.clone());
    let months: Vec<Month> = months.into_iter().map(|month| Month { from: month, to: month_ends(month) }).collect();
    parameters.insert("months", months);
    // While some of the days are left, they are still found.
    parameters.insert("first", if more_days { 0 } else { end });
    Ok(Some(Plan::new(FORGET_SUMS, parameters)))
}
