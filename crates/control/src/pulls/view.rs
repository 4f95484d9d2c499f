//! Pulls as pages and command line see them.

use std::collections::HashSet;

use domain::{
    backend::{BackendState, BackendView},
    id::BackendId,
    pull::{PullLayer, PullPlace, PullState, PullView},
};

use super::{
    AT_ONCE,
    book::{Book, Live},
    progress::Progress,
    queue::{Asked, Queue},
    words,
};
use crate::{Control, clock::Now, lock::lock, state::State};

/// Layers of one pull that are told; of the rest how many they are.
const TOLD: usize = 40;
const UNWRITTEN: &str = "; this is written down once the database takes it";

/// A pull of which nothing is known but that it was asked for.
fn bare(asked: &Asked, state: PullState, said: String) -> PullView {
    PullView {
        id: asked.id.clone(),
        model: asked.model.clone(),
        backend: asked.backend.clone(),
        backend_name: asked.backend_name.clone(),
        by: asked.by.clone(),
        state,
        asked_at: asked.asked_at,
        ended_at: None,
        said,
        total: 0,
        completed: 0,
        speed: None,
        left_s: None,
        amount: String::new(),
        layers: Vec::new(),
        more_layers: 0,
    }
}

pub(super) fn ended(asked: &Asked, progress: &Progress, state: PullState, said: String, at: u64) -> PullView {
    let (total, completed) = progress.bytes();
    let amount = if total > 0 { words::share(completed, total) } else { String::new() };
    PullView { ended_at: Some(at), total, completed, amount, ..bare(asked, state, said) }
}

/// `unwritten` says that the database takes nothing now.
fn running(live: &Live, now: Now, unwritten: bool) -> PullView {
    let progress = lock(&live.shared.progress).clone();
    let later = if unwritten { UNWRITTEN } else { "" };
    let (state, said) = match live.outcome() {
        Some(Err(why)) if live.cut.is_some() => (PullState::Cancelled, format!("{why}{later}")),
        // As soon as that is written down it has ended.
        Some(Ok(())) => (PullState::Verifying, format!("it is there{later}")),
        Some(Err(why)) => (PullState::Failed, format!("{why}{later}")),
        None if progress.said.is_empty() => (PullState::Running, "asking for it".to_owned()),
        None if progress.is_success() => (PullState::Verifying, "reading the backend's list".to_owned()),
        None => (progress.state(), with_silence(&progress, now)),
    };
    let (total, completed) = progress.bytes();
    let speed = progress.speed(now.instant);
    let left_s = speed.map(|speed| total.saturating_sub(completed).div_ceil(speed)).filter(|_| total > completed);
    let mut amount = if total > 0 { words::share(completed, total) } else { String::new() };
    if let Some(speed) = speed {
        amount += &format!(", {}/s", words::bytes(speed));
    }
    if let Some(left) = left_s {
        amount += &format!(", {} left", words::stretch(left));
    }
    let told = progress.layers.iter().take(TOLD).map(|layer| PullLayer {
        digest: layer.digest.clone(),
        total: layer.total,
        completed: layer.completed,
        amount: words::share(layer.completed, layer.total),
    });
    let more_layers = progress.layers.len().saturating_sub(TOLD) as u64;
    let layers = told.collect();
    PullView { total, completed, speed, left_s, amount, layers, more_layers, ..bare(&live.asked, state, said) }
}

/// What the backend says, and for how long nothing has come where that is long.
fn with_silence(progress: &Progress, now: Now) -> String {
    match progress.idle(now.instant) {
        Some(idle) => format!("{}; nothing has come for {}", progress.said, words::stretch(idle.as_secs())),
        None => progress.said.clone(),
    }
}

/// What a pull waits for.
fn waiting(asked: &Asked, book: &Book, here: bool, down: &HashSet<BackendId>) -> String {
    if !here {
        return "another gateway pulls it, and shows how far it is".into();
    }
    if !asked.kept && down.contains(&asked.backend) {
        return "the backend is down, and this begins when it is back".into();
    }
    let busy = book.live.values().find(|live| live.asked.backend == asked.backend);
    match busy {
        Some(live) => format!("first {} is pulled there", live.asked.model),
        None if book.live.len() >= AT_ONCE => format!("{AT_ONCE} other pulls run, and no more run at once"),
        None => "it is about to begin".into(),
    }
}

impl Control {
    /// Those that run, those that wait in their order, and those that ended.
    pub(super) fn pull_views(&self, state: &State, now: Now) -> Vec<PullView> {
        let queue = Queue::of(state);
        let here = self.drives_pulls(&queue, now);
        let unwritten = self.0.store.read_only().is_some();
        let down = if queue.pulls.is_empty() { HashSet::new() } else { self.down() };
        let book = lock(&self.0.pulls.book);
        let open = queue.pulls.iter().map(|asked| match book.live.get(&asked.id) {
            Some(live) if !live.is_put_off() => running(live, now, unwritten),
            _ => bare(asked, PullState::Queued, waiting(asked, &book, here, &down)),
        });
        // Taken out of the queue, and not remembered as ended yet.
        let is_open = |live: &&Live| queue.pulls.iter().any(|asked| asked.id == live.asked.id);
        let between = book.live.values().filter(|live| !is_open(live)).map(|live| running(live, now, unwritten));
        let mut pulls: Vec<PullView> = open.chain(between).chain(book.all_ended().cloned()).collect();
        pulls.sort_by_key(|pull| match pull.state {
            PullState::Queued => 1,
            PullState::Running | PullState::Verifying => 0,
            _ if pull.ended_at.is_none() => 0,
            _ => 2,
        });
        for pull in &mut pulls {
            if let Ok(row) = state.backend(&pull.backend) {
                row.name.clone_into(&mut pull.backend_name);
            }
        }
        pulls
    }

    /// Every backend, by name, and whether models can be pulled to it.
    pub(super) fn pull_places(&self, state: &State) -> Vec<PullPlace> {
        let (foreign, known) = (self.0.gateway.foreign(), self.known_backends(state));
        let down =
            |id: &BackendId| known.iter().any(|view: &BackendView| view.id == *id && view.state == BackendState::Down);
        let mut places: Vec<PullPlace> = state
            .rows
            .backends
            .iter()
            .map(|row| PullPlace {
                id: row.id.clone(),
                name: row.name.clone(),
                unfit: self.unpullable(row, &foreign).or_else(|| down(&row.id).then(|| "is down now".into())),
            })
            .collect();
        places.sort_by(|one, other| one.name.cmp(&other.name));
        places
    }

    /// Pulls that run and that wait here, and how many ended since the start: done, failed, cancelled.
    pub(crate) fn pull_counts(&self) -> ([u64; 2], [u64; 3]) {
        let queue = Queue::of(&self.state());
        let book = lock(&self.0.pulls.book);
        let running = book.live.len();
        ([running as u64, queue.pulls.len().saturating_sub(running) as u64], book.counts())
    }
}
