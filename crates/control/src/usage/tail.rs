//! The log of requests as it grows: whoever follows it hears of each record when it is accounted. Nobody waits for a
//! reader: a slow one loses records and is told how many.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use domain::{
    error::AdminError,
    usage::{
        UsageRecord,
        asked::{AskLog, FOLLOWED, LogNews},
        log::PAGE,
    },
};
use store::row::UsageSearch;
use tokio::{
    sync::{broadcast, watch},
    time::{Instant, sleep_until},
};

use super::{
    log::{LOOK, READ, row},
    names::Names,
};
use crate::{Actor, Control};

/// Hands of the writer that a reader may be behind by. It takes one every 50 ms, and more only under a load that nobody
/// could read.
const BEHIND: usize = 64;
/// Between two news.
const EVERY: Duration = Duration::from_secs(1);

/// What the writer tells, and who listens.
pub(crate) struct Tail {
    hands: broadcast::Sender<Arc<Hand>>,
    /// Records that were told since the start, and of these how many are in the store or given up.
    told: AtomicU64,
    settled: watch::Sender<u64>,
}

/// Records that were accounted together.
struct Hand {
    /// How many were told before.
    after: u64,
    records: Vec<UsageRecord>,
}

impl Default for Tail {
    fn default() -> Self {
        Self { hands: broadcast::Sender::new(BEHIND), told: AtomicU64::new(0), settled: watch::Sender::new(0) }
    }
}

impl Tail {
    /// Costs a look at the number of readers where there is none.
    pub(crate) fn tell(&self, records: &[UsageRecord]) {
        let after = self.told.fetch_add(records.len() as u64, Ordering::SeqCst);
        if self.hands.receiver_count() > 0 {
            // The last reader may just have left.
            let _ = self.hands.send(Arc::new(Hand { after, records: records.to_vec() }));
        }
    }

    /// As many more can be read from the store, or never will be.
    pub(crate) fn settle(&self, count: usize) {
        self.settled.send_modify(|settled| *settled += count as u64);
    }
}

/// One reader of the log as it grows.
pub struct LogTail {
    control: Control,
    search: UsageSearch,
    hands: broadcast::Receiver<Arc<Hand>>,
    settled: watch::Receiver<u64>,
    /// Told before this reader came; once they are settled, the newest are read from the store. `None` when they were.
    before: Option<u64>,
    /// Number of the record that comes next.
    next: u64,
    gathered: VecDeque<UsageRecord>,
    missed: u64,
    /// When the next news may be told.
    due: Instant,
}

impl LogTail {
    /// The next news: first, in time, the newest rows of the store, and every later one as it comes, at most one a second.
    /// `None` when there will be none. Nothing is lost where this is given up and called again.
    pub async fn next(&mut self) -> Option<LogNews> {
        loop {
            let ready = !self.gathered.is_empty() || self.missed > 0;
            tokio::select! {
                // What is written down comes first, so that a page which was away is whole again at once.
                biased;
                Some(()) = settled(&mut self.settled, self.before) => {
                    let news = self.newest().await;
                    self.before = None;
                    if news.is_some() {
                        self.due = Instant::now() + EVERY;
                        return news;
                    }
                }
                () = sleep_until(self.due), if ready => {
                    self.due = Instant::now() + EVERY;
                    return Some(self.news());
                }
                hand = self.hands.recv() => match hand {
                    Ok(hand) => self.take(&hand),
                    // How many records these were, the next hand says.
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return None,
                },
            }
        }
    }

    fn take(&mut self, hand: &Hand) {
        self.missed += hand.after.saturating_sub(self.next);
        self.next = self.next.max(hand.after + hand.records.len() as u64);
        self.gathered.extend(hand.records.iter().filter(|record| self.search.takes(record)).cloned());
        let excess = self.gathered.len().saturating_sub(FOLLOWED);
        self.gathered.drain(..excess);
    }

    fn news(&mut self) -> LogNews {
        let state = self.control.state();
        let names = Names::of(&state);
        let mut records: Vec<_> = self.gathered.drain(..).collect();
        records.sort_by_key(|record| std::cmp::Reverse((record.at, record.request_id)));
        let rows = records.iter().map(|record| row(record, &names)).collect();
        LogNews { rows, whole: false, missed: std::mem::take(&mut self.missed) }
    }

    async fn newest(&self) -> Option<LogNews> {
        match self.control.bounded_page(self.search.clone()).await {
            // Where the search ended early there may be others between these and those that a page has.
            Ok(page) => Some(LogNews { whole: page.searched_to.is_none(), rows: page.rows, missed: 0 }),
            Err(error) => {
                tracing::warn!(%error, "whoever follows the log is not told what is written down");
                None
            }
        }
    }
}

/// When as many are settled; never, where nothing is waited for or will come.
async fn settled(receiver: &mut watch::Receiver<u64>, wanted: Option<u64>) -> Option<()> {
    match wanted {
        Some(wanted) => receiver.wait_for(|settled| *settled >= wanted).await.ok().map(|_| ()),
        None => std::future::pending().await,
    }
}

impl Control {
    /// Follows the log from now on. Every role may. Faults name their fields.
    pub fn follow_log(&self, _actor: &Actor, asked: &AskLog) -> Result<LogTail, AdminError> {
        let query = self.log_query(asked)?;
        let mut search = UsageSearch { limit: PAGE, look: LOOK, read: READ, ..self.search(&query)? };
        if asked.to.trim().is_empty() {
            search.to = u64::MAX;
        }
        let tail = &self.0.usage.tail;
        // In this order a record may come by both ways, and none by neither.
        let hands = tail.hands.subscribe();
        let told = tail.told.load(Ordering::SeqCst);
        Ok(LogTail {
            control: self.clone(),
            search,
            hands,
            settled: tail.settled.subscribe(),
            before: Some(told),
            next: told,
            gathered: VecDeque::new(),
            missed: 0,
            due: Instant::now(),
        })
    }
}
