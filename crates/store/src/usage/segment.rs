//! A segment's block: the records as columns, names as numbers of a dictionary, behind one byte that says which form it
//! is. Old forms stay readable for ever, so a form is never changed: add the next one.

use std::{
    collections::{BTreeSet, HashMap},
    net::IpAddr,
};

use domain::{
    balance::Balance,
    endpoint::Endpoint,
    id::{BackendId, KeyId, UserId},
    usage::{Choice, Outcome, UsageRecord},
};
use serde::{Deserialize, Serialize};

use super::dictionary::Dictionary;
use crate::StoreError;

/// First byte of a block in the form of [`Columns`].
const COLUMNS: u8 = 1;
/// First byte of a block in the form of [`Marked`].
const MARKED: u8 = 2;
/// First byte of a block in the form of [`Timed`].
const TIMED: u8 = 3;
/// First byte of a block in the form of [`Placed`].
const PLACED: u8 = 4;
/// First byte of a block in the form of [`Told`].
const TOLD: u8 = 5;
/// First byte of a block in the form of [`Addressed`].
const ADDRESSED: u8 = 6;
/// First byte of a block in the form of [`Led`].
const LED: u8 = 7;
/// Distinct values a filter lists at most; a segment with more answers "perhaps" to every question.
const FILTER_VALUES: usize = 64;

/// What can be known of a segment without its block.
pub(super) struct Summary {
    pub start: u64,
    pub until: u64,
    pub keys: Option<Vec<String>>,
    /// Requests without a model are listed as an empty name.
    pub models: Option<Vec<String>>,
    pub statuses: Option<Vec<u16>>,
}

pub(super) fn summarise(records: &[UsageRecord]) -> Summary {
    let times = || records.iter().map(|record| record.at);
    Summary {
        start: times().min().unwrap_or_default(),
        until: times().max().unwrap_or_default(),
        keys: distinct(records.iter().map(|record| record.key.as_str())).map(owned),
        models: distinct(records.iter().map(|record| record.model.as_deref().unwrap_or_default())).map(owned),
        statuses: distinct(records.iter().map(|record| record.status)),
    }
}

fn distinct<T: Ord>(values: impl Iterator<Item = T>) -> Option<Vec<T>> {
    let mut set = BTreeSet::new();
    for value in values {
        set.insert(value);
        if set.len() > FILTER_VALUES {
            return None;
        }
    }
    Some(set.into_iter().collect())
}

fn owned(values: Vec<&str>) -> Vec<String> {
    values.into_iter().map(str::to_owned).collect()
}

/// All columns have the same length. Times are counted from `base`; a dictionary's number 0 is "none" where a record
/// may go without.
#[derive(Serialize, Deserialize)]
struct Columns {
    base: u64,
    users: Vec<String>,
    keys: Vec<String>,
    models: Vec<String>,
    backends: Vec<String>,
    rows: usize,
    request_id: Vec<u64>,
    at: Vec<u64>,
    user: Vec<u32>,
    key: Vec<u32>,
    model: Vec<u32>,
    backend: Vec<u32>,
    endpoint: Vec<u8>,
    status: Vec<u16>,
    outcome: Vec<u8>,
    bytes_in: Vec<u64>,
    bytes_out: Vec<u64>,
    prompt_tokens: Vec<Option<u64>>,
    completion_tokens: Vec<Option<u64>>,
    tokens_estimated: Vec<bool>,
    queue_us: Vec<u64>,
    load_us: Vec<u64>,
    ttft_us: Vec<Option<u64>>,
    total_us: Vec<u64>,
}

/// The columns, and which of the records have a model that no backend has.
#[derive(Serialize, Deserialize)]
struct Marked {
    columns: Columns,
    /// Numbers of rows.
    unresolved: Vec<u32>,
}

/// The same, and how long backends worked on each.
#[derive(Serialize, Deserialize)]
struct Timed {
    marked: Marked,
    gpu_us: Vec<u64>,
}

