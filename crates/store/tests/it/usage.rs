//! Usage: what is appended is found again, newest first, and adds up.

use std::collections::BTreeMap;

use domain::{
    endpoint::Endpoint,
    usage::{Outcome, UsageRecord},
};
use store::{KeyTotals, Store};

use crate::support::{backend, folder_config, fresh, key, user};

const SLOT: u64 = 900_000;
const NOON: u64 = 1_800_000_000_000 - 1_800_000_000_000 % SLOT;

pub fn record(n: u64, at: u64) -> UsageRecord {
    let endpoint = if n.is_multiple_of(2) { Endpoint::Chat } else { Endpoint::OpenAiChat };
    UsageRecord {
        model: (!n.is_multiple_of(5)).then(|| format!("llama{}:latest", n % 3)),
        unresolved: false,
        backend: (!n.is_multiple_of(7)).then(|| backend(n % 2).id),
        status: if n.is_multiple_of(10) { 429 } else { 200 },
        bytes_in: n,
        bytes_out: 2 * n,
        prompt_tokens: (!n.is_multiple_of(4)).then_some(3),
        completion_tokens: Some(n),
        tokens_estimated: n.is_multiple_of(9),
        queue_us: n,
        gpu_us: n * 7,
        load_us: 5,
        ttft_us: (!n.is_multiple_of(10)).then_some(1_500),
        total_us: 3_000 * n,
        outcome: if n.is_multiple_of(13) { Outcome::UpstreamFailed } else { Outcome::Complete },
        address: (!n.is_multiple_of(6)).then(|| std::net::IpAddr::from([10, 0, 0, (n % 9) as u8])),
        ..UsageRecord::new(1_000_000 + n, at, user(1).id, key(n % 2).id, endpoint)
    }
}

