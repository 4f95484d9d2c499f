//! The log of requests: pages, filters and places, against a look over all records.

use std::cmp::Reverse;

use domain::usage::{Outcome, UsageRecord};
use store::{
    Store,
    row::{LogPlace, UsageFilter, UsageSearch},
};

use crate::{
    support::{backend, fresh, key, user},
    usage::record,
};

const NOON: u64 = 1_800_000_000_000;

fn search(from: u64, to: u64) -> UsageSearch {
    UsageSearch { from, to, limit: 50, look: usize::MAX, read: usize::MAX, ..UsageSearch::default() }
}

fn sorted(records: &[UsageRecord]) -> Vec<UsageRecord> {
    let mut sorted = records.to_vec();
    sorted.sort_by_key(|record| Reverse((record.at, record.request_id)));
    sorted
}

/// A hundred appends; each has a request that came up to an hour earlier, and some came at the same moment.
async fn filled(store: &Store) -> Vec<UsageRecord> {
    let mut all = Vec::new();
    for append in 0..100_u64 {
        let at = NOON + append * 1_000;
        let mut records: Vec<_> = (0..9).map(|n| record(append * 10 + n, at - (n * 317) % 1_000)).collect();
        records.push(record(append * 10 + 9, at - (append * 36_000) % 3_600_000));
        records.push(record(append * 10 + 5_000, NOON + 30_000));
        store.append_usage(&records).await.unwrap();
        all.extend(records);
    }
    sorted(&all)
}

