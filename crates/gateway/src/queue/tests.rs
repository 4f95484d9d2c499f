//! Who waits, who is next, and that nobody is forgotten.

use std::collections::{HashMap, VecDeque};

use domain::balance::Balance;
use futures_util::{FutureExt, StreamExt, future::join_all, stream::FuturesUnordered};
use proptest::prelude::*;

use super::*;
use crate::{
    backend::{Backend, tests::backend_with},
    balance::Member,
};

const PATIENCE: Duration = Duration::from_secs(20);

fn key(number: u8) -> KeyId {
    KeyId::new(&format!("key{number:09}")).unwrap()
}

fn member(backend: &Arc<Backend>, model: &str) -> Member {
    Member { model: backend.model(model), backend: Arc::clone(backend), native: true }
}

fn backend(number: u8, parallel: u32) -> Arc<Backend> {
    backend_with(number, |entry| entry.parallel = Some(parallel))
}

fn candidates(backend: &Arc<Backend>) -> Candidates {
    Candidates::of(vec![member(backend, "a")], Balance::WarmFirst)
}

impl Queue {
    /// A slot as requests come by it.
    async fn place(&self, candidates: &mut Candidates, wait: &Wait<'_>) -> Result<Placed, Refused> {
        match self.place_at_once(candidates) {
            Some(placed) => placed,
            None => self.wait(candidates, wait).await,
        }
    }
}

fn wait(key: &KeyId, cost: u64) -> Wait<'_> {
    Wait { request_id: 1, key, cost, bounds: Bounds { max: 1_000, timeout: PATIENCE } }
}

#[tokio::test]
async fn a_freed_slot_goes_to_whoever_waits_and_not_to_whoever_comes() {
    let backend = backend(0, 1);
    let queue = backend.queue();
    let (mut first, mut second, mut third) = (candidates(&backend), candidates(&backend), candidates(&backend));
    let (one, two) = (key(1), key(2));
    let Placed { choice: held, .. } = queue.place_at_once(&mut first).unwrap().unwrap();
    let ask = wait(&two, 1);
    let mut waiting = Box::pin(queue.place(&mut second, &ask));
    assert!(waiting.as_mut().now_or_never().is_none());
    assert_eq!(queue.waiting(), 1);
    drop(held);
    assert_eq!(queue.waiting(), 0, "it was given away at once");
    let ask = wait(&one, 1);
    let mut late = Box::pin(queue.place(&mut third, &ask));
    assert!(late.as_mut().now_or_never().is_none());
    let Placed { choice: held, .. } = waiting.await.unwrap();
    drop(held);
    assert!(late.await.is_ok());
}

#[tokio::test]
async fn who_leaves_the_line_leaves_nothing_behind() {
    let backend = backend(0, 1);
    let queue = backend.queue();
    let owner = key(1);
    let (mut first, mut second, mut third) = (candidates(&backend), candidates(&backend), candidates(&backend));
    let held = queue.place(&mut first, &wait(&owner, 1)).await.unwrap();
    let ask = wait(&owner, 1);
    let mut waiting = Box::pin(queue.place(&mut second, &ask));
    assert!(waiting.as_mut().now_or_never().is_none());
    drop(waiting);
    assert_eq!(queue.waiting(), 0);
    let mut served = Box::pin(queue.place(&mut third, &ask));
    assert!(served.as_mut().now_or_never().is_none());
    drop(held);
    // Its slot was given to it and never taken up.
    drop(served);
    assert_eq!((queue.waiting(), backend.load().in_flight()), (0, 0));
}

#[tokio::test]
async fn waiting_ends_with_the_deadline_and_with_the_last_backend() {
    let backend = backend(0, 1);
    let queue = backend.queue();
    let owner = key(1);
    let mut first = candidates(&backend);
    let _held = queue.place(&mut first, &wait(&owner, 1)).await.unwrap();
    let short = Wait { bounds: Bounds { max: 9, timeout: Duration::from_millis(1) }, ..wait(&owner, 1) };
    assert_eq!(queue.place(&mut candidates(&backend), &short).await.err(), Some(Refused::TimedOut));
    let none = Wait { bounds: Bounds { max: 0, timeout: PATIENCE }, ..wait(&owner, 1) };
    assert_eq!(queue.place(&mut candidates(&backend), &none).await.err(), Some(Refused::QueueFull));
    let mut second = candidates(&backend);
    let ask = wait(&owner, 1);
    let mut waiting = Box::pin(queue.place(&mut second, &ask));
    assert!(waiting.as_mut().now_or_never().is_none());
    backend.load().configure(Some(1), false);
    queue.freed();
    assert_eq!(waiting.await.err(), Some(Refused::Nobody), "it was drained");
    assert_eq!(queue.waiting(), 0);
}