/// The same, and what each met where it was sent. Few records have a retry or lost their place to somebody, so those are
/// listed by the numbers of their rows.
#[derive(Serialize, Deserialize)]
struct Placed {
    timed: Timed,
    warm: Vec<Option<bool>>,
    retries: Vec<(u32, u8)>,
    /// Numbers of the dictionary of keys.
    evicted_by: Vec<(u32, u32)>,
}

/// The same, how the backend of each was chosen, and what was told in place of answers. There are few kinds of choices and
/// few errors.
#[derive(Serialize, Deserialize)]
struct Told {
    placed: Placed,
    choices: Vec<Chosen>,
    /// Numbers of `choices` from 1, 0 is none.
    choice: Vec<u32>,
    errors: Vec<String>,
    /// Rows, and numbers of `errors`.
    error: Vec<(u32, u32)>,
}

/// The same, and where each came from.
#[derive(Serialize, Deserialize)]
struct Addressed {
    told: Told,
    addresses: Vec<IpAddr>,
    /// Numbers of `addresses` from 1, 0 is none.
    address: Vec<u32>,
}

/// The same, and how other names led to the models. There are few such ways.
#[derive(Serialize, Deserialize)]
struct Led {
    addressed: Addressed,
    ways: Vec<String>,
    /// Rows, and numbers of `ways`.
    way: Vec<(u32, u32)>,
}

/// A choice with its strategy as a number that stays, by its place in [`Balance::ALL`].
#[derive(Serialize, Deserialize)]
struct Chosen {
    balance: u8,
    of: u16,
    ready: u16,
    by_priority: bool,
    desperate: bool,
}

/// The block of `records`.
pub(super) fn encode(records: &[UsageRecord]) -> Result<Vec<u8>, StoreError> {
    let base = records.iter().map(|record| record.at).min().unwrap_or_default();
    let (mut users, mut keys) = (Dictionary::default(), Dictionary::default());
    let (mut models, mut backends) = (Dictionary::default(), Dictionary::default());
    let rows = || (0_u32..).zip(records);
    let evicted_by =
        rows().filter_map(|(row, record)| Some((row, keys.number(record.evicted_by.as_ref()?.as_str())))).collect();
    let columns = Columns {
        base,
        rows: records.len(),
        request_id: column(records, |record| record.request_id),
        at: column(records, |record| record.at - base),
        user: column(records, |record| users.number(record.user.as_str())),
        key: column(records, |record| keys.number(record.key.as_str())),
        model: column(records, |record| record.model.as_deref().map_or(0, |name| models.number(name))),
        backend: column(records, |record| record.backend.as_ref().map_or(0, |id| backends.number(id.as_str()))),
        endpoint: column(records, |record| record.endpoint as u8),
        status: column(records, |record| record.status),
        outcome: column(records, |record| record.outcome as u8),
        bytes_in: column(records, |record| record.bytes_in),
        bytes_out: column(records, |record| record.bytes_out),
        prompt_tokens: column(records, |record| record.prompt_tokens),
        completion_tokens: column(records, |record| record.completion_tokens),
        tokens_estimated: column(records, |record| record.tokens_estimated),
        queue_us: column(records, |record| record.queue_us),
        load_us: column(records, |record| record.load_us),
        ttft_us: column(records, |record| record.ttft_us),
        total_us: column(records, |record| record.total_us),
        users: users.names,
        keys: keys.names,
        models: models.names,
        backends: backends.names,
    };
    let unresolved = rows().filter(|(_, record)| record.unresolved).map(|(row, _)| row).collect();
    let timed = Timed { marked: Marked { columns, unresolved }, gpu_us: column(records, |record| record.gpu_us) };
    let placed = Placed {
        timed,
        warm: column(records, |record| record.warm),
        retries: rows().filter(|(_, record)| record.retries > 0).map(|(row, record)| (row, record.retries)).collect(),
        evicted_by,
    };
    let (mut choices, mut numbers, mut errors) = (Vec::new(), HashMap::new(), Dictionary::default());
    let mut number = |choice: Choice| {
        *numbers.entry(choice).or_insert_with(|| {
            choices.push(Chosen::of(choice));
            u32::try_from(choices.len()).unwrap_or(u32::MAX)
        })
    };
    let choice = column(records, |record| record.choice.map_or(0, &mut number));
    let error = rows().filter_map(|(row, record)| Some((row, errors.number(record.error.as_deref()?)))).collect();
    let told = Told { placed, choices, choice, errors: errors.names, error };
    let (mut addresses, mut numbers) = (Vec::new(), HashMap::new());
    let mut number = |address: IpAddr| {
        *numbers.entry(address).or_insert_with(|| {
            addresses.push(address);
            u32::try_from(addresses.len()).unwrap_or(u32::MAX)
        })
    };
    let address = column(records, |record| record.address.map_or(0, &mut number));
    let addressed = Addressed { told, addresses, address };
    let mut ways = Dictionary::default();
    let way = rows().filter_map(|(row, record)| Some((row, ways.number(record.via.as_deref()?)))).collect();
    postcard::to_extend(&Led { addressed, ways: ways.names, way }, vec![LED]).map_err(StoreError::other)
}

