//! Roll-ups are folded into days and months and deleted in time: what they add up to stays, whoever does it and whenever it
//! is cut off.

use std::collections::BTreeMap;

use domain::{
    endpoint::Endpoint,
    usage::{Outcome, UsageRecord},
};
use store::{
    Store,
    row::{RollupRow, SumsQuery, UsageFilter},
};

use crate::{
    support::{backend, folder_config, fresh, key, user},
    usage::record,
};

const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;
/// 2026-01-01.
const JANUARY: u64 = 1_767_225_600_000;
const FEBRUARY: u64 = JANUARY + 31 * DAY;
const MARCH: u64 = FEBRUARY + 28 * DAY;

/// Records every few hours from the first of January to the end of March.
fn records() -> Vec<UsageRecord> {
    (0..700_u64)
        .map(|n| UsageRecord {
            warm: [None, Some(true), Some(false)][(n % 3) as usize],
            user: user(n % 2 + 1).id,
            ttft_us: (n % 4 > 0).then_some(n * 3_000),
            ..record(n, JANUARY + n * 3 * HOUR + n * 61_007)
        })
        .collect()
}

async fn append(store: &Store, records: &[UsageRecord]) {
    for part in records.chunks(50) {
        store.append_usage(part).await.unwrap();
    }
    while store.roll_up_usage().await.unwrap() {}
}

async fn fold(store: &Store, now: u64) {
    while store.fold_usage(now).await.unwrap() {}
}

/// Requests, errors, tokens, cold answers and both histograms' counts, by stretches of `length` and by who asked for what.
type Sums = BTreeMap<(u64, String, Option<String>, Option<String>, u8, u8, bool), [u64; 9]>;

fn add(sums: &mut Sums, row: &RollupRow, length: u64) {
    let what = (
        row.at - row.at % length,
        row.key.to_string() + row.user.as_str(),
        row.model.clone(),
        row.backend.as_ref().map(ToString::to_string),
        row.endpoint as u8,
        row.outcome as u8,
        row.failed,
    );
    let sum = sums.entry(what).or_default();
    let times = |histogram: &[u32]| histogram.iter().map(|&count| u64::from(count)).sum::<u64>();
    let of_row = [
        row.requests,
        row.errors,
        row.prompt_tokens + 1_000 * row.completion_tokens,
        row.cold,
        row.queue_us + row.load_us + row.gpu_us,
        times(&row.total_histogram),
        times(&row.ttft_histogram),
        times(&row.warm_ttft_histogram),
        times(&row.cold_ttft_histogram),
    ];
    sum.iter_mut().zip(of_row).for_each(|(sum, value)| *sum += value);
}

fn naive(records: &[UsageRecord], length: u64) -> Sums {
    let mut sums = Sums::new();
    for record in records {
        let one = |yes: bool| if yes { vec![1] } else { Vec::new() };
        let row = RollupRow {
            at: record.at,
            user: record.user.clone(),
            key: record.key.clone(),
            model: record.model.clone(),
            backend: record.backend.clone(),
            endpoint: record.endpoint,
            outcome: record.outcome,
            failed: record.status >= 400,
            requests: 1,
            errors: u64::from(record.status >= 400),
            bytes_in: record.bytes_in,
            bytes_out: record.bytes_out,
            prompt_tokens: record.prompt_tokens.unwrap_or_default(),
            completion_tokens: record.completion_tokens.unwrap_or_default(),
            load_us: record.load_us,
            gpu_us: record.gpu_us,
            queue_us: record.queue_us,
            cold: u64::from(record.warm == Some(false)),
            last_at: record.at,
            total_histogram: vec![1],
            ttft_histogram: one(record.ttft_us.is_some()),
            warm_ttft_histogram: one(record.ttft_us.is_some() && record.warm == Some(true)),
            cold_ttft_histogram: one(record.ttft_us.is_some() && record.warm == Some(false)),
        };
        add(&mut sums, &row, length);
    }
    sums
}

async fn stored(store: &Store, length: u64) -> Sums {
    let mut sums = Sums::new();
    store.rollups(0, u64::MAX).await.unwrap().iter().for_each(|row| add(&mut sums, row, length));
    sums
}

/// Requests by the start of their stretch, as the reader of long times hands them over.
async fn by_days(store: &Store, filter: UsageFilter) -> BTreeMap<u64, u64> {
    let mut sums = BTreeMap::new();
    let query = SumsQuery { from: JANUARY, to: MARCH + 31 * DAY, filter, days: true };
    store.usage_sums(&query, &mut |sum| *sums.entry(sum.at).or_default() += sum.requests).await.unwrap();
    sums
}

