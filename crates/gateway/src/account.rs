//! One usage record for every request that carried a valid key, sent when its answer ended or was dropped. Accounting
//! never waits: a full channel drops the record and counts it.

mod facts;
mod tee;

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use domain::{
    endpoint::Endpoint,
    id::{BackendId, KeyId},
    usage::{Choice, Outcome, UsageRecord},
};
use tokio::sync::mpsc;

pub(crate) use facts::Counts;
pub(crate) use tee::{Heard, Tee};

use crate::{
    auth::Principal,
    policy::{Now, Reservation, Spent},
    queue::Bill,
    request::cut,
};

/// Nothing was sent: the status of a client that closed its request.
const CLIENT_CLOSED: u16 = 499;
/// Longest model text in a record.
const MODEL_BYTES: usize = 200;
/// Longest text in a record of how another name led to the model.
const VIA_BYTES: usize = 200;
/// Longest text of an error in a record.
const ERROR_BYTES: usize = 200;

/// The sending end of the usage channel.
pub(crate) struct UsageSink {
    sender: mpsc::Sender<UsageRecord>,
    dropped: AtomicU64,
}

impl UsageSink {
    pub(crate) fn new(sender: mpsc::Sender<UsageRecord>) -> Self {
        Self { sender, dropped: AtomicU64::new(0) }
    }

    /// Records dropped since the start.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn send(&self, record: UsageRecord) {
        if self.sender.try_send(record).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The record of a request in the making. Dropped unfinished it says that the client went away.
pub(crate) struct Account {
    sink: Arc<UsageSink>,
    started: Instant,
    /// `None` once sent. In a box, because the account passes through many hands.
    record: Option<Box<UsageRecord>>,
    /// In the budgets of key and user; settled when the record is sent.
    reservation: Option<Box<Reservation>>,
    /// Nanoseconds the backend worked; `None` while the answer was not listened to.
    worked_ns: Option<u64>,
    /// Of its turn in the queue, where it had to wait for one.
    bill: Option<Box<Bill>>,
}

impl Account {
    pub(crate) fn open(
        sink: &Arc<UsageSink>,
        principal: &Principal,
        endpoint: Endpoint,
        request_id: u64,
        address: IpAddr,
        (started, now): (Instant, Now),
    ) -> Self {
        let key = principal.key();
        let record = UsageRecord {
            // What is true of a request until more is known: its client left.
            status: CLIENT_CLOSED,
            outcome: Outcome::ClientGone,
            address: Some(address.to_canonical()),
            ..UsageRecord::new(request_id, now.unix, key.user.clone(), key.id.clone(), endpoint)
        };
        Self {
            sink: sink.clone(),
            started,
            record: Some(Box::new(record)),
            reservation: None,
            worked_ns: None,
            bill: None,
        }
    }

    /// A name the catalogue knows.
    pub(crate) fn model(&mut self, model: &str) {
        self.change(|record| record.model = Some(cut(model, MODEL_BYTES).to_owned()));
    }

    /// Another model is asked in place of one that did not answer; where that goes is not known yet.
    pub(crate) fn other_model(&mut self, model: &str) {
        self.model(model);
        self.change(|record| {
            (record.backend, record.warm, record.evicted_by, record.choice) = (None, None, None, None)
        });
    }

    /// A name that was the client's own is known to the catalogue after all.
    pub(crate) fn resolved(&mut self, model: &str) {
        self.model(model);
        self.change(|record| record.unresolved = false);
    }

    /// What the client called a model that goes nowhere.
    pub(crate) fn unresolved(&mut self, model: &str) {
        self.model(model);
        self.change(|record| record.unresolved = true);
    }

    /// How another name led to the model.
    pub(crate) fn via(&mut self, via: &str) {
        self.change(|record| record.via = Some(cut(via, VIA_BYTES).into()));
    }

    /// What [`Account::via`] was told.
    pub(crate) fn via_told(&self) -> Option<&str> {
        self.record.as_ref()?.via.as_deref()
    }

    /// What the request may use is taken from its budgets until it has ended.
    pub(crate) fn reserve(&mut self, reservation: Reservation) {
        self.reservation = Some(Box::new(reservation));
    }

    /// Its turn in the queue was paid by an estimate. Another turn has a bill of its own, and the one before got it nothing.
    pub(crate) fn billed(&mut self, bill: Option<Bill>) {
        if let Some(before) = self.bill.take() {
            before.settle(0);
        }
        self.bill = bill.map(Box::new);
    }

    /// It waited so long for a slot.
    pub(crate) fn queued(&mut self, time: Duration) {
        self.change(|record| record.queue_us += micros(time));
    }

