//! Where requests wait when every slot is taken: bounded, and fair between keys by deficit round robin over tokens, so that
//! one key's flood delays another key's request by no more than its turn. Tokens are estimated when a request is served and
//! put right when it has ended, while its key still waits; what is owed or saved ends with the key's line. The lock is taken
//! only while somebody waits.

mod credit;
mod line;
#[cfg(test)]
mod tests;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use domain::id::KeyId;
use tokio::sync::oneshot;

use crate::{
    backend::FleetLoad,
    balance::Picked,
    resolve::{Candidates, Choice},
};
pub(crate) use credit::MOST;
pub(crate) use line::Place;
use line::{Charge, Line, Waiter};

/// Ejections and pauses end with time and not with an event, so whoever waits looks again this often.
const TICK: Duration = Duration::from_millis(500);

/// Why a request got no slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Nobody may be asked at all.
    Nobody,
    /// Every slot is taken and so is every place to wait.
    QueueFull,
    /// It waited as long as one may.
    TimedOut,
}

/// Bounds that the settings give.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) max: usize,
    pub(crate) timeout: Duration,
}

/// Who waits, and what for.
pub(crate) struct Wait<'w> {
    pub(crate) request_id: u64,
    pub(crate) key: &'w KeyId,
    /// Estimated tokens.
    pub(crate) cost: u64,
    pub(crate) bounds: Bounds,
}

/// One for the whole fleet.
pub(crate) struct Queue {
    /// Equal to the line's length; read without the lock.
    waiting: AtomicUsize,
    line: Mutex<Line>,
    started: Instant,
    /// When somebody looked last because time passed.
    ticked: AtomicU64,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            waiting: AtomicUsize::new(0),
            line: Mutex::default(),
            started: Instant::now(),
            ticked: AtomicU64::new(0),
        }
    }
}

/// Takes a request out of the line when its client leaves.
struct Leaving<'q> {
    queue: &'q Queue,
    number: u64,
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        let gone = self.queue.change(|line| line.remove(self.number));
        drop(gone);
    }
}