/// Appends of different size whose times overlap, one with a very long request.
async fn filled(store: &Store) -> Vec<UsageRecord> {
    let mut all = Vec::new();
    for append in 0..80_u64 {
        let mut records = (0..append % 7 + 1)
            .map(|n| record(append * 10 + n, NOON + append * 40_000 - (n * 17_000) % 50_000))
            .collect::<Vec<_>>();
        if append == 70 {
            records.push(record(7_777, NOON + 11));
        }
        store.append_usage(&records).await.unwrap();
        all.extend(records);
    }
    all.sort_by_key(|record| std::cmp::Reverse((record.at, record.request_id)));
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn records_come_back_newest_first_within_any_range_and_limit() {
    let store = fresh().await;
    let all = filled(&store).await;
    assert_eq!(store.usage(0, u64::MAX, usize::MAX).await.unwrap(), all);
    for limit in [0, 1, 10, 100, all.len()] {
        assert_eq!(store.usage(0, u64::MAX, limit).await.unwrap(), all[..limit], "limit {limit}");
    }
    let ranges = [
        (NOON, NOON + 12),
        (NOON + 11, NOON + 12),
        (NOON + 500_000, NOON + 1_500_000),
        (NOON + 9_000_000, u64::MAX),
        (5, 5),
    ];
    for (from, to) in ranges {
        let expected = all.iter().filter(|record| (from..to).contains(&record.at)).cloned().collect::<Vec<_>>();
        assert_eq!(store.usage(from, to, 1_000).await.unwrap(), expected, "{from}..{to}");
        let three = expected.iter().take(3).cloned().collect::<Vec<_>>();
        assert_eq!(store.usage(from, to, 3).await.unwrap(), three, "{from}..{to} at most 3");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rollups_minutes_and_totals_add_up_to_the_records() {
    let store = fresh().await;
    let all = filled(&store).await;
    let rollups = store.rollups(0, u64::MAX).await.unwrap();
    let of_key = |n: u64| rollups.iter().filter(move |row| row.key == key(n).id);
    for n in [0, 1] {
        let mine = || all.iter().filter(|record| record.key == key(n).id);
        assert_eq!(of_key(n).map(|row| row.requests).sum::<u64>(), mine().count() as u64);
        assert_eq!(of_key(n).map(|row| row.bytes_out).sum::<u64>(), mine().map(|record| record.bytes_out).sum::<u64>());
        assert_eq!(of_key(n).map(|row| row.errors).sum::<u64>(), mine().filter(|r| r.status >= 400).count() as u64);
        let tokens = mine().filter_map(|record| record.prompt_tokens).sum::<u64>();
        assert_eq!(of_key(n).map(|row| row.prompt_tokens).sum::<u64>(), tokens);
    }
    let histogram = |pick: fn(&store::row::RollupRow) -> &Vec<u32>| {
        rollups.iter().flat_map(|row| pick(row).iter()).map(|&n| u64::from(n)).sum::<u64>()
    };
    assert_eq!(histogram(|row| &row.total_histogram), all.len() as u64);
    assert_eq!(histogram(|row| &row.ttft_histogram), all.iter().filter(|r| r.ttft_us.is_some()).count() as u64);
    assert!(rollups.iter().all(|row| row.at % SLOT == 0 && row.last_at - row.at < SLOT));
    // One row for each combination seen, and no other.
    let seen = all
        .iter()
        .map(|r| {
            let backend = r.backend.as_ref().map(|id| id.as_str().to_owned());
            (
                (
                    r.at - r.at % SLOT,
                    r.key.as_str().to_owned(),
                    r.model.clone(),
                    backend,
                    r.endpoint as u8,
                    (r.outcome as u8, r.status >= 400),
                ),
                (),
            )
        })
        .collect::<BTreeMap<_, _>>();
    assert_eq!(rollups.len(), seen.len());
    // The range is over the slots' starts.
    let one_slot = store.rollups(NOON + SLOT, NOON + SLOT + 1).await.unwrap();
    assert!(!one_slot.is_empty() && one_slot.iter().all(|row| row.at == NOON + SLOT));

    let minutes = store.minutes(NOON, u64::MAX).await.unwrap();
    let since_noon = || all.iter().filter(|record| record.at >= NOON);
    assert_eq!(minutes.iter().map(|minute| minute.requests).sum::<u64>(), since_noon().count() as u64);
    let failed = since_noon().filter(|r| r.status >= 400 || r.outcome == Outcome::UpstreamFailed).count() as u64;
    assert_eq!(minutes.iter().map(|minute| minute.errors).sum::<u64>(), failed);
    assert!(minutes.is_sorted_by_key(|minute| minute.at) && minutes.iter().all(|minute| minute.at % 60_000 == 0));

    let mut totals = store.key_totals().await.unwrap();
    totals.sort_by(|a, b| a.0.cmp(&b.0));
    let expected = [0, 1].map(|n| {
        let mine = || all.iter().filter(|record| record.key == key(n).id);
        let mut totals = KeyTotals::default();
        mine().for_each(|record| totals.add_request(record.at, record.address));
        (key(n).id, totals)
    });
    assert_eq!(totals, expected);
}

/// Everything that is derived from the records.
async fn derived(store: &Store) -> (Vec<store::row::RollupRow>, Vec<store::row::SpentRow>, Vec<(String, KeyTotals)>) {
    let mut totals: Vec<_> =
        store.key_totals().await.unwrap().into_iter().map(|(key, totals)| (key.as_str().to_owned(), totals)).collect();
    totals.sort_by(|a, b| a.0.cmp(&b.0));
    let mut rollups = store.rollups(0, u64::MAX).await.unwrap();
    rollups.sort_by_key(|row| format!("{row:?}"));
    (rollups, store.spent(NOON - 10 * SLOT, NOON + 20 * SLOT).await.unwrap(), totals)
}

#[tokio::test(flavor = "multi_thread")]
async fn rolling_up_changes_nothing_that_is_read_and_counts_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder_config(folder.path())).await.unwrap();
    let all = filled(&store).await;
    let before = derived(&store).await;
    assert_eq!(before.2.iter().map(|(_, totals)| totals.requests).sum::<u64>(), all.len() as u64);
    assert!(store.roll_up_usage().await.unwrap(), "80 segments are more than one transaction takes");
    assert_eq!(derived(&store).await, before, "half of it rolled up");
    while store.roll_up_usage().await.unwrap() {}
    assert_eq!(derived(&store).await, before);
    assert!(!store.roll_up_usage().await.unwrap());

    // The answer to an append was lost, and meanwhile it was rolled up.
    let again = all.iter().find(|record| record.request_id == 1_007_777).unwrap().clone();
    let more = [record(20_000, NOON + 5)];
    store.append_usage(&more).await.unwrap();
    store.roll_up_usage().await.unwrap();
    let rolled = derived(&store).await;
    store.append_usage(&more).await.unwrap();
    assert_eq!(derived(&store).await, rolled);
    assert_eq!(again.at, NOON + 11);

    // What a process that was killed left pending is read, and rolled up by the next.
    store.append_usage(&[record(20_001, NOON + 6)]).await.unwrap();
    let left = derived(&store).await;
    store.close().await.unwrap();
    let store = Store::open(&folder_config(folder.path())).await.unwrap();
    assert_eq!(derived(&store).await, left);
    store.roll_up_usage().await.unwrap();
    assert_eq!(derived(&store).await, left);
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_larger_than_a_segment_is_whole_and_survives_closing() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder_config(folder.path())).await.unwrap();
    let records = (0..5_000).map(|n| record(n, NOON + n)).collect::<Vec<_>>();
    store.append_usage(&records).await.unwrap();
    store.append_usage(&[]).await.unwrap();
    store.close().await.unwrap();
    let store = Store::open(&folder_config(folder.path())).await.unwrap();
    let mut found = store.usage(0, u64::MAX, usize::MAX).await.unwrap();
    found.reverse();
    assert_eq!(found, records);
    assert_eq!(store.revision().await.unwrap(), 0, "usage does not count the revision up");
    store.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_batch_handed_over_again_is_counted_once() {
    let store = fresh().await;
    // Two segments, and one of them: the answer to each may have been lost.
    for batch in [(0..5_000).map(|n| record(n, NOON + n)).collect::<Vec<_>>(), vec![record(9_000, NOON + 9_000)]] {
        let before = store.usage(0, u64::MAX, usize::MAX).await.unwrap().len();
        for _ in 0..3 {
            store.append_usage(&batch).await.unwrap();
        }
        assert_eq!(store.usage(0, u64::MAX, usize::MAX).await.unwrap().len(), before + batch.len());
    }
    let requests = store.rollups(0, u64::MAX).await.unwrap().iter().map(|row| row.requests).sum::<u64>();
    let totals = store.key_totals().await.unwrap().iter().map(|(_, totals)| totals.requests).sum::<u64>();
    assert_eq!((requests, totals), (5_001, 5_001));
    // Other records are other segments, though time and first request are the same.
    let other = UsageRecord { status: 500, ..record(9_000, NOON + 9_000) };
    store.append_usage(&[other]).await.unwrap();
    assert_eq!(store.usage(0, u64::MAX, usize::MAX).await.unwrap().len(), 5_002);
}

#[tokio::test(flavor = "multi_thread")]
async fn token_numbers_beyond_the_databases_integers_are_kept_and_their_sums_end_there() {
    let store = fresh().await;
    let most = |n| UsageRecord { completion_tokens: Some(u64::MAX), load_us: u64::MAX, ..record(n, NOON) };
    for n in [1, 1 + 210] {
        store.append_usage(&[most(n), most(n + 420)]).await.unwrap();
    }
    assert_eq!(store.usage(0, u64::MAX, 1).await.unwrap()[0].completion_tokens, Some(u64::MAX));
    let rollups = store.rollups(0, u64::MAX).await.unwrap();
    assert!(rollups.iter().all(|row| row.completion_tokens == i64::MAX as u64 && row.load_us == i64::MAX as u64));
    assert!(rollups.iter().any(|row| row.requests > 1), "sums of sums are among them");
    assert_eq!(store.minutes(0, u64::MAX).await.unwrap()[0].completion_tokens, u64::MAX);
}

#[tokio::test(flavor = "multi_thread")]
async fn models_no_backend_has_are_kept_by_name_and_summed_under_none() {
    let store = fresh().await;
    let invented = (0..50)
        .map(|n| {
            let endpoint = Endpoint::Chat;
            UsageRecord {
                model: Some(format!("invented-{n}")),
                unresolved: true,
                ..UsageRecord::new(n, NOON + n, user(1).id, key(1).id, endpoint)
            }
        })
        .collect::<Vec<_>>();
    store.append_usage(&invented).await.unwrap();
    let rollups = store.rollups(0, u64::MAX).await.unwrap();
    assert_eq!(rollups.iter().map(|row| (&row.model, row.requests)).collect::<Vec<_>>(), [(&None, 50)]);
    let mut found = store.usage(0, u64::MAX, usize::MAX).await.unwrap();
    found.reverse();
    assert_eq!(found, invented);
}
