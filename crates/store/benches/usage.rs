//! Questions of the usage pages against a generated database: `RECORDS` (10,000,000) over `DAYS` (730), of 200 users, 400
//! keys, 12 models and 8 backends. Filling takes minutes, so the folder stays where `FOLDER` names one, and is filled when
//! it is not there.
//!
//! `cargo bench --package store --bench usage`, in a target folder of its own (`--package` changes features).

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a bench fails loudly and prints")]

use std::{hint::black_box, path::PathBuf, time::Instant};

use criterion::Criterion;
use domain::{
    endpoint::Endpoint,
    id::{BackendId, KeyId, UserId},
    usage::{Outcome, UsageRecord},
};
use store::{
    Store, StoreConfig,
    row::{SumsQuery, UsageFilter, UsageSearch},
};

const DAY: u64 = 86_400_000;
/// 2024-01-01.
const BEGIN: u64 = 1_704_067_200_000;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Well mixed numbers, the same every time.
fn mix(n: u64) -> u64 {
    let n = (n ^ (n >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    n ^ (n >> 31)
}

fn record(n: u64, at: u64) -> UsageRecord {
    let random = mix(n);
    let below = |shift: u32, most: u64| (random >> shift) % most;
    // Few keys make most of the requests; one makes one in a million.
    let key = if n % 1_000_003 == 17 { 999 } else { below(0, 400).min(below(9, 400)) };
    let cold = below(20, 50) == 0;
    UsageRecord {
        model: Some(format!("model-{:02}:latest", below(3, 12).min(key % 12))),
        backend: Some(BackendId::new(&format!("backend{:05}", below(13, 8))).unwrap()),
        status: if below(30, 40) == 0 { 429 } else { 200 },
        outcome: if below(33, 90) == 0 { Outcome::ClientGone } else { Outcome::Complete },
        prompt_tokens: Some(below(40, 4_000)),
        completion_tokens: Some(below(44, 900)),
        queue_us: if below(17, 5) == 0 { below(25, 3_000_000) } else { 0 },
        load_us: if cold { 2_000_000 + below(22, 9_000_000) } else { 0 },
        gpu_us: below(31, 20_000_000),
        ttft_us: Some(80_000 + below(27, 2_000_000)),
        total_us: 400_000 + below(35, 60_000_000),
        bytes_in: below(38, 9_000),
        bytes_out: below(41, 30_000),
        warm: Some(!cold),
        ..UsageRecord::new(
            random,
            at,
            UserId::new(&format!("user{:08}", key / 2)).unwrap(),
            KeyId::new(&format!("key{key:09}")).unwrap(),
            if below(47, 3) == 0 { Endpoint::OpenAiChat } else { Endpoint::Chat },
        )
    }
}

async fn filled(folder: PathBuf, records: u64, days: u64) -> Store {
    let new = !folder.exists();
    let store = Store::open(&StoreConfig { address: format!("surrealkv://{}", folder.display()) }).await.unwrap();
    if !new {
        return store;
    }
    let begun = Instant::now();
    let step = days * DAY * 1_000 / records;
    let mut next = 0;
    while next < records {
        // A thousand records are one segment where they are near each other.
        let batch: Vec<_> = (next..(next + 4_000).min(records)).map(|n| record(n, BEGIN + n * step / 1_000)).collect();
        next += batch.len() as u64;
        store.append_usage(&batch).await.unwrap();
        if next % 100_000 == 0 {
            while store.roll_up_usage().await.unwrap() {}
            while store.fold_usage(BEGIN + next * step / 1_000).await.unwrap() {}
            println!("{next} records after {:?}", begun.elapsed());
        }
    }
    while store.roll_up_usage().await.unwrap() {}
    store
}

fn main() {
    let (records, days) = (number("RECORDS", 10_000_000), number("DAYS", 730));
    let kept = std::env::var_os("FOLDER").map(PathBuf::from);
    let temporary = std::env::temp_dir().join(format!("usage-bench-{}", std::process::id()));
    let folder = kept.clone().unwrap_or_else(|| temporary.clone());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_stack_size(16 << 20)
        .enable_all()
        .build()
        .unwrap();
    let store = runtime.block_on(filled(folder, records, days));
    let end = BEGIN + days * DAY;
    let mut criterion = Criterion::default().sample_size(10).configure_from_args();
    let sums = |from: u64, filter: UsageFilter, days: bool| {
        let (store, runtime) = (store.clone(), &runtime);
        move || {
            let query = SumsQuery { from, to: end, filter: filter.clone(), days };
            let mut requests = 0;
            runtime.block_on(store.usage_sums(&query, &mut |sum| requests += black_box(sum).requests)).unwrap();
            requests
        }
    };
    let one = UsageFilter { key: KeyId::new("key000000003").ok(), ..UsageFilter::default() };
    let all = UsageFilter::default;
    for (name, ask) in [
        ("sums of the last day", sums(end - DAY, all(), false)),
        ("sums of a month by hours", sums(end - 31 * DAY, all(), false)),
        ("sums of a month of one key", sums(end - 31 * DAY, one.clone(), false)),
        ("sums of two years by days", sums(BEGIN, all(), true)),
        ("sums of two years of one key", sums(BEGIN, one, true)),
    ] {
        println!("{name}: {} requests", ask());
        criterion.bench_function(name, |bencher| bencher.iter(&ask));
    }
    let search = |from: u64, filter: UsageFilter| {
        let (store, runtime) = (store.clone(), &runtime);
        move || {
            let search = UsageSearch {
                from,
                to: end,
                filter: filter.clone(),
                limit: 50,
                look: 1_024,
                read: 100_000,
                ..UsageSearch::default()
            };
            runtime.block_on(store.search_usage(&search)).unwrap()
        }
    };
    let rare = UsageFilter { key: KeyId::new("key000000999").ok(), ..UsageFilter::default() };
    let failed = UsageFilter { failed: true, ..UsageFilter::default() };
    for (name, ask) in [
        ("log: first page", search(end - 30 * DAY, UsageFilter::default())),
        ("log: page of errors", search(end - 30 * DAY, failed)),
        ("log: page of a rare key", search(end - 30 * DAY, rare)),
    ] {
        let found = ask();
        println!("{name}: {} records, next {:?}", found.records.len(), found.next);
        criterion.bench_function(name, |bencher| bencher.iter(&ask));
    }
    criterion.final_summary();
    if kept.is_none() {
        let _ = std::fs::remove_dir_all(temporary);
    }
}
