//! Usage on its way to the store: a writer that appends once a second and tidies up every hour, and what the pages need of
//! it in memory: totals of keys and the last hour by minutes. Reading it back: reports, the log of requests, and both as
//! files.

mod asked;
mod export;
mod figures;
mod log;
mod minutes;
mod names;
mod pace;
mod page;
mod report;
mod series;
mod slow;
mod tail;
mod tidy;
mod writer;
mod zone;

use std::{
    collections::HashMap,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use domain::{
    backend::Pace,
    id::{BackendId, KeyId},
    usage::{MinutePoint, SlowRequest, UsageRecord},
};
use store::{KeyTotals, Store, StoreError};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{Control, lock::lock, policy::Spending, settings};
pub use export::{ExportFormat, LogExport, export_report};
use minutes::Minutes;
use pace::Paces;
use slow::Slow;
pub use tail::LogTail;

/// Sums in memory; both are read back from the store at start.
#[derive(Default)]
pub(crate) struct Usage {
    totals: Mutex<HashMap<KeyId, KeyTotals>>,
    minutes: Mutex<Minutes>,
    paces: Mutex<Paces>,
    pub(crate) spending: Spending,
    pub(crate) slow: Slow,
    pub(crate) tail: tail::Tail,
    /// Records given up because the store could not be written for too long.
    lost: AtomicU64,
}

impl Usage {
    /// Reads what the store knows of the last hour and of every key.
    pub async fn load(store: &Store, now: u64) -> Result<Self, StoreError> {
        let totals = store.key_totals().await?.into_iter().collect();
        let hour = store.minutes(minutes::hour_before(now), now + 1).await?;
        Ok(Self { totals: Mutex::new(totals), minutes: Mutex::new(Minutes::new(hour)), ..Self::default() })
    }

    pub(crate) fn absorb(&self, records: &[UsageRecord], now: u64) {
        let mut totals = lock(&self.totals);
        for record in records {
            match totals.get_mut(&record.key) {
                Some(total) => total.add_request(record.at, record.address),
                None => {
                    let mut total = KeyTotals::default();
                    total.add_request(record.at, record.address);
                    totals.insert(record.key.clone(), total);
                }
            }
        }
        drop(totals);
        self.spending.absorb(records);
        let mut minutes = lock(&self.minutes);
        records.iter().for_each(|record| minutes.add(record));
        minutes.prune(now);
        drop(minutes);
        let mut paces = lock(&self.paces);
        records.iter().for_each(|record| paces.add(record, now));
        paces.prune(now);
    }

    /// How a backend did lately.
    pub fn pace(&self, backend: &BackendId, now: u64) -> Pace {
        lock(&self.paces).of(backend, now)
    }

    pub fn total(&self, key: &KeyId) -> KeyTotals {
        lock(&self.totals).get(key).copied().unwrap_or_default()
    }

    /// All at once, for lists.
    pub fn totals(&self) -> HashMap<KeyId, KeyTotals> {
        lock(&self.totals).clone()
    }

    /// The last 60 minutes, oldest first, the running one last.
    pub fn last_hour(&self, now: u64) -> Vec<MinutePoint> {
        lock(&self.minutes).last_hour(now)
    }

    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

impl Control {
    /// Writes usage once a second until `stop` or the end of the channel, and then what is left: after `stop` nothing
    /// more is taken.
    pub async fn run_usage_writer(&self, records: mpsc::Receiver<UsageRecord>, stop: CancellationToken) {
        let tell = |records: &[UsageRecord]| {
            self.measure(records);
            self.tell_slow(records);
            self.0.usage.tail.tell(records);
        };
        let hands = writer::Hands { tell: &tell, kept: &|| self.usage_kept() };
        writer::run(&self.0.store, &self.0.usage, hands, records, stop).await;
    }

    /// How long usage stays.
    fn usage_kept(&self) -> tidy::Kept {
        let settings = settings::view(&self.state(), &self.0.environment);
        tidy::Kept { usage_days: settings.usage_days.value, rollup_days: settings.rollup_days.value }
    }

    /// Tidies up until nothing is left to do.
    #[cfg(test)]
    pub(crate) async fn tidy_usage(&self, now: u64) -> Result<(), StoreError> {
        while tidy::piece(&self.0.store, now, self.usage_kept()).await? {}
        Ok(())
    }

    /// Keeps why requests were kept waiting, and says it in the log for whoever reads it at debug.
    pub(crate) fn tell_slow(&self, records: &[UsageRecord]) {
        let waited: Vec<_> = records.iter().filter(|record| record.was_kept_waiting()).collect();
        // Each looks for its key among all: of a crowd only those that will be shown.
        let skipped =
            if tracing::enabled!(tracing::Level::DEBUG) { 0 } else { waited.len().saturating_sub(slow::KEPT) };
        for record in waited.into_iter().skip(skipped) {
            let Some(why) = self.why_slow(record) else { continue };
            let request_id = format!("{:016x}", record.request_id);
            tracing::debug!(request_id, "slow: {why}");
            let state = self.state();
            let key = state.rows.keys.iter().find(|row| row.id == record.key).map(|row| row.name.clone());
            let model = record.model.clone();
            self.0.usage.slow.add(SlowRequest { request_id, at: record.at, key, model, why });
        }
    }

    /// Why a request was slow, in one sentence without full stop; `None` for one that was not.
    pub fn why_slow(&self, record: &UsageRecord) -> Option<String> {
        let state = self.state();
        let rows = &state.rows;
        let backend = record.backend.as_ref().and_then(|id| rows.backends.iter().find(|row| row.id == *id));
        let evictor = record.evicted_by.as_ref().and_then(|id| rows.keys.iter().find(|row| row.id == *id));
        record.why_slow(backend.map(|row| row.name.as_str()), evictor.map(|row| row.name.as_str()))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use domain::{endpoint::Endpoint, id::UserId};

    use super::*;

    pub fn record(key: &KeyId, at: u64, status: u16) -> UsageRecord {
        UsageRecord {
            model: Some("llama3:latest".into()),
            status,
            prompt_tokens: Some(3),
            completion_tokens: Some(4),
            ..UsageRecord::new(at, at, UserId::new("uuuuuuuuuuuu").unwrap(), key.clone(), Endpoint::Chat)
        }
    }

    #[test]
    fn totals_count_requests_and_keep_the_latest_use() {
        let (usage, key) = (Usage::default(), KeyId::new("kkkkkkkkkkkk").unwrap());
        let from = |address: [u8; 4], at| UsageRecord { address: Some(address.into()), ..record(&key, at, 200) };
        usage.absorb(&[from([10, 0, 0, 1], 20), from([10, 0, 0, 2], 10)], 30);
        let last_address = Some([10, 0, 0, 1].into());
        assert_eq!(usage.total(&key), KeyTotals { requests: 2, last_used_at: Some(20), last_address });
    }

    #[test]
    fn the_largest_token_number_a_backend_can_send_ends_nothing() {
        let (usage, key) = (Usage::default(), KeyId::new("kkkkkkkkkkkk").unwrap());
        let largest = UsageRecord { completion_tokens: Some(u64::MAX), ..record(&key, 20, 200) };
        usage.absorb(&[largest.clone(), largest], 30);
        assert!(usage.last_hour(30).iter().any(|minute| minute.completion_tokens == u64::MAX));
    }
}