fn column<'a, T>(records: &'a [UsageRecord], value: impl FnMut(&'a UsageRecord) -> T) -> Vec<T> {
    records.iter().map(value).collect()
}

/// The records of a block, in the order they were written.
pub(super) fn decode(block: &[u8]) -> Result<Vec<UsageRecord>, StoreError> {
    let malformed = |error: postcard::Error| StoreError::corrupt(format_args!("a usage segment: {error}"));
    let contradictory = || StoreError::corrupt("a usage segment contradicts itself");
    match block.split_first() {
        Some((&COLUMNS, rest)) => {
            let columns: Columns = postcard::from_bytes(rest).map_err(malformed)?;
            columns.records().ok_or_else(contradictory)
        }
        Some((&MARKED, rest)) => {
            let marked: Marked = postcard::from_bytes(rest).map_err(malformed)?;
            marked.records().ok_or_else(contradictory)
        }
        Some((&TIMED, rest)) => {
            let timed: Timed = postcard::from_bytes(rest).map_err(malformed)?;
            timed.records().ok_or_else(contradictory)
        }
        Some((&PLACED, rest)) => {
            let placed: Placed = postcard::from_bytes(rest).map_err(malformed)?;
            placed.records().ok_or_else(contradictory)
        }
        Some((&TOLD, rest)) => {
            let told: Told = postcard::from_bytes(rest).map_err(malformed)?;
            told.records().ok_or_else(contradictory)
        }
        Some((&ADDRESSED, rest)) => {
            let addressed: Addressed = postcard::from_bytes(rest).map_err(malformed)?;
            addressed.records().ok_or_else(contradictory)
        }
        Some((&LED, rest)) => {
            let led: Led = postcard::from_bytes(rest).map_err(malformed)?;
            led.records().ok_or_else(contradictory)
        }
        Some((form, _)) => Err(StoreError::corrupt(format_args!("a usage segment of unknown form {form}"))),
        None => Err(StoreError::corrupt("an empty usage segment")),
    }
}

impl Chosen {
    fn of(Choice { balance, of, ready, by_priority, desperate }: Choice) -> Self {
        let balance = Balance::ALL.iter().position(|known| *known == balance).unwrap_or_default();
        Self { balance: u8::try_from(balance).unwrap_or_default(), of, ready, by_priority, desperate }
    }

    fn choice(&self) -> Option<Choice> {
        let &Self { balance, of, ready, by_priority, desperate } = self;
        Some(Choice { balance: *Balance::ALL.get(usize::from(balance))?, of, ready, by_priority, desperate })
    }
}

impl Addressed {
    fn records(&self) -> Option<Vec<UsageRecord>> {
        let mut records = self.told.records().filter(|records| records.len() == self.address.len())?;
        for (record, number) in records.iter_mut().zip(&self.address) {
            record.address = named(&self.addresses, *number)?;
        }
        Some(records)
    }
}

impl Led {
    fn records(&self) -> Option<Vec<UsageRecord>> {
        let mut records = self.addressed.records()?;
        for (row, number) in &self.way {
            let way = named(&self.ways, *number)?.map(String::into_boxed_str);
            records.get_mut(usize::try_from(*row).ok()?)?.via = way;
        }
        Some(records)
    }
}

