//! Makes the pulls that are stored: begins as many as may run, hears how far they are, writes down how they ended, and
//! begins what a wish wants. Holds nothing that a restart may not forget.

use std::{
    collections::HashSet,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use domain::{backend::BackendState, error::AdminError, id::BackendId};
use gateway::Gateway;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{
    AT_ONCE,
    book::{Live, Shared},
    progress::{Progress, silent},
    queue::{Asked, Queue},
};
use crate::{Control, by::By, clock::Now, lock::lock, state::State};

/// How often is looked whether there is something to do that nobody told.
const TICK: Duration = Duration::from_millis(250);
/// Steps that may follow at one moment.
const STEPS: usize = 64;

/// What the driver has in its hands.
#[derive(Default)]
pub(crate) struct Tending {
    /// The revision and the count of the catalogue's changes at which there was nothing to do, and until when.
    settled: Option<(u64, u64, Option<Instant>)>,
    /// The last write failed, which was said.
    failing: bool,
}

impl Control {
    /// Makes pulls until `stop`. What runs then is cut off, stays stored, and goes on with the next start.
    pub async fn run_pulls(&self, stop: CancellationToken) {
        let mut hands = Tending::default();
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = ticks.tick() => {}
                () = self.0.pulls.nudge.notified() => hands.settled = None,
            }
            for _ in 0..STEPS {
                match self.tend_pulls(&mut hands, Now::read()).await {
                    Ok(true) => hands.failing = false,
                    Ok(false) => break,
                    Err(error) => {
                        if !std::mem::replace(&mut hands.failing, true) {
                            tracing::warn!(%error, "pulls of models cannot be written down; trying again");
                        }
                        break;
                    }
                }
            }
        }
        lock(&self.0.pulls.book).live.clear();
    }

    /// One step; says whether there may be another.
    pub(crate) async fn tend_pulls(&self, hands: &mut Tending, now: Now) -> Result<bool, AdminError> {
        let (state, changes) = (self.state(), *self.0.gateway.changes().borrow());
        let is_settled = |(revision, seen, until): &(u64, u64, Option<Instant>)| {
            (*revision, *seen) == (state.rows.revision, changes) && until.is_none_or(|until| now.instant < until)
        };
        if hands.settled.as_ref().is_some_and(is_settled) {
            return Ok(false);
        }
        let queue = Queue::of(&state);
        if !self.drives_pulls(&queue, now) {
            // Another took over while this one was silent.
            lock(&self.0.pulls.book).live.clear();
            return Ok(false);
        }
        if self.should_say_pulls(&queue, now) {
            return self.say_pulls(now).await;
        }
        self.forget_cancelled_pulls(&queue, now);
        lock(&self.0.pulls.book).live.retain(|_, live| !live.is_put_off());
        if let Some((asked, outcome)) = self.ended_pull(&state, &queue) {
            self.write_pull_end(&asked, &outcome, now).await?;
            return Ok(true);
        }
        self.begin_pulls(&queue);
        if self.begin_wished(&state, &queue, now).await? {
            return Ok(true);
        }
        let until = lock(&self.0.pulls.book).pauses.next(now.instant);
        hands.settled = queue.pulls.is_empty().then_some((state.rows.revision, changes, until));
        Ok(false)
    }

    /// The pulls are this process's to make.
    pub(super) fn drives_pulls(&self, queue: &Queue, now: Now) -> bool {
        !self.0.store.is_remote() || queue.is_for(&self.0.pulls.own, now.wall)
    }

    fn should_say_pulls(&self, queue: &Queue, now: Now) -> bool {
        self.0.store.is_remote() && queue.is_to_be_claimed(&self.0.pulls.own, now.wall)
    }

    /// Says to other gateways that this one makes the pulls; says whether it does.
    async fn say_pulls(&self, now: Now) -> Result<bool, AdminError> {
        self.mutate(By::nobody("pulls watched"), |state| {
            let mut queue = Queue::of(state);
            if queue.pulls.is_empty() || !self.drives_pulls(&queue, now) {
                return Ok((Vec::new(), false));
            }
            (queue.driver, queue.driven_at) = (self.0.pulls.own.clone(), now.wall);
            Ok((vec![queue.op()?], true))
        })
        .await
    }

    /// What was cancelled at another gateway.
    fn forget_cancelled_pulls(&self, queue: &Queue, now: Now) {
        let mut book = lock(&self.0.pulls.book);
        let gone = book.live.values().filter(|live| queue.pulls.iter().all(|asked| asked.id != live.asked.id));
        let gone: Vec<Asked> = gone.map(|live| live.asked.clone()).collect();
        for asked in gone {
            book.cancel(&asked, "somebody", now);
        }
    }

    /// A pull that has ended, or cannot be made any more.
    fn ended_pull(&self, state: &State, queue: &Queue) -> Option<(Asked, Result<(), String>)> {
        let (book, foreign) = (lock(&self.0.pulls.book), self.0.gateway.foreign());
        queue.pulls.iter().find_map(|asked| {
            let outcome = book.live.get(&asked.id).and_then(Live::outcome);
            let outcome = outcome.or_else(|| match state.backend(&asked.backend) {
                Ok(row) => self.unpullable(row, &foreign).map(|why| Err(format!("backend {} {why}", row.name))),
                Err(_) => Some(Err(format!("backend {} was removed", asked.backend_name))),
            })?;
            Some((asked.clone(), outcome))
        })
    }

    async fn write_pull_end(&self, asked: &Asked, outcome: &Result<(), String>, now: Now) -> Result<(), AdminError> {
        let cut = lock(&self.0.pulls.book).live.get(&asked.id).and_then(|live| live.cut.clone());
        let told = match (&cut, outcome) {
            (Some(_), _) => "cancelled",
            (None, Err(why)) => why.as_str(),
            (None, Ok(())) => "done",
        };
        let written = self.mutate(By::gateway("model pull ended"), |state| {
            let mut queue = Queue::of(state);
            let ended = queue.end(&asked.id, told);
            Ok((ended.iter().map(|_| queue.op()).collect::<Result<_, _>>()?, ended.is_some()))
        });
        // Somebody may have cancelled it in this very moment.
        if written.await? {
            let mut book = lock(&self.0.pulls.book);
            match cut {
                Some(who) => book.cancel(asked, &who, now),
                None => book.end(asked, outcome, now),
            }
        }
        Ok(())
    }

    /// Backends that are down now, as far as is known.
    pub(super) fn down(&self) -> HashSet<BackendId> {
        let backends = self.0.gateway.live().backends.into_iter();
        backends.filter(|backend| backend.state == BackendState::Down).map(|backend| backend.id).collect()
    }

    /// Begins what may run now, in the order in which it was asked for. What somebody wants on a backend that is down waits until
    /// that is back; a wish rather looks for another one, and so has to hear that it fails.
    fn begin_pulls(&self, queue: &Queue) {
        if queue.pulls.is_empty() {
            return;
        }
        let down = self.down();
        let mut book = lock(&self.0.pulls.book);
        for asked in &queue.pulls {
            if book.live.len() >= AT_ONCE {
                return;
            }
            // What was cancelled a moment ago may still be in what was read of the queue.
            let over = book.live.contains_key(&asked.id) || book.ended(&asked.id).is_some();
            let waits = !asked.kept && down.contains(&asked.backend);
            if over || waits || book.is_busy(&asked.backend) {
                continue;
            }
            let shared = Arc::new(Shared::default());
            let (gateway, nudge) = (self.0.gateway.clone(), Arc::clone(&self.0.pulls.nudge));
            let (own, wanted) = (Arc::clone(&shared), asked.clone());
            let task = tokio::spawn(async move {
                let done = pull(&gateway, &wanted.backend, &wanted.model, &own, Progress::patience).await;
                if done.is_err() && !wanted.kept {
                    own.put_off.store(is_away(&gateway, &wanted.backend).await, Relaxed);
                }
                // Nobody else sets it.
                let _ = own.done.set(done);
                nudge.notify_one();
            });
            tracing::info!(model = asked.model, backend = asked.backend_name, "pulling a model");
            let live = Live { asked: asked.clone(), shared, task: AbortOnDropHandle::new(task), cut: None };
            book.live.insert(asked.id.clone(), live);
        }
    }
}