    /// Milliseconds it waited for slots.
    pub(crate) fn queue_ms(&self) -> u64 {
        self.record.as_ref().map_or(0, |record| record.queue_us / 1_000)
    }

    /// Whether the model was loaded where the request goes, and if not, whose request pushed it out.
    pub(crate) fn warmth(&mut self, warm: bool, evicted_by: Option<KeyId>) {
        self.change(|record| (record.warm, record.evicted_by) = (Some(warm), evicted_by));
    }

    /// How the backend was chosen.
    pub(crate) fn choice(&mut self, choice: Choice) {
        self.change(|record| record.choice = Some(choice));
    }

    /// What the client is told in place of an answer.
    pub(crate) fn told(&mut self, error: &str) {
        self.change(|record| record.error = Some(cut(error, ERROR_BYTES).into()));
    }

    /// The answer comes in pieces as they are made, or whole at its end.
    pub(crate) fn streamed(&mut self, streamed: bool) {
        self.change(|record| record.streamed = streamed);
    }

    /// Another backend is tried.
    pub(crate) fn retried(&mut self) {
        self.change(|record| record.retries = record.retries.saturating_add(1));
    }

    /// The request is about to be handed to a backend.
    pub(crate) fn backend(&mut self, backend: &BackendId) {
        if let Some(reservation) = &mut self.reservation {
            reservation.sent();
        }
        self.change(|record| record.backend = Some(backend.clone()));
    }

    pub(crate) fn received(&mut self, bytes: usize) {
        self.change(|record| record.bytes_in = bytes as u64);
    }

    pub(crate) fn status(&mut self, status: http::StatusCode) {
        self.change(|record| record.status = status.as_u16());
    }

    /// Body bytes were handed to the client.
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.change(|record| record.bytes_out += bytes as u64);
    }

    /// Bytes of a backend's body were handed to the client, the first of them now or earlier.
    pub(crate) fn passed_on(&mut self, bytes: usize, now: Instant) {
        let started = self.started;
        self.change(|record| {
            record.bytes_out += bytes as u64;
            record.ttft_us.get_or_insert_with(|| micros(now.saturating_duration_since(started)));
        });
    }

    pub(crate) fn counts(&mut self, counts: Counts) {
        self.worked_ns = Some(counts.worked_ns());
        if let (Some(bill), true) = (self.bill.take(), counts.prompt.or(counts.completion).is_some()) {
            bill.settle(counts.prompt.unwrap_or(0).saturating_add(counts.completion.unwrap_or(0)));
        }
        self.change(|record| {
            record.prompt_tokens = counts.prompt;
            record.completion_tokens = counts.completion;
            record.tokens_estimated = counts.estimated;
            record.load_us = counts.load_ns / 1_000;
        });
    }

    /// Ends the request and sends its record; later calls do nothing.
    pub(crate) fn finish(&mut self, outcome: Outcome) {
        self.finish_at(Instant::now(), outcome);
    }

    /// As [`Account::finish`], where the clock was read already.
    pub(crate) fn finish_at(&mut self, now: Instant, outcome: Outcome) {
        let Some(mut record) = self.record.take() else { return };
        record.outcome = outcome;
        if let Some(reservation) = self.reservation.take() {
            reservation.settle(spent(&record, self.worked_ns));
        }
        record.total_us = micros(now.saturating_duration_since(self.started));
        // As budgets are charged: by the clock where the backend told tokens and no time.
        record.gpu_us = match self.worked_ns {
            Some(worked) if worked > 0 => worked / 1_000,
            _ if record.failed() || record.prompt_tokens.or(record.completion_tokens).is_none() => 0,
            _ => record.total_us,
        };
        tracing::debug!(
            request_id = format_args!("{:016x}", record.request_id),
            key = %record.key,
            endpoint = record.endpoint.path(),
            model = record.model.as_deref(),
            backend = record.backend.as_ref().map(BackendId::as_str),
            status = record.status,
            outcome = ?record.outcome,
            total_us = record.total_us,
            "request"
        );
        self.sink.send(*record);
    }

    fn change(&mut self, change: impl FnOnce(&mut UsageRecord)) {
        if let Some(record) = &mut self.record {
            change(record);
        }
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.finish(Outcome::ClientGone);
    }
}

/// What an ended request costs its budgets. An error costs nothing; a client that leaves pays for what was done.
fn spent(record: &UsageRecord, worked_ns: Option<u64>) -> Spent {
    let (prompt, completion) = (record.prompt_tokens, record.completion_tokens);
    match worked_ns {
        _ if record.status >= 400 && record.outcome != Outcome::ClientGone => Spent::Nothing,
        None if record.outcome != Outcome::ClientGone => Spent::Unknown,
        gpu_ns => Spent::Counted { prompt, completion, gpu_ns: gpu_ns.unwrap_or(0) },
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
