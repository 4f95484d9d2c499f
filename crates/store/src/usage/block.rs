//! A block of roll-ups: rows as columns, names as numbers of dictionaries, histograms by their buckets that are not empty,
//! behind one byte that says which form it is. Old forms stay readable for ever: add the next one. What a row is comes
//! first, what it counts behind it, so that a reader who wants none of the rows decodes half.

use domain::{
    endpoint::Endpoint,
    id::{BackendId, KeyId, UserId},
    usage::Outcome,
};
use serde::{Deserialize, Serialize};

use super::{dictionary::Dictionary, rollup::SLOT};
use crate::{
    StoreError,
    row::{Counts, RollupRow, UsageFilter, UsageSum},
};

/// First byte of a block of [`Head`] and [`Body`].
const BLOCK: u8 = 1;
/// Histograms of a row.
const HISTOGRAMS: usize = 4;

/// What each row is. Times are counted in slots from `base`; number 0 of models and backends is "none".
#[derive(Serialize, Deserialize)]
struct Head {
    base: u64,
    users: Vec<String>,
    keys: Vec<String>,
    models: Vec<String>,
    backends: Vec<String>,
    at: Vec<u32>,
    user: Vec<u32>,
    key: Vec<u32>,
    model: Vec<u32>,
    backend: Vec<u32>,
    endpoint: Vec<u8>,
    outcome: Vec<u8>,
    failed: Vec<bool>,
}

/// What each row counts.
#[derive(Serialize, Deserialize)]
struct Body {
    requests: Vec<u64>,
    errors: Vec<u64>,
    bytes_in: Vec<u64>,
    bytes_out: Vec<u64>,
    prompt_tokens: Vec<u64>,
    completion_tokens: Vec<u64>,
    load_us: Vec<u64>,
    gpu_us: Vec<u64>,
    queue_us: Vec<u64>,
    cold: Vec<u64>,
    /// From the row's own time.
    last_at: Vec<u64>,
    /// Of each row four numbers: buckets in use of total, warm, cold and other TTFT.
    used: Vec<u8>,
    buckets: Vec<u8>,
    counts: Vec<u32>,
}

/// The block of `rows`, whose times are starts of slots.
pub(super) fn encode(rows: &[&RollupRow]) -> Result<Vec<u8>, StoreError> {
    let base = rows.iter().map(|row| row.at).min().unwrap_or_default();
    let (mut users, mut keys) = (Dictionary::default(), Dictionary::default());
    let (mut models, mut backends) = (Dictionary::default(), Dictionary::default());
    let slots = |row: &RollupRow| u32::try_from((row.at - base) / SLOT);
    let head = Head {
        base,
        at: rows.iter().map(|row| slots(row)).collect::<Result<_, _>>().map_err(StoreError::other)?,
        user: column(rows, |row| users.number(row.user.as_str())),
        key: column(rows, |row| keys.number(row.key.as_str())),
        model: column(rows, |row| row.model.as_deref().map_or(0, |name| models.number(name))),
        backend: column(rows, |row| row.backend.as_ref().map_or(0, |id| backends.number(id.as_str()))),
        endpoint: column(rows, |row| row.endpoint as u8),
        outcome: column(rows, |row| row.outcome as u8),
        failed: column(rows, |row| row.failed),
        users: users.names,
        keys: keys.names,
        models: models.names,
        backends: backends.names,
    };
    let mut body = Body {
        requests: column(rows, |row| row.requests),
        errors: column(rows, |row| row.errors),
        bytes_in: column(rows, |row| row.bytes_in),
        bytes_out: column(rows, |row| row.bytes_out),
        prompt_tokens: column(rows, |row| row.prompt_tokens),
        completion_tokens: column(rows, |row| row.completion_tokens),
        load_us: column(rows, |row| row.load_us),
        gpu_us: column(rows, |row| row.gpu_us),
        queue_us: column(rows, |row| row.queue_us),
        cold: column(rows, |row| row.cold),
        last_at: column(rows, |row| row.last_at.saturating_sub(row.at)),
        used: Vec::with_capacity(HISTOGRAMS * rows.len()),
        buckets: Vec::new(),
        counts: Vec::new(),
    };
    for row in rows {
        let other = other_ttft(row);
        for histogram in [&row.total_histogram, &row.warm_ttft_histogram, &row.cold_ttft_histogram, &other] {
            body.put(histogram);
        }
    }
    let head = postcard::to_extend(&head, vec![BLOCK]).map_err(StoreError::other)?;
    postcard::to_extend(&body, head).map_err(StoreError::other)
}