#[tokio::test]
async fn a_full_queue_costs_the_flood_and_not_the_newcomer() {
    let backend = backend(0, 1);
    let queue = backend.queue();
    let (flood, quiet) = (key(1), key(2));
    let _held = queue.place(&mut candidates(&backend), &wait(&flood, 1)).await.unwrap();
    let bounds = Bounds { max: 3, timeout: PATIENCE };
    let ask = Wait { bounds, ..wait(&flood, 1) };
    let mut lines: Vec<_> = (0..3).map(|_| candidates(&backend)).collect();
    let mut waiting: Vec<_> = lines.iter_mut().map(|line| Box::pin(queue.place(line, &ask))).collect();
    assert!(waiting.iter_mut().all(|waiting| waiting.as_mut().now_or_never().is_none()));
    assert_eq!(queue.place(&mut candidates(&backend), &ask).await.err(), Some(Refused::QueueFull));
    let ask = Wait { bounds, ..wait(&quiet, 1) };
    let mut line = candidates(&backend);
    let mut newcomer = Box::pin(queue.place(&mut line, &ask));
    assert!(newcomer.as_mut().now_or_never().is_none());
    assert_eq!(queue.waiting(), 3);
    assert_eq!(waiting.pop().unwrap().await.err(), Some(Refused::QueueFull), "the newest of the longest line");
}

#[tokio::test]
async fn a_key_with_one_request_waits_for_its_turn_and_not_for_a_flood() {
    let backend = backend(0, 1);
    let queue = backend.queue();
    let (flood, quiet) = (key(1), key(2));
    let mut held = Some(queue.place(&mut candidates(&backend), &wait(&flood, 300)).await.unwrap());
    let ask = wait(&flood, 300);
    let mut lines: Vec<_> = (0..100).map(|_| candidates(&backend)).collect();
    let mut waiting: Vec<_> = lines.iter_mut().map(|line| Box::pin(queue.place(line, &ask))).collect();
    assert!(waiting.iter_mut().all(|waiting| waiting.as_mut().now_or_never().is_none()));
    let quiet_ask = wait(&quiet, 300);
    let mut line = candidates(&backend);
    let mut one = Box::pin(queue.place(&mut line, &quiet_ask));
    assert!(one.as_mut().now_or_never().is_none());
    let places = queue.places(&quiet);
    assert_eq!((places.len(), places[0].position <= 4), (1, true), "{places:?}");
    let mut served_before = 0;
    loop {
        drop(held.take());
        if let Some(answer) = one.as_mut().now_or_never() {
            assert!(answer.is_ok());
            break;
        }
        served_before += 1;
        let next = waiting
            .iter_mut()
            .position(|waiting| waiting.as_mut().now_or_never().map(|answer| held = Some(answer.unwrap())).is_some());
        drop(waiting.remove(next.expect("the slot went to somebody")));
    }
    assert!(served_before <= 3, "{served_before} of the flood went first");
}

#[tokio::test]
async fn a_model_without_a_slot_holds_up_nobody_elses() {
    let (full, free) = (backend(0, 1), backend_with(1, |entry| entry.parallel = Some(1)));
    // One fleet: what waits for one backend and what waits for another is the same line.
    let queue = full.queue();
    let owner = key(1);
    let _held = queue.place(&mut candidates(&full), &wait(&owner, 1)).await.unwrap();
    let ask = wait(&owner, 1);
    let mut line = candidates(&full);
    let mut waiting = Box::pin(queue.place(&mut line, &ask));
    assert!(waiting.as_mut().now_or_never().is_none());
    let other = Candidates::of(vec![member(&free, "b")], Balance::WarmFirst);
    let placed = queue.place(&mut other.clone(), &ask).now_or_never();
    assert!(placed.is_some_and(|placed| placed.is_ok()), "served past the line that waits for something else");
}