/// All pages, and how many there were.
async fn pages(store: &Store, query: &UsageSearch) -> (Vec<UsageRecord>, usize) {
    let (mut found, mut query, mut pages) = (Vec::new(), query.clone(), 0);
    loop {
        let page = store.search_usage(&query).await.unwrap();
        pages += 1;
        assert!(page.records.len() <= query.limit);
        found.extend(page.records);
        assert!(pages < 10_000, "it goes on");
        match page.next {
            Some(next) => {
                assert!(query.after.is_none_or(|after| next < after), "it comes on");
                query.after = Some(next);
            }
            None => return (found, pages),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_the_log_newest_first_whatever_their_size_and_bounds() {
    let store = fresh().await;
    let all = filled(&store).await;
    for (limit, look, read) in [(50, usize::MAX, usize::MAX), (7, usize::MAX, usize::MAX), (2_000, 1, 1), (3, 5, 2)] {
        let (found, count) = pages(&store, &UsageSearch { limit, look, read, ..search(0, u64::MAX) }).await;
        assert_eq!(found, all, "{limit} a page, {look} looked at");
        assert!(count > 1 || limit > all.len());
    }
    // Stretches of time that are known to have all of it, on a page, over pages, and with a small bound.
    let within =
        vec![(NOON - 9_000_000, NOON - 1_000_000), (NOON + 5_000, NOON + 7_000), (NOON + 30_000, NOON + 30_500)];
    let inside = |record: &&UsageRecord| within.iter().any(|(from, to)| (*from..*to).contains(&record.at));
    let expected: Vec<_> = all.iter().filter(inside).cloned().collect();
    for (limit, look) in [(2_000, usize::MAX), (7, usize::MAX), (7, 1), (100, 3)] {
        let query = UsageSearch { within: Some(within.clone()), limit, look, ..search(0, u64::MAX) };
        assert_eq!(pages(&store, &query).await.0, expected, "{limit} a page, {look} looked at");
    }
    let (from, to) = (NOON + 20_000, NOON + 30_001);
    let expected: Vec<_> = all.iter().filter(|record| (from..to).contains(&record.at)).cloned().collect();
    assert!(expected.len() > 100);
    assert_eq!(pages(&store, &search(from, to)).await.0, expected);
    assert_eq!(pages(&store, &search(to, from)).await.0, []);
    assert_eq!(pages(&store, &UsageSearch { limit: 0, ..search(0, u64::MAX) }).await.0, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_filter_takes_what_it_means() {
    let store = fresh().await;
    let all = filled(&store).await;
    let check = async |query: UsageSearch, takes: &dyn Fn(&UsageRecord) -> bool| {
        let expected: Vec<_> = all.iter().filter(|record| takes(record)).cloned().collect();
        assert!(!expected.is_empty() && expected.len() < all.len(), "{query:?}");
        assert_eq!(pages(&store, &query).await.0, expected, "{query:?}");
    };
    let with = |filter: UsageFilter| UsageSearch { filter, ..search(0, u64::MAX) };
    let none = UsageFilter::default;
    check(with(UsageFilter { key: Some(key(1).id), ..none() }), &|r| r.key == key(1).id).await;
    check(with(UsageFilter { backend: Some(backend(1).id), ..none() }), &|r| r.backend == Some(backend(1).id)).await;
    check(with(UsageFilter { model: Some(None), ..none() }), &|r| r.model.is_none()).await;
    let name = Some("llama1:latest".to_owned());
    check(with(UsageFilter { model: Some(name.clone()), ..none() }), &|r| r.model == name).await;
    let endpoint = domain::endpoint::Endpoint::OpenAiChat;
    check(with(UsageFilter { endpoint: Some(endpoint), ..none() }), &|r| r.endpoint == endpoint).await;
    let broken = Outcome::UpstreamFailed;
    check(with(UsageFilter { outcome: Some(broken), ..none() }), &|r| r.outcome == broken).await;
    check(with(UsageFilter { failed: true, ..none() }), &|r| r.status >= 400 || r.outcome == broken).await;
    let complete = UsageFilter { failed: true, outcome: Some(Outcome::Complete), ..none() };
    check(with(complete), &|r| r.status >= 400 && r.outcome == Outcome::Complete).await;
    check(UsageSearch { statuses: Some((400, 499)), ..search(0, u64::MAX) }, &|r| r.status == 429).await;
    check(UsageSearch { statuses: Some((200, 200)), ..search(0, u64::MAX) }, &|r| r.status == 200).await;
    check(UsageSearch { request_id: Some(1_000_123), ..search(0, u64::MAX) }, &|r| r.request_id == 1_000_123).await;
    let of_user = UsageSearch {
        keys: Some(vec![key(0).id]),
        ..with(UsageFilter { key: Some(key(0).id), user: Some(user(1).id), ..none() })
    };
    check(of_user, &|r| r.key == key(0).id).await;
    let nobody = with(UsageFilter { user: Some(user(2).id), ..none() });
    assert_eq!(pages(&store, &nobody).await.0, []);
    assert_eq!(pages(&store, &UsageSearch { keys: Some(Vec::new()), ..nobody }).await.0, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_stays_while_more_comes() {
    let store = fresh().await;
    let all = filled(&store).await;
    let mut query = UsageSearch { limit: 40, ..search(0, u64::MAX) };
    let (mut found, mut places): (Vec<UsageRecord>, Vec<LogPlace>) = (Vec::new(), Vec::new());
    for round in 0.. {
        let page = store.search_usage(&query).await.unwrap();
        found.extend(page.records);
        let Some(next) = page.next else { break };
        places.push(next);
        query.after = Some(next);
        // Newer ones, and one as new as the newest that is known.
        let newer = [record(90_000 + round, NOON + 200_000 + round), record(99_000 + round, NOON + 99_000)];
        store.append_usage(&newer).await.unwrap();
    }
    assert!(places.len() > 20);
    assert_eq!(found, all, "none twice, none missing, none of the new ones");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_in_vain_stops_at_its_bound_and_says_how_far_it_came() {
    let store = fresh().await;
    for append in 0..300_u64 {
        store.append_usage(&[record(append, NOON + append * 1_000)]).await.unwrap();
    }
    let nobody = UsageFilter { key: Some(key(7).id), ..UsageFilter::default() };
    let query = UsageSearch { look: 20, filter: nobody, ..search(0, NOON + 300_000) };
    let page = store.search_usage(&query).await.unwrap();
    let (at, _) = page.next.unwrap();
    assert!(page.records.is_empty());
    assert!(at > NOON && at < NOON + 290_000, "{at}");
    let (found, count) = pages(&store, &query).await;
    assert_eq!(found, []);
    assert!((2..=16).contains(&count), "{count}");
}

#[tokio::test(flavor = "multi_thread")]
async fn small_segments_are_brought_together_and_the_log_stays_the_same() {
    let store = fresh().await;
    let all = filled(&store).await;
    let pieces = async || {
        let look = UsageSearch {
            filter: UsageFilter { key: Some(key(7).id), ..UsageFilter::default() },
            look: 1,
            ..search(0, u64::MAX)
        };
        pages(&store, &look).await.1
    };
    let before = pieces().await;
    let later = NOON + 86_400_000 * 2;
    // Nothing is brought together that is not rolled up.
    while store.fold_usage(later).await.unwrap() {}
    while store.roll_up_usage().await.unwrap() {}
    let folding = [store.clone(), store.clone()]
        .map(|store| tokio::spawn(async move { while store.fold_usage(later).await.unwrap() {} }));
    for task in folding {
        task.await.unwrap();
    }
    assert!(pieces().await < before / 4, "{} of {before}", pieces().await);
    for limit in [50, 7] {
        assert_eq!(pages(&store, &UsageSearch { limit, ..search(0, u64::MAX) }).await.0, all);
    }
    assert_eq!(
        store.usage(NOON, NOON + 40_000, usize::MAX).await.unwrap().len(),
        all.iter().filter(|r| (NOON..NOON + 40_000).contains(&r.at)).count()
    );
    let late = [record(70_000, NOON - 600_000), record(70_001, NOON + 31_000)];
    store.append_usage(&late).await.unwrap();
    let all = sorted(&[all, late.to_vec()].concat());
    assert_eq!(pages(&store, &UsageSearch { limit: 9, ..search(0, u64::MAX) }).await.0, all);
    assert_eq!(store.rollups(0, u64::MAX).await.unwrap().iter().map(|row| row.requests).sum::<u64>(), all.len() as u64);
}
