//! Idle connections to one origin, the freshest used first. Each lane has its own.

use std::{collections::VecDeque, sync::Mutex, time::Duration};

use tokio::time::Instant;

use super::{http1::Connection, lock};
use crate::lanes::{self, PerLane};

/// An idle connection must be dropped before the backend closes it: the servers people run as backends do so after five
/// seconds (uvicorn, llama.cpp) or never (Ollama).
const IDLE: Duration = Duration::from_secs(4);
/// Idle connections kept by all lanes together, each its part of them.
const MAX_IDLE: usize = 128;

pub(crate) struct Pool(PerLane<Mutex<Kept>>);

struct Kept {
    open: bool,
    /// Oldest first.
    idle: VecDeque<(Instant, Box<Connection>)>,
}

impl Pool {
    pub(crate) fn new() -> Self {
        Self(PerLane::new(|| Mutex::new(Kept { open: true, idle: VecDeque::new() })))
    }

    /// The freshest idle connection that can take a request.
    pub(crate) fn take(&self, now: Instant) -> Option<Box<Connection>> {
        let mut kept = lock(self.0.here());
        while let Some((since, mut connection)) = kept.idle.pop_back() {
            if now.saturating_duration_since(since) >= IDLE {
                kept.idle.clear();
                return None;
            }
            if connection.is_quiet() {
                return Some(connection);
            }
        }
        None
    }

    /// Takes back a connection whose response body has ended.
    pub(crate) fn put(&self, connection: Box<Connection>) {
        let mut kept = lock(self.0.here());
        if kept.open && kept.idle.len() < lanes::share(MAX_IDLE) {
            kept.idle.push_back((Instant::now(), connection));
        }
    }

    /// Drops what has been idle too long.
    pub(crate) fn sweep(&self, now: Instant) {
        let fresh = |since: &Instant| now.saturating_duration_since(*since) < IDLE;
        for kept in self.0.all() {
            lock(kept).idle.retain_mut(|(since, connection)| fresh(since) && connection.is_quiet());
        }
    }

    /// Drops everything: where one connection was stale, its older neighbours are too.
    pub(crate) fn clear(&self) {
        self.0.all().for_each(|kept| lock(kept).idle.clear());
    }

    /// A pool that is not open keeps nothing.
    pub(crate) fn set_open(&self, open: bool) {
        for kept in self.0.all() {
            let mut kept = lock(kept);
            kept.open = open;
            if !open {
                kept.idle.clear();
            }
        }
    }

    #[cfg(test)]
    pub(crate) fn idle(&self) -> usize {
        self.0.all().map(|kept| lock(kept).idle.len()).sum()
    }
}