#[tokio::test]
async fn the_longest_wait_is_that_of_the_oldest_request_and_ends_with_the_line() {
    let backend = backend(0, 1);
    let queue = backend.queue();
    let (one, two) = (key(1), key(2));
    let held = queue.place(&mut candidates(&backend), &wait(&one, 1)).await.unwrap();
    assert_eq!(queue.longest(), 0);
    let (ask_one, ask_two) = (wait(&one, 1), wait(&two, 1));
    let (mut first, mut second) = (candidates(&backend), candidates(&backend));
    let mut oldest = Box::pin(queue.place(&mut first, &ask_one));
    assert!(oldest.as_mut().now_or_never().is_none());
    let began = queue.now();
    while queue.now() < began + 3 {
        tokio::task::yield_now().await;
    }
    let mut newest = Box::pin(queue.place(&mut second, &ask_two));
    assert!(newest.as_mut().now_or_never().is_none());
    assert!(queue.longest() >= 3, "not that of the newest");
    drop((oldest, newest, held));
    assert_eq!(queue.longest(), 0);
}

#[tokio::test]
async fn places_are_told_to_their_owner_only() {
    let backend = backend(0, 1);
    let queue = backend.queue();
    let (one, two) = (key(1), key(2));
    let _held = queue.place(&mut candidates(&backend), &wait(&one, 1)).await.unwrap();
    let asks = [wait(&one, 5_000), wait(&one, 1), wait(&two, 10)];
    let mut lines: Vec<_> = asks.iter().map(|_| candidates(&backend)).collect();
    let mut waiting: Vec<_> = lines.iter_mut().zip(&asks).map(|(line, ask)| Box::pin(queue.place(line, ask))).collect();
    assert!(waiting.iter_mut().all(|waiting| waiting.as_mut().now_or_never().is_none()));
    let positions = |key| queue.places(key).iter().map(|place| place.position).collect::<Vec<_>>();
    assert_eq!((positions(&one), positions(&two)), (vec![2, 3], vec![1]));
    assert_eq!(queue.places(&key(9)), []);
}

/// Where a key stands whose answer used far more than was charged, beside another with forty requests.
async fn position_after_a_long_answer(stays_in_line: bool) -> usize {
    let backend = backend(0, 1);
    let queue = backend.queue();
    let (long, other) = (key(1), key(2));
    let held = queue.place(&mut candidates(&backend), &wait(&long, 300)).await.unwrap();
    let asks = [wait(&long, 300), wait(&other, 300)];
    let join = |ask| {
        let (backend, queue) = (&backend, queue);
        let mut waiting = Box::pin(async move { queue.place(&mut candidates(backend), ask).await });
        assert!(waiting.as_mut().now_or_never().is_none());
        waiting
    };
    let first = join(&asks[0]);
    let _others: Vec<_> = (0..40).map(|_| join(&asks[1])).collect();
    let mut second = stays_in_line.then(|| join(&asks[0]));
    drop(held);
    let placed = first.await.unwrap();
    second.get_or_insert_with(|| join(&asks[0]));
    queue.settle(placed.charge.unwrap(), 1_000_000);
    queue.places(&long)[0].position
}

#[tokio::test]
async fn a_long_answer_is_owed_while_its_key_waits_and_forgotten_with_its_line() {
    let (owes, is_new) = (position_after_a_long_answer(true).await, position_after_a_long_answer(false).await);
    assert_eq!(owes, 41, "after all that the other one has");
    assert!(is_new < 12, "{is_new}");
}

#[tokio::test]
async fn who_waits_alone_owes_nobody() {
    let backend = backend(0, 1);
    let queue = backend.queue();
    let owner = key(1);
    let held = queue.place(&mut candidates(&backend), &wait(&owner, 1)).await.unwrap();
    let (ask, mut line) = (wait(&owner, 1), candidates(&backend));
    let mut waiting = Box::pin(queue.place(&mut line, &ask));
    assert!(waiting.as_mut().now_or_never().is_none());
    drop(held);
    assert_eq!(waiting.await.unwrap().charge, None);
}

