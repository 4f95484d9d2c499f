//! How connections learn that the process ends: first that they are not to be kept, then that their time is over. A look
//! costs each connection one atomic load; there is no lock that all of them take.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering::SeqCst},
};

use gateway::{Signal, Watch};

const RUNNING: u8 = 0;
const BEGUN: u8 = 1;
const CUT: u8 = 2;

/// One for all listeners; cheap to clone.
#[derive(Clone, Default)]
pub struct Ending(Arc<Inner>);

#[derive(Default)]
struct Inner {
    phase: AtomicU8,
    signal: Arc<Signal>,
}

impl Ending {
    /// No new connections; those that are there end when they have nothing to do.
    pub fn begin(&self) {
        self.enter(BEGUN);
    }

    /// Whatever is still there is dropped where it stands.
    pub fn cut(&self) {
        self.enter(CUT);
    }

    fn enter(&self, phase: u8) {
        self.0.phase.fetch_max(phase, SeqCst);
        self.0.signal.raise();
    }

    pub fn has_begun(&self) -> bool {
        self.0.phase.load(SeqCst) > RUNNING
    }

    pub fn is_cut(&self) -> bool {
        self.0.phase.load(SeqCst) == CUT
    }

    /// Wakes with every phase. Make it before the first look.
    pub fn watch(&self) -> Watch {
        self.0.signal.watch()
    }

    /// Waits for the end to begin.
    pub async fn until_begun(&self, watch: &mut Watch) {
        while !self.has_begun() {
            watch.raised().await;
        }
    }

    /// Waits for the cut.
    pub async fn until_cut(&self, watch: &mut Watch) {
        while !self.is_cut() {
            watch.raised().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_phase_is_heard_by_who_came_before_and_after_it() {
        let ending = Ending::default();
        let mut early = ending.watch();
        assert!(!ending.has_begun());
        ending.begin();
        ending.until_begun(&mut early).await;
        ending.until_begun(&mut ending.watch()).await;
        assert!(ending.has_begun() && !ending.is_cut());
        ending.cut();
        ending.begin();
        ending.until_cut(&mut early).await;
        ending.until_cut(&mut ending.watch()).await;
        assert!(ending.has_begun() && ending.is_cut());
    }
}