impl Queue {
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(SeqCst)
    }

    /// How long the request waits that has waited longest, in milliseconds; 0 while nobody waits.
    pub(crate) fn longest(&self) -> u64 {
        if self.waiting() == 0 {
            return 0;
        }
        let oldest = self.lock().oldest();
        oldest.map_or(0, |since| self.now().saturating_sub(since))
    }

    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    /// Milliseconds of the clock that all times of the fleet are of.
    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// A slot at one of the candidates where there is one and nobody waits. `None` where it has to be waited for.
    pub(crate) fn place_at_once(&self, candidates: &mut Candidates) -> Option<Result<Placed, Refused>> {
        if self.waiting() > 0 {
            return None;
        }
        let now = self.now();
        match candidates.pick(now) {
            Picked::Member(index, slot) => {
                let choice = candidates.chosen(index, slot, now);
                Some(Ok(Placed { choice, charge: None }))
            }
            Picked::Nobody => Some(Err(Refused::Nobody)),
            Picked::Full => None,
        }
    }

    /// A slot at one of the candidates, in turn.
    pub(crate) async fn wait(&self, candidates: &mut Candidates, wait: &Wait<'_>) -> Result<Placed, Refused> {
        let (reply, answer) = oneshot::channel();
        let waiter = Waiter {
            number: 0,
            request_id: wait.request_id,
            cost: wait.cost,
            since: self.now(),
            candidates: candidates.clone(),
            reply,
        };
        let number = self.join(waiter, wait.key, wait.bounds.max)?;
        let leaving = Leaving { queue: self, number };
        let answer = self.answered(answer, wait.bounds.timeout).await;
        drop(leaving);
        let turn = answer?;
        // The choice was made among these, which may be newer.
        *candidates = turn.candidates;
        Ok(Placed { choice: turn.choice, charge: turn.charge })
    }

    async fn answered(&self, mut answer: oneshot::Receiver<Answer>, timeout: Duration) -> Answer {
        let deadline = tokio::time::Instant::now() + timeout;
        loop {
            let tick = (tokio::time::Instant::now() + TICK).min(deadline);
            match tokio::time::timeout_at(tick, &mut answer).await {
                Ok(Ok(answer)) => return answer,
                // The sender is dropped only with an answer sent, or with the whole queue.
                Ok(Err(_)) => return Err(Refused::Nobody),
                Err(_) if tick == deadline => return answer.try_recv().unwrap_or(Err(Refused::TimedOut)),
                Err(_) => self.tick(),
            }
        }
    }

    /// Puts a request at the end of its key's line, and serves whoever's turn it is. Where nobody else can wait, the key
    /// that has most requests waiting loses its last one.
    fn join(&self, waiter: Waiter, key: &KeyId, max: usize) -> Result<u64, Refused> {
        let mut number = 0;
        let mut refused = false;
        let (served, lost) = self.change(|line| {
            number = line.push(key, waiter);
            // Before the look: whoever frees a slot after it must know that somebody waits.
            self.waiting.store(line.len(), SeqCst);
            // As with slots: whoever builds the catalogue anew after this knows that somebody waits.
            line.renew_last(key);
            // The slot that could not be had a moment ago may be free now, with nobody to tell of it.
            let served = line.serve(self.now());
            let lost = (line.len() > max).then(|| line.longest_loses()).flatten();
            refused = lost.as_ref().is_some_and(|waiter| waiter.number == number);
            (served, lost)
        });
        served.send();
        match lost {
            Some(_) if refused => Err(Refused::QueueFull),
            Some(waiter) => {
                _ = waiter.reply.send(Err(Refused::QueueFull));
                Ok(number)
            }
            None => Ok(number),
        }
    }

    /// A slot may be free. Costs one load while nobody waits.
    pub(crate) fn freed(&self) {
        if self.waiting() > 0 {
            let served = self.change(|line| line.serve(self.now()));
            served.send();
        }
    }

    /// The catalogue was built anew: those who wait get what newcomers get. Costs one load while nobody waits.
    pub(crate) fn renewed(&self) {
        if self.waiting() > 0 {
            let served = self.change(|line| {
                line.renew();
                line.serve(self.now())
            });
            served.send();
        }
    }

    fn settle(&self, charge: Charge, used: u64) {
        if self.waiting() > 0 {
            self.lock().settle(charge, used);
        }
    }

    fn tick(&self) {
        let (now, last) = (self.now(), self.ticked.load(SeqCst));
        let due = now.saturating_sub(last) >= u64::try_from(TICK.as_millis()).unwrap_or(u64::MAX) / 2;
        if due && self.ticked.compare_exchange(last, now, SeqCst, SeqCst).is_ok() {
            self.freed();
        }
    }

    /// Where the requests of a key stand.
    pub(crate) fn places(&self, key: &KeyId) -> Vec<Place> {
        if self.waiting() == 0 { Vec::new() } else { self.lock().places(key, self.now()) }
    }

    fn lock(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whatever is taken out of the line must be dropped after this: a slot that is dropped asks for the lock.
    fn change<T>(&self, change: impl FnOnce(&mut Line) -> T) -> T {
        let mut line = self.lock();
        let result = change(&mut line);
        self.waiting.store(line.len(), SeqCst);
        result
    }
}

/// A request's slot, and how it came by it.
pub(crate) struct Placed {
    pub(crate) choice: Choice,
    pub(crate) charge: Option<Charge>,
}

impl Placed {
    /// What is to be put right when the request has ended.
    pub(crate) fn bill(&self, fleet: &Arc<FleetLoad>) -> Option<Bill> {
        self.charge.map(|charge| Bill { fleet: Arc::clone(fleet), charge })
    }
}

/// A request was charged an estimate for its turn.
pub(crate) struct Bill {
    fleet: Arc<FleetLoad>,
    charge: Charge,
}

impl Bill {
    /// It used so many tokens in truth. Settle before its slot is free, so that the next turn is by what is known.
    pub(crate) fn settle(self, used: u64) {
        self.fleet.queue.settle(self.charge, used);
    }
}

/// What a request gets when its turn has come.
struct Turn {
    choice: Choice,
    candidates: Candidates,
    charge: Option<Charge>,
}

/// What is told to those whose turn has come, after the lock.
pub(crate) struct Served(Vec<(Reply, Answer)>);

type Answer = Result<Turn, Refused>;
type Reply = oneshot::Sender<Answer>;

impl Served {
    fn send(self) {
        for (reply, answer) in self.0 {
            // Whoever left meanwhile drops its slot here, which serves the next.
            drop(reply.send(answer));
        }
    }
}