impl Told {
    fn records(&self) -> Option<Vec<UsageRecord>> {
        let mut records = self.placed.records().filter(|records| records.len() == self.choice.len())?;
        let choices = self.choices.iter().map(Chosen::choice).collect::<Option<Vec<_>>>()?;
        for (record, number) in records.iter_mut().zip(&self.choice) {
            record.choice = named(&choices, *number)?;
        }
        for (row, number) in &self.error {
            let error = named(&self.errors, *number)?.map(String::into_boxed_str);
            records.get_mut(usize::try_from(*row).ok()?)?.error = error;
        }
        Some(records)
    }
}

impl Placed {
    fn records(&self) -> Option<Vec<UsageRecord>> {
        let mut records = self.timed.records().filter(|records| records.len() == self.warm.len())?;
        records.iter_mut().zip(&self.warm).for_each(|(record, warm)| record.warm = *warm);
        for (row, retries) in &self.retries {
            records.get_mut(usize::try_from(*row).ok()?)?.retries = *retries;
        }
        let keys = ids(&self.timed.marked.columns.keys, KeyId::new)?;
        for (row, key) in &self.evicted_by {
            records.get_mut(usize::try_from(*row).ok()?)?.evicted_by = named(&keys, *key)?;
        }
        Some(records)
    }
}

impl Timed {
    fn records(&self) -> Option<Vec<UsageRecord>> {
        let mut records = self.marked.records().filter(|records| records.len() == self.gpu_us.len())?;
        records.iter_mut().zip(&self.gpu_us).for_each(|(record, gpu_us)| record.gpu_us = *gpu_us);
        Some(records)
    }
}

impl Marked {
    fn records(&self) -> Option<Vec<UsageRecord>> {
        let mut records = self.columns.records()?;
        for row in &self.unresolved {
            records.get_mut(usize::try_from(*row).ok()?)?.unresolved = true;
        }
        Some(records)
    }
}

impl Columns {
    fn records(&self) -> Option<Vec<UsageRecord>> {
        let users = ids(&self.users, UserId::new)?;
        let keys = ids(&self.keys, KeyId::new)?;
        let backends = ids(&self.backends, BackendId::new)?;
        (0..self.rows)
            .map(|row| {
                Some(UsageRecord {
                    request_id: *self.request_id.get(row)?,
                    at: self.base.checked_add(*self.at.get(row)?)?,
                    user: named(&users, *self.user.get(row)?)??,
                    key: named(&keys, *self.key.get(row)?)??,
                    model: named(&self.models, *self.model.get(row)?)?,
                    unresolved: false,
                    backend: named(&backends, *self.backend.get(row)?)?,
                    endpoint: Endpoint::from_code(*self.endpoint.get(row)?)?,
                    status: *self.status.get(row)?,
                    bytes_in: *self.bytes_in.get(row)?,
                    bytes_out: *self.bytes_out.get(row)?,
                    prompt_tokens: *self.prompt_tokens.get(row)?,
                    completion_tokens: *self.completion_tokens.get(row)?,
                    tokens_estimated: *self.tokens_estimated.get(row)?,
                    queue_us: *self.queue_us.get(row)?,
                    load_us: *self.load_us.get(row)?,
                    gpu_us: 0,
                    ttft_us: *self.ttft_us.get(row)?,
                    total_us: *self.total_us.get(row)?,
                    outcome: Outcome::from_code(*self.outcome.get(row)?)?,
                    warm: None,
                    retries: 0,
                    evicted_by: None,
                    choice: None,
                    via: None,
                    error: None,
                    address: None,
                    streamed: false,
                })
            })
            .collect()
    }
}

fn ids<T, E>(names: &[String], new: impl Fn(&str) -> Result<T, E>) -> Option<Vec<T>> {
    names.iter().map(|name| new(name).ok()).collect()
}

/// `Some(None)` for the number that means none, `None` for one the dictionary does not have.
fn named<T: Clone>(names: &[T], number: u32) -> Option<Option<T>> {
    match number.checked_sub(1) {
        None => Some(None),
        Some(at) => names.get(usize::try_from(at).ok()?).cloned().map(Some),
    }
}

#[cfg(test)]
mod tests;
