//! What is in memory of pulls: those that run, and the last that ended. A restart forgets it.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use domain::{
    id::{BackendId, PullId},
    pull::{PullState, PullView},
};
use tokio_util::task::AbortOnDropHandle;

use super::{progress::Progress, queue::Asked, view, wish::Pauses};
use crate::{clock::Now, lock::lock};

/// Pulls that are remembered once they have ended.
const REMEMBERED: usize = 100;

/// What a running pull's task and everybody else share.
#[derive(Default)]
pub(super) struct Shared {
    pub progress: Mutex<Progress>,
    /// How it ended; the error is for people.
    pub done: OnceLock<Result<(), String>>,
    /// Set before `done` where the backend turned out to be down.
    pub put_off: AtomicBool,
}

/// A pull that runs. Dropped, it is cut off.
pub(super) struct Live {
    pub asked: Asked,
    pub shared: Arc<Shared>,
    pub task: AbortOnDropHandle<()>,
    /// Who cancelled it while that could not be written down.
    pub cut: Option<String>,
}

impl Live {
    /// It failed because its backend is down: it is asked for again once that is back.
    pub fn is_put_off(&self) -> bool {
        self.cut.is_none() && self.task.is_finished() && self.shared.put_off.load(Relaxed)
    }

    /// How it ended, where it has.
    pub fn outcome(&self) -> Option<Result<(), String>> {
        if let Some(who) = &self.cut {
            return Some(Err(format!("cancelled by {who}")));
        }
        let cut_off = || Err("it was cut off; the log has the detail".to_owned());
        self.task.is_finished().then(|| self.shared.done.get().cloned().unwrap_or_else(cut_off))
    }
}

#[derive(Default)]
pub(super) struct Book {
    pub live: HashMap<PullId, Live>,
    pub pauses: Pauses,
    /// The newest first.
    ended: VecDeque<PullView>,
    /// How many ended since the start: done, failed, cancelled.
    counts: [u64; 3],
}

impl Book {
    /// Something runs on the backend.
    pub fn is_busy(&self, backend: &BackendId) -> bool {
        self.live.values().any(|live| live.asked.backend == *backend)
    }

    pub fn ended(&self, id: &PullId) -> Option<&PullView> {
        self.ended.iter().find(|pull| pull.id == *id)
    }

    pub fn all_ended(&self) -> impl Iterator<Item = &PullView> {
        self.ended.iter()
    }

    pub fn counts(&self) -> [u64; 3] {
        self.counts
    }

    pub fn forget(&mut self, id: &PullId) {
        self.ended.retain(|pull| pull.id != *id);
    }

    pub fn clear(&mut self) {
        self.ended.clear();
    }

    /// Remembers how a pull ended.
    pub fn end(&mut self, asked: &Asked, outcome: &Result<(), String>, now: Now) {
        match outcome {
            Ok(()) => self.pauses.forget(&asked.model, Some(&asked.backend)),
            Err(why) => self.pauses.failed(&asked.model, &asked.backend, why, now.instant),
        }
        match outcome {
            Ok(()) => self.put(asked, PullState::Done, format!("calls for it find it on {}", asked.backend_name), now),
            Err(why) => self.put(asked, PullState::Failed, why.clone(), now),
        }
    }

    /// Cuts a pull off, where it runs here, before that is written down.
    pub fn cut(&mut self, id: &PullId, who: &str) {
        if let Some(live) = self.live.get_mut(id) {
            live.task.abort();
            live.cut = Some(who.to_owned());
        }
    }

    /// Cuts a pull off, where it runs here, and remembers that somebody cancelled it.
    pub fn cancel(&mut self, asked: &Asked, who: &str, now: Now) {
        if asked.kept {
            self.pauses.cancelled(&asked.model, &asked.backend, who, now.instant);
        }
        self.put(asked, PullState::Cancelled, format!("by {who}"), now);
    }

    fn put(&mut self, asked: &Asked, state: PullState, said: String, now: Now) {
        let live = self.live.remove(&asked.id);
        let progress = live.map(|live| lock(&live.shared.progress).clone()).unwrap_or_default();
        if self.ended(&asked.id).is_none() {
            let at =
                [PullState::Done, PullState::Failed, PullState::Cancelled].iter().position(|known| *known == state);
            at.and_then(|at| self.counts.get_mut(at)).into_iter().for_each(|count| *count += 1);
        }
        self.forget(&asked.id);
        self.ended.push_front(view::ended(asked, &progress, state, said, now.wall));
        self.ended.truncate(REMEMBERED);
    }
}
