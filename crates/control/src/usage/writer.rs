//! The writer's loop. It goes on receiving while a write runs, so that a slow store does not fill the channel at once.
//! Tidying up runs beside both, a piece at a time.

use std::{collections::VecDeque, sync::atomic::Ordering, time::Duration};

use domain::usage::UsageRecord;
use futures_util::future::BoxFuture;
use store::{Store, StoreError};
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{
    Usage,
    tidy::{Kept, Tidy},
};
use crate::clock::Now;

/// Records of one segment.
const SEGMENT: usize = 1_000;
/// Records kept while the store cannot be written; beyond it the oldest are given up.
const KEPT: usize = 100_000;
const EVERY: Duration = Duration::from_secs(1);
/// Between looks into the channel. Being woken for each record would cost more than all the rest of its accounting.
const REST: Duration = Duration::from_millis(50);
/// Between additions to the roll-ups.
const ROLL_UP_EVERY: Duration = Duration::from_secs(15);
const COMPLAIN_EVERY: Duration = Duration::from_secs(60);

/// What one append writes. An append whose answer was lost may have been made, so the same records are handed to the store
/// until it confirms them: it knows them again.
type Batch = Vec<UsageRecord>;
type Write = BoxFuture<'static, Written>;

/// Whom the writer tells and asks.
pub(super) struct Hands<'a> {
    /// Hears of every record once.
    pub tell: &'a (dyn Fn(&[UsageRecord]) + Send + Sync),
    /// How long what is written stays, now.
    pub kept: &'a (dyn Fn() -> Kept + Send + Sync),
}

/// What a write did.
enum Written {
    Appended(Batch, Result<(), StoreError>),
    RolledUp(Result<bool, StoreError>),
}

/// Runs until the channel is closed, by its senders or on `stop`, and everything is written, or a last try failed.
pub(super) async fn run(
    store: &Store,
    usage: &Usage,
    hands: Hands<'_>,
    mut records: mpsc::Receiver<UsageRecord>,
    stop: CancellationToken,
) {
    let mut tick = interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut pending = Pending::default();
    let mut sums = Sums { due: Instant::now() + ROLL_UP_EVERY, behind: true };
    let mut tidy = Tidy::new(Instant::now());
    let mut tidying: Option<BoxFuture<'static, Result<bool, StoreError>>> = None;
    let mut incoming = Vec::with_capacity(SEGMENT);
    let mut writing: Option<Write> = None;
    let mut open = true;
    let mut stopping = false;
    let mut resting = false;
    let rest = sleep(Duration::ZERO);
    tokio::pin!(rest);
    loop {
        tokio::select! {
            () = stop.cancelled(), if !stopping => {
                stopping = true;
                // The gateway lives on in many hands: its end of the channel does not close by itself.
                records.close();
                rest.as_mut().reset(Instant::now());
            }
            () = &mut rest, if open && resting => resting = false,
            count = records.recv_many(&mut incoming, SEGMENT), if open && !resting => {
                open = count > 0;
                // A full hand says that there is more.
                if count < SEGMENT {
                    resting = !stopping;
                    rest.as_mut().reset(Instant::now() + REST);
                }
                usage.absorb(&incoming, Now::read().wall);
                (hands.tell)(&incoming);
                pending.records.extend(incoming.drain(..));
                if writing.is_none() && pending.records.len() >= SEGMENT && pending.doubtful.is_none() {
                    writing = pending.next_write(store);
                }
            }
            written = finished(&mut writing) => {
                writing = None;
                match written {
                    Written::Appended(batch, result) => {
                        sums.behind |= result.is_ok();
                        if result.is_ok() {
                            usage.tail.settle(batch.len());
                        }
                        pending.settle(batch, result);
                    }
                    Written::RolledUp(result) => {
                        sums.settle(result);
                        // Its turn was taken.
                        writing = pending.next_write(store);
                    }
                }
                if writing.is_none() && pending.doubtful.is_none() && pending.records.len() >= SEGMENT {
                    writing = pending.next_write(store);
                }
            }
            result = ended(&mut tidying) => {
                tidying = None;
                tidy.settle(result, Instant::now());
            }
            now = tick.tick(), if open && writing.is_none() => {
                writing = sums.next_write(store, now).or_else(|| pending.next_write(store));
                if tidying.is_none() {
                    tidying = tidy.next(store, now, Now::read().wall, hands.kept);
                }
            }
        }
        pending.bound(usage);
        if !open && writing.is_none() {
            break;
        }
    }
    // A piece that is cut off was done or was not: the next start goes on.
    drop(tidying);
    pending.drain(store, usage).await;
    // The next start reads it faster so; what fails here is done then.
    while matches!(store.roll_up_usage().await, Ok(true)) {}
}

/// When the roll-ups are to be brought up to date.
struct Sums {
    due: Instant,
    /// Something was appended since; at the start, perhaps by the process before.
    behind: bool,
}