/// The backend is down: so that neither what just failed there nor what waits behind it ends for that. A look that fails once
/// is not believed, unless nobody is there at all.
async fn is_away(gateway: &Gateway, backend: &BackendId) -> bool {
    let is_down = || gateway.holdings_of(backend).is_some_and(|one| one.state == BackendState::Down);
    for _ in 0..2 {
        gateway.refresh(Some(backend.clone())).await;
        if is_down() {
            return true;
        }
    }
    false
}

/// One pull from the question to the catalogue that knows the model. The error is for people.
pub(super) async fn pull(
    gateway: &Gateway,
    backend: &BackendId,
    model: &str,
    shared: &Shared,
    patience: fn(&Progress) -> Duration,
) -> Result<(), String> {
    let patience = || patience(&lock(&shared.progress));
    let mut pulling = gateway.pull(backend, model, patience()).await?;
    loop {
        let patience = patience();
        let line = timeout(patience, pulling.line()).await.map_err(|_| silent(patience))??;
        let line = line.ok_or("its answer ended before it said that the model is there")?;
        let mut progress = lock(&shared.progress);
        progress.take(&line, Instant::now())?;
        if progress.is_success() {
            break;
        }
    }
    drop(pulling);
    // So that calls find it once somebody is told that it is there.
    gateway.refresh(Some(backend.clone())).await;
    let listed = gateway.holdings_of(backend).is_none_or(|holdings| {
        !matches!(holdings.state, BackendState::Up | BackendState::Draining) || holdings.find(model).is_some()
    });
    if listed { Ok(()) } else { Err("it said that the model is there, and its list does not have it".into()) }
}