/// What is in neither of the other two.
fn other_ttft(row: &RollupRow) -> Vec<u32> {
    let of = |histogram: &[u32], bucket: usize| histogram.get(bucket).copied().unwrap_or_default();
    let known = |bucket| of(&row.warm_ttft_histogram, bucket).saturating_add(of(&row.cold_ttft_histogram, bucket));
    row.ttft_histogram.iter().enumerate().map(|(bucket, count)| count.saturating_sub(known(bucket))).collect()
}

fn column<'a, T>(rows: &[&'a RollupRow], mut value: impl FnMut(&'a RollupRow) -> T) -> Vec<T> {
    rows.iter().map(|row| value(row)).collect()
}

impl Body {
    fn put(&mut self, histogram: &[u32]) {
        let mut used = 0;
        for (bucket, &count) in (0_u8..).zip(histogram).filter(|(_, count)| **count > 0) {
            used += 1;
            self.buckets.push(bucket);
            self.counts.push(count);
        }
        self.used.push(used);
    }

    fn is_whole(&self, rows: usize) -> bool {
        let columns = [
            &self.requests,
            &self.errors,
            &self.bytes_in,
            &self.bytes_out,
            &self.prompt_tokens,
            &self.completion_tokens,
            &self.load_us,
            &self.gpu_us,
            &self.queue_us,
            &self.cold,
            &self.last_at,
        ];
        let used = self.used.iter().map(|&used| usize::from(used)).sum::<usize>();
        columns.iter().all(|column| column.len() == rows)
            && self.used.len() == rows * HISTOGRAMS
            && self.buckets.len() == used
            && self.counts.len() == used
    }
}

/// Which numbers of dictionaries a filter means; `None` where one of its names is in none.
struct Wanted {
    user: Option<u32>,
    key: Option<u32>,
    model: Option<u32>,
    backend: Option<u32>,
    endpoint: Option<u8>,
    outcome: Option<u8>,
    failed: bool,
}

impl Wanted {
    fn new(filter: &UsageFilter, head: &Head) -> Option<Self> {
        let find = |names: &[String], name: Option<&str>| match name {
            None => Some(None),
            Some(name) => {
                let at = names.iter().position(|known| known == name)?;
                Some(Some(u32::try_from(at).ok()?.saturating_add(1)))
            }
        };
        Some(Self {
            user: find(&head.users, filter.user.as_ref().map(UserId::as_str))?,
            key: find(&head.keys, filter.key.as_ref().map(KeyId::as_str))?,
            model: match &filter.model {
                Some(None) => Some(0),
                Some(Some(name)) => find(&head.models, Some(name))?,
                None => None,
            },
            backend: find(&head.backends, filter.backend.as_ref().map(BackendId::as_str))?,
            endpoint: filter.endpoint.map(|endpoint| endpoint as u8),
            outcome: filter.outcome.map(|outcome| outcome as u8),
            failed: filter.failed,
        })
    }

    fn takes(&self, row: &What<'_>) -> bool {
        fn fits<T: PartialEq>(wanted: Option<T>, found: T) -> bool {
            wanted.is_none_or(|wanted| wanted == found)
        }
        fits(self.user, row.user)
            && fits(self.key, row.key)
            && fits(self.model, row.model)
            && fits(self.backend, row.backend)
            && fits(self.endpoint, row.endpoint)
            && fits(self.outcome, row.outcome)
            && (!self.failed || row.failed || row.outcome == Outcome::UpstreamFailed as u8)
    }
}

/// One row of a [`Head`], in numbers.
struct What<'a> {
    head: &'a Head,
    at: u64,
    user: u32,
    key: u32,
    model: u32,
    backend: u32,
    endpoint: u8,
    outcome: u8,
    failed: bool,
}

impl Head {
    fn is_whole(&self) -> bool {
        let rows = self.at.len();
        [&self.user, &self.key, &self.model, &self.backend].iter().all(|column| column.len() == rows)
            && [self.endpoint.len(), self.outcome.len(), self.failed.len()] == [rows; 3]
    }