impl Sums {
    fn next_write(&mut self, store: &Store, now: Instant) -> Option<Write> {
        if !self.behind || now < self.due {
            return None;
        }
        self.due = now + ROLL_UP_EVERY;
        let store = store.clone();
        Some(Box::pin(async move { Written::RolledUp(store.roll_up_usage().await) }))
    }

    fn settle(&mut self, result: Result<bool, StoreError>) {
        match result {
            Ok(more) => {
                self.behind = more;
                if more {
                    self.due = Instant::now();
                }
            }
            // Nothing is lost: readers add what is not rolled up. Appends tell of a store that cannot be written.
            Err(error) => tracing::debug!(%error, "usage is not rolled up yet"),
        }
    }
}

/// The end of the piece that is being tidied up; never, where none is.
async fn ended(tidying: &mut Option<BoxFuture<'static, Result<bool, StoreError>>>) -> Result<bool, StoreError> {
    match tidying {
        Some(piece) => piece.await,
        None => std::future::pending().await,
    }
}

/// The running write's end; never, where none runs.
async fn finished(writing: &mut Option<Write>) -> Written {
    match writing {
        Some(write) => write.await,
        None => std::future::pending().await,
    }
}

#[derive(Default)]
struct Pending {
    records: VecDeque<UsageRecord>,
    /// A batch whose write failed, as far as is known. While there is one, the next try waits for the tick.
    doubtful: Option<Batch>,
    complained: Option<Instant>,
}

impl Pending {
    /// The doubtful batch as it was, or the oldest records.
    fn take(&mut self) -> Option<Batch> {
        self.doubtful.take().or_else(|| {
            let count = self.records.len().min(SEGMENT);
            (count > 0).then(|| self.records.drain(..count).collect())
        })
    }

    fn next_write(&mut self, store: &Store) -> Option<Write> {
        let (batch, store) = (self.take()?, store.clone());
        Some(Box::pin(async move {
            let result = store.append_usage(&batch).await;
            Written::Appended(batch, result)
        }))
    }

    fn settle(&mut self, batch: Batch, result: Result<(), StoreError>) {
        let Err(error) = result else { return };
        let kept = batch.len() + self.records.len();
        self.doubtful = Some(batch);
        if self.complained.is_none_or(|at| at.elapsed() >= COMPLAIN_EVERY) {
            self.complained = Some(Instant::now());
            tracing::warn!(%error, kept, "usage cannot be written; it is kept in memory and tried again");
        }
    }

    fn bound(&mut self, usage: &Usage) {
        // The doubtful batch stays whole: dropping a part of it would make it another.
        let kept = self.records.len() + self.doubtful.as_ref().map_or(0, Vec::len);
        let excess = kept.saturating_sub(KEPT).min(self.records.len());
        if excess > 0 {
            self.records.drain(..excess);
            usage.tail.settle(excess);
            usage.lost.fetch_add(excess as u64, Ordering::Relaxed);
        }
    }

    /// After the channel closed: writes the rest, and gives up at the first failure.
    async fn drain(mut self, store: &Store, usage: &Usage) {
        while let Some(batch) = self.take() {
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
        Pending { records, ..Pending::default() }
    }

    #[tokio::test]
    async fn a_batch_whose_answer_was_lost_is_counted_once() {
        let store = Store::open(&store::StoreConfig { address: "mem://".into() }).await.unwrap();
        let lost = || Err(StoreError::Unreachable { detail: "no answer".into() });
        for count in [2_500, 7] {
            let before = store.usage(0, u64::MAX, usize::MAX).await.unwrap().len();
            let mut pending = pending(count);
            // Other records than the round before.
            pending.records.iter_mut().for_each(|record| record.at += 10_000 * count as u64);
            let batch = pending.take().unwrap();
            store.append_usage(&batch).await.unwrap();
            pending.settle(batch.clone(), lost());
            pending.records.push_back(record(&KeyId::new("kkkkkkkkkkkk").unwrap(), 90_000_000 + count as u64, 200));
            assert!(pending.take().as_ref() == Some(&batch), "the same again, though more has come");
            pending.settle(batch, lost());
            pending.drain(&store, &Usage::default()).await;
            let after = store.usage(0, u64::MAX, usize::MAX).await.unwrap().len();
            assert_eq!(after - before, count + 1);
        }
        assert_eq!(store.key_totals().await.unwrap()[0].1.requests, 2_509);
    }

    #[test]
    fn beyond_the_bound_the_oldest_are_given_up_and_counted() {
        let (mut pending, usage) = (pending(KEPT + 7), Usage::default());
        pending.bound(&usage);
        assert_eq!((pending.records.len(), usage.lost(), pending.records[0].at), (KEPT, 7, 7));
        let batch = pending.take().unwrap();
        pending.settle(batch, Err(StoreError::Stale));
        pending.records.push_back(record(&KeyId::new("kkkkkkkkkkkk").unwrap(), 0, 200));
        pending.bound(&usage);
        assert_eq!(
            (pending.doubtful.unwrap().len(), pending.records.len(), usage.lost()),
            (SEGMENT, KEPT - SEGMENT, 8)
        );
    }
}
