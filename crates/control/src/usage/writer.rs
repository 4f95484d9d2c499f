//! The writer's loop. It goes on receiving while a write runs, so that a slow store does not fill the channel at once.

use std::{collections::VecDeque, sync::atomic::Ordering, time::Duration};

use domain::usage::UsageRecord;
use futures_util::future::BoxFuture;
use store::{Store, StoreError};
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval},
};

use super::Usage;
use crate::clock::Now;

/// Records of one segment.
const SEGMENT: usize = 1_000;
/// Records kept while the store cannot be written; beyond it the oldest are given up.
const KEPT: usize = 100_000;
const EVERY: Duration = Duration::from_secs(1);
const COMPLAIN_EVERY: Duration = Duration::from_secs(60);

type Write = BoxFuture<'static, (Vec<UsageRecord>, Result<(), StoreError>)>;

/// Runs until the channel is closed and everything is written, or a last try failed.
pub(super) async fn run(store: &Store, usage: &Usage, mut records: mpsc::Receiver<UsageRecord>) {
    let mut tick = interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut pending = Pending { records: VecDeque::new(), failing: false, complained: None };
    let mut incoming = Vec::with_capacity(SEGMENT);
    let mut writing: Option<Write> = None;
    let mut open = true;
    loop {
        tokio::select! {
            count = records.recv_many(&mut incoming, SEGMENT), if open => {
                open = count > 0;
                usage.absorb(&incoming, Now::read().wall);
                pending.records.extend(incoming.drain(..));
                if writing.is_none() && pending.records.len() >= SEGMENT && !pending.failing {
                    writing = pending.next_write(store);
                }
            }
            (batch, result) = finished(&mut writing) => {
                writing = None;
                pending.settle(batch, result);
                if !pending.failing && pending.records.len() >= SEGMENT {
                    writing = pending.next_write(store);
                }
            }
            _ = tick.tick(), if open && writing.is_none() => writing = pending.next_write(store),
        }
        pending.bound(usage);
        if !open && writing.is_none() {
            break;
        }
    }
    pending.drain(store, usage).await;
}

/// The running write's end; never, where none runs.
async fn finished(writing: &mut Option<Write>) -> (Vec<UsageRecord>, Result<(), StoreError>) {
    match writing {
        Some(write) => write.await,
        None => std::future::pending().await,
    }
}

struct Pending {
    records: VecDeque<UsageRecord>,
    /// The last write failed: the next try waits for the tick.
    failing: bool,
    complained: Option<Instant>,
}

impl Pending {
    fn take(&mut self) -> Vec<UsageRecord> {
        let count = self.records.len().min(SEGMENT);
        self.records.drain(..count).collect()
    }

    fn next_write(&mut self, store: &Store) -> Option<Write> {
        if self.records.is_empty() {
            return None;
        }
        let (batch, store) = (self.take(), store.clone());
        Some(Box::pin(async move {
            let result = store.append_usage(&batch).await;
            (batch, result)
        }))
    }

    fn settle(&mut self, batch: Vec<UsageRecord>, result: Result<(), StoreError>) {
        let Err(error) = result else {
            self.failing = false;
            return;
        };
        self.failing = true;
        for record in batch.into_iter().rev() {
            self.records.push_front(record);
        }
        if self.complained.is_none_or(|at| at.elapsed() >= COMPLAIN_EVERY) {
            self.complained = Some(Instant::now());
            tracing::warn!(%error, kept = self.records.len(), "usage cannot be written; it is kept in memory and tried again");
        }
    }

    fn bound(&mut self, usage: &Usage) {
        let excess = self.records.len().saturating_sub(KEPT);
        if excess > 0 {
            self.records.drain(..excess);
            usage.lost.fetch_add(excess as u64, Ordering::Relaxed);
        }
    }

    /// After the channel closed: writes the rest, and gives up at the first failure.
    async fn drain(mut self, store: &Store, usage: &Usage) {
        while !self.records.is_empty() {
            let batch = self.take();
            if let Err(error) = store.append_usage(&batch).await {
                let lost = batch.len() + self.records.len();
                usage.lost.fetch_add(lost as u64, Ordering::Relaxed);
                tracing::error!(%error, lost, "the last usage could not be written");
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::id::KeyId;

    use super::{super::tests::record, *};

    fn pending(count: usize) -> Pending {
        let key = KeyId::new("kkkkkkkkkkkk").unwrap();
        let records = (0..count as u64).map(|at| record(&key, at, 200)).collect();
        Pending { records, failing: false, complained: None }
    }

    #[test]
    fn a_failed_batch_goes_back_to_its_place() {
        let mut pending = pending(2_500);
        let batch = pending.take();
        assert_eq!((batch.len(), pending.records.len()), (SEGMENT, 1_500));
        pending.settle(batch, Err(StoreError::Stale));
        assert!(pending.failing);
        let order: Vec<u64> = pending.records.iter().map(|record| record.at).collect();
        assert!(order.is_sorted() && order.len() == 2_500);
    }

    #[test]
    fn beyond_the_bound_the_oldest_are_given_up_and_counted() {
        let (mut pending, usage) = (pending(KEPT + 7), Usage::default());
        pending.bound(&usage);
        assert_eq!((pending.records.len(), usage.lost(), pending.records[0].at), (KEPT, 7, 7));
    }
}