    fn rows(&self) -> impl Iterator<Item = What<'_>> {
        let names = self.user.iter().zip(&self.key).zip(&self.model).zip(&self.backend);
        let rest = self.endpoint.iter().zip(&self.outcome).zip(&self.failed);
        self.at.iter().zip(names).zip(rest).map(
            |((at, (((user, key), model), backend)), ((endpoint, outcome), failed))| What {
                head: self,
                at: self.base.saturating_add(u64::from(*at) * SLOT),
                user: *user,
                key: *key,
                model: *model,
                backend: *backend,
                endpoint: *endpoint,
                outcome: *outcome,
                failed: *failed,
            },
        )
    }
}

/// `None` for a number the dictionary does not have.
fn name(names: &[String], number: u32) -> Option<&str> {
    names.get(usize::try_from(number.checked_sub(1)?).ok()?).map(String::as_str)
}

/// `Some(None)` for the number that means none.
fn perhaps(names: &[String], number: u32) -> Option<Option<&str>> {
    if number == 0 { Some(None) } else { name(names, number).map(Some) }
}

/// Hands over the rows of a block whose time is in `from..to` and that the filter takes.
pub(super) fn visit(
    block: &[u8],
    (from, to): (u64, u64),
    filter: &UsageFilter,
    take: &mut (dyn FnMut(&UsageSum<'_>) + Send),
) -> Result<(), StoreError> {
    let malformed = |error: postcard::Error| StoreError::corrupt(format_args!("a block of usage: {error}"));
    let contradictory = || StoreError::corrupt("a block of usage contradicts itself");
    let rest = match block.split_first() {
        Some((&BLOCK, rest)) => rest,
        Some((form, _)) => return Err(StoreError::corrupt(format_args!("a block of usage of unknown form {form}"))),
        None => return Err(StoreError::corrupt("an empty block of usage")),
    };
    let (head, rest) = postcard::take_from_bytes::<Head>(rest).map_err(malformed)?;
    if !head.is_whole() {
        return Err(contradictory());
    }
    let Some(wanted) = Wanted::new(filter, &head) else { return Ok(()) };
    let fits = |row: &What<'_>| (from..to).contains(&row.at) && wanted.takes(row);
    if !head.rows().any(|row| fits(&row)) {
        return Ok(());
    }
    let body = postcard::from_bytes::<Body>(rest).map_err(malformed)?;
    if !body.is_whole(head.at.len()) {
        return Err(contradictory());
    }
    let mut place = 0;
    for (row, what) in head.rows().enumerate() {
        let begin = place;
        let mut ends = [place; HISTOGRAMS + 1];
        for (histogram, end) in ends.iter_mut().skip(1).enumerate() {
            place += body.used.get(row * HISTOGRAMS + histogram).map_or(0, |&used| usize::from(used));
            *end = place;
        }
        if fits(&what) {
            let sum = body.sum(row, &what, [begin, ends[1], ends[2], ends[3], ends[4]]).ok_or_else(contradictory)?;
            take(&sum);
        }
    }
    Ok(())
}

impl Body {
    fn sum<'a>(&'a self, row: usize, what: &What<'a>, ends: [usize; HISTOGRAMS + 1]) -> Option<UsageSum<'a>> {
        let [start, total, warm, cold, other] = ends;
        let histogram = |from: usize, to: usize| {
            Some(Counts { buckets: self.buckets.get(from..to)?, counts: self.counts.get(from..to)? })
        };
        let of = |column: &[u64]| column.get(row).copied();
        Some(UsageSum {
            at: what.at,
            user: name(&what.head.users, what.user)?,
            key: name(&what.head.keys, what.key)?,
            model: perhaps(&what.head.models, what.model)?,
            backend: perhaps(&what.head.backends, what.backend)?,
            endpoint: Endpoint::from_code(what.endpoint)?,
            outcome: Outcome::from_code(what.outcome)?,
            failed: what.failed,
            requests: of(&self.requests)?,
            errors: of(&self.errors)?,
            bytes_in: of(&self.bytes_in)?,
            bytes_out: of(&self.bytes_out)?,
            prompt_tokens: of(&self.prompt_tokens)?,
            completion_tokens: of(&self.completion_tokens)?,
            load_us: of(&self.load_us)?,
            gpu_us: of(&self.gpu_us)?,
            queue_us: of(&self.queue_us)?,
            cold: of(&self.cold)?,
            last_at: what.at.saturating_add(of(&self.last_at)?),
            total: histogram(start, total)?,
            warm_ttft: histogram(total, warm)?,
            cold_ttft: histogram(warm, cold)?,
            other_ttft: histogram(cold, other)?,
        })
    }
}

#[cfg(test)]
#[path = "block/tests.rs"]
mod tests;