fn total(sums: &BTreeMap<u64, u64>) -> u64 {
    sums.values().sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn folding_changes_no_sum_of_an_hour_and_can_be_repeated() {
    let store = fresh().await;
    let all = records();
    append(&store, &all).await;
    assert_eq!(stored(&store, 900_000).await, naive(&all, 900_000), "slots");
    let spent = store.spent(JANUARY, MARCH).await.unwrap();
    let noon = MARCH + 4 * DAY + 12 * HOUR;
    // One piece, and everything.
    assert!(store.fold_usage(noon).await.unwrap());
    assert_eq!(stored(&store, HOUR).await, naive(&all, HOUR), "one day is folded");
    fold(&store, noon).await;
    assert_eq!(stored(&store, HOUR).await, naive(&all, HOUR));
    assert!(!store.fold_usage(noon).await.unwrap());
    assert_eq!(store.spent(JANUARY, MARCH).await.unwrap(), spent);
    let rows = store.rollups(0, u64::MAX).await.unwrap();
    let folded = |row: &&RollupRow| row.at < MARCH + 4 * DAY;
    assert!(rows.iter().filter(folded).all(|row| row.at % HOUR == 0));
    assert!(rows.iter().any(|row| row.at % HOUR != 0), "of today and of later days the slots are left");
    // January and February are read as days of UTC.
    let days = by_days(&store, UsageFilter::default()).await;
    assert_eq!(total(&days), 700);
    assert!(days.keys().filter(|&&at| at < MARCH).all(|at| at % DAY == 0));
    assert!(days.keys().any(|&at| at > MARCH && at % DAY != 0));
    let expected = |days: &BTreeMap<u64, u64>, at: u64| {
        let requests = all.iter().filter(|record| record.at / DAY == at / DAY).count() as u64;
        assert_eq!(days.get(&at).copied().unwrap_or_default(), requests);
    };
    (0..59).for_each(|day| expected(&days, JANUARY + day * DAY));
    // A filter means the same in every form.
    let filter = UsageFilter { model: Some(None), failed: true, ..UsageFilter::default() };
    let failed = |record: &&UsageRecord| record.status >= 400 || record.outcome == Outcome::UpstreamFailed;
    let expected = all.iter().filter(|record| record.model.is_none()).filter(failed).count() as u64;
    assert!(expected > 10);
    assert_eq!(total(&by_days(&store, filter).await), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_late_counts_and_is_folded_again() {
    let store = fresh().await;
    let mut all = records();
    append(&store, &all).await;
    let now = MARCH + 40 * DAY;
    fold(&store, now).await;
    let late: Vec<_> = (0..5).map(|n| record(9_000 + n, JANUARY + n * 8 * DAY + 5)).collect();
    store.append_usage(&late).await.unwrap();
    all.extend(late);
    for round in ["pending", "rolled up", "folded"] {
        assert_eq!(stored(&store, HOUR).await, naive(&all, HOUR), "{round}");
        let days = by_days(&store, UsageFilter::default()).await;
        assert_eq!(total(&days), 705, "{round}");
        match round {
            "pending" => {
                // Of a day of which something is pending nothing is folded.
                assert!(!store.fold_usage(now).await.unwrap());
                store.roll_up_usage().await.unwrap();
            }
            _ => fold(&store, now).await,
        }
    }
    let days = by_days(&store, UsageFilter::default()).await;
    assert!(days.keys().all(|at| at % DAY == 0), "the months were written again");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_at_once_and_an_end_between_two_pieces_lose_and_double_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(&folder_config(folder.path())).await.unwrap();
    let all: Vec<_> = records().into_iter().filter(|record| record.at < JANUARY + 20 * DAY).collect();
    let now = FEBRUARY + 40 * DAY;
    let (first, rest) = all.split_at(100);
    append(&store, first).await;
    // What is read at any moment is whole, while two fold and one goes on writing.
    let folding = [store.clone(), store.clone()].map(|store| tokio::spawn(async move { fold(&store, now).await }));
    let writing = tokio::spawn({
        let (store, rest) = (store.clone(), rest.to_vec());
        async move { append(&store, &rest).await }
    });
    let until = first.last().unwrap().at / DAY * DAY;
    let whole = all.iter().filter(|record| record.at < until).count() as u64;
    while !folding.iter().all(tokio::task::JoinHandle::is_finished) {
        let requests = store.rollups(0, until).await.unwrap().iter().map(|row| row.requests).sum::<u64>();
        assert_eq!(requests, whole);
    }
    for task in folding {
        task.await.unwrap();
    }
    writing.await.unwrap();
    // Something for every day, late.
    let late: Vec<_> = (0..20).map(|n| record(5_000 + n, JANUARY + n * DAY)).collect();
    append(&store, &late).await;
    let all = [all, late].concat();
    let expected = naive(&all, HOUR);
    assert_eq!(stored(&store, HOUR).await, expected);
    // Opened anew after each piece of what is left.
    let mut pieces = 0;
    loop {
        let more = store.fold_usage(now).await.unwrap();
        assert_eq!(stored(&store, HOUR).await, expected, "piece {pieces}");
        if !more {
            break;
        }
        pieces += 1;
        if pieces % 8 == 0 {
            store.close().await.unwrap();
            store = Store::open(&folder_config(folder.path())).await.unwrap();
        }
    }
    assert!(pieces >= 20, "each day was left to fold");
    assert_eq!(total(&by_days(&store, UsageFilter::default()).await), all.len() as u64);
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn retention_deletes_what_is_old_and_keeps_what_is_pending() {
    let store = fresh().await;
    let all = records();
    append(&store, &all).await;
    let pending = UsageRecord { request_id: 5, ..record(3, JANUARY + 1) };
    store.append_usage(std::slice::from_ref(&pending)).await.unwrap();
    let forget = async |records: u64, sums: u64| while store.forget_usage(records, sums).await.unwrap() {};
    let cut = FEBRUARY + 3 * DAY + 7 * HOUR;
    forget(cut, 0).await;
    let mut left: Vec<_> = all.iter().filter(|record| record.at >= cut).cloned().collect();
    left.push(pending);
    left.sort_by_key(|record| std::cmp::Reverse(record.at));
    let found = store.usage(0, u64::MAX, usize::MAX).await.unwrap();
    // A segment goes when all of it is old.
    assert!(found.len() - left.len() < 50 && left.iter().all(|record| found.contains(record)));
    let requests = async || store.rollups(0, u64::MAX).await.unwrap().iter().map(|row| row.requests).sum::<u64>();
    assert_eq!(requests().await, 701, "the sums stay");
    store.roll_up_usage().await.unwrap();
    forget(cut, 0).await;
    assert!(!store.usage(0, JANUARY + 2, 1).await.unwrap().iter().any(|record| record.request_id == 5));
    assert_eq!(requests().await, 701, "it was rolled up first");

    // Sums go by whole days, wherever they lie.
    fold(&store, MARCH + DAY + 2 * HOUR).await;
    forget(0, cut).await;
    let kept = all.iter().filter(|record| record.at >= FEBRUARY + 3 * DAY).count() as u64;
    assert_eq!(requests().await, kept);
    let days = by_days(&store, UsageFilter::default()).await;
    assert!(days.keys().all(|&at| at >= FEBRUARY), "the month of January is gone with its days");
    forget(0, MARCH + 365 * DAY).await;
    assert_eq!(requests().await, 0);
    assert!(!store.forget_usage(0, MARCH + 365 * DAY).await.unwrap());
    append(&store, &all[..3]).await;
    fold(&store, MARCH).await;
    assert_eq!(stored(&store, HOUR).await, naive(&all[..3], HOUR), "a new beginning");
}

#[tokio::test(flavor = "multi_thread")]
async fn backends_keys_and_endpoints_are_told_apart_when_folded() {
    let store = fresh().await;
    let of = |n: u64, endpoint| UsageRecord {
        endpoint,
        backend: Some(backend(n).id),
        key: key(n).id,
        ..record(n, JANUARY + n)
    };
    let all = [of(1, Endpoint::Chat), of(2, Endpoint::Chat), of(3, Endpoint::Embed), of(3, Endpoint::Embed)];
    let all: Vec<_> = all.into_iter().enumerate().map(|(n, r)| UsageRecord { request_id: n as u64, ..r }).collect();
    append(&store, &all).await;
    fold(&store, MARCH).await;
    let rows = store.rollups(0, u64::MAX).await.unwrap();
    let mut requests: Vec<_> = rows.iter().map(|row| (row.key.clone(), row.endpoint, row.requests)).collect();
    requests.sort();
    let expected = [(key(1).id, Endpoint::Chat, 1), (key(2).id, Endpoint::Chat, 1), (key(3).id, Endpoint::Embed, 2)];
    assert_eq!(requests, expected);
}