fn cases() -> u32 {
    if std::env::var_os("CI").is_some() { 300 } else { 60 }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    /// With everybody always waiting, no key gets more than another by more than its largest request and a round.
    #[test]
    fn keys_that_always_wait_get_the_same_tokens(costs in prop::collection::vec(1_u64..4_000, 2..5), slots in 1_u32..4) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let served = runtime.block_on(async {
            let backend = backend(0, slots);
            let queue = backend.queue();
            let keys: Vec<_> = (0..costs.len()).map(|number| key(number as u8)).collect();
            let blocker = key(99);
            let mut held: Vec<_> = join_all((0..slots).map(|_| async {
                queue.place(&mut candidates(&backend), &wait(&blocker, 1)).await.unwrap()
            })).await;
            let asks: Vec<_> = keys.iter().zip(&costs).map(|(key, cost)| wait(key, *cost)).collect();
            let mut lines: Vec<_> = (0..15 * costs.len()).map(|_| candidates(&backend)).collect();
            let mut waiting: Vec<_> = lines
                .iter_mut()
                .enumerate()
                .map(|(number, line)| (number % asks.len(), Box::pin(queue.place(line, &asks[number % asks.len()]))))
                .collect();
            for (_, waiting) in &mut waiting {
                assert!(waiting.as_mut().now_or_never().is_none());
            }
            let mut served: HashMap<usize, u64> = HashMap::new();
            // Only while nobody's line has ended.
            while served.iter().all(|(key, tokens)| tokens / costs[*key] < 14) {
                held.remove(0);
                let found = waiting.iter_mut().enumerate().find_map(|(at, (key, waiting))| {
                    // Unconstrained: of so many in one task tokio would let the last ones wait.
                    Some((at, *key, tokio::task::unconstrained(waiting.as_mut()).now_or_never()?.unwrap()))
                });
                let (at, key, slot) = found.expect("the slot was given to somebody");
                drop(waiting.remove(at));
                held.push(slot);
                *served.entry(key).or_default() += costs[key];
            }
            served
        });
        let of = |key: usize| served.get(&key).copied().unwrap_or_default();
        let largest = costs.iter().max().unwrap() + 1_024;
        for one in 0..costs.len() {
            for other in 0..costs.len() {
                prop_assert!(of(one) <= of(other) + 2 * largest, "{served:?} of {costs:?}");
            }
        }
    }

}

proptest! {
    // With some hundred requests each.
    #![proptest_config(ProptestConfig::with_cases(cases() / 3))]

    /// The same in what was used in truth, however wrong the estimates are: by no more than what is in flight besides.
    #[test]
    fn keys_that_always_wait_use_the_same_tokens_whatever_was_estimated(
        shapes in prop::collection::vec((1_u64..4_000, 500_u64..4_000), 2..5), slots in 1_u32..4,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let served = runtime.block_on(async {
            let backend = backend(0, slots);
            let (queue, backend) = (backend.queue(), &backend);
            let keys: Vec<_> = (0..shapes.len()).map(|number| key(number as u8)).collect();
            let blocker = key(99);
            let mut held = VecDeque::new();
            for _ in 0..slots {
                held.push_back((0, queue.place(&mut candidates(backend), &wait(&blocker, 1)).await.unwrap()));
            }
            let asks: Vec<_> = keys.iter().zip(&shapes).map(|(key, (cost, _))| wait(key, *cost)).collect();
            let mut left: Vec<_> = shapes.iter().map(|(_, used)| 30_000 / used).collect();
            let all = asks.iter().zip(&left).enumerate();
            let mut waiting: FuturesUnordered<_> = all
                .flat_map(|(key, (ask, count))| (0..*count).map(move |_| (key, ask)))
                .map(|(key, ask)| tokio::task::unconstrained(async move {
                    (key, queue.place(&mut candidates(backend), ask).await.unwrap())
                }))
                .collect();
            while queue.waiting() < waiting.len() {
                assert!(waiting.next().now_or_never().is_none());
            }
            let mut served = vec![0; shapes.len()];
            while left.iter().all(|left| *left > 0) {
                let (key, ended) = held.pop_front().unwrap();
                if let Some(charge) = ended.charge {
                    queue.settle(charge, shapes[key].1);
                }
                drop(ended);
                let next = (0..1_000).find_map(|_| waiting.next().now_or_never().flatten());
                let (key, placed) = next.expect("the slot was given to somebody");
                held.push_back((key, placed));
                left[key] -= 1;
                served[key] += shapes[key].1;
            }
            served
        });
        let largest = shapes.iter().map(|(cost, used)| cost.max(used)).max().unwrap() + 1_024;
        let (most, least) = (served.iter().max().unwrap(), served.iter().min().unwrap());
        prop_assert!(most - least <= (2 + u64::from(slots)) * largest, "{served:?} of {shapes:?}");
    }
}
