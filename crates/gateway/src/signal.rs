//! Ends running requests from outside: all of them when the drain deadline has passed, those of a key when it is revoked.
//! One shared wake-up; each request then looks for itself whether it is meant. The listener tells its connections so, too.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
};

use tokio::sync::{Notify, futures::OwnedNotified};

use crate::lanes::PerLane;

/// The sending side of a wake-up that many wait for and that costs each of them one atomic load at a time. Each lane waits
/// at a part of its own, so that requests of different lanes share nothing.
pub struct Signal(PerLane<Arc<Part>>);

#[derive(Default)]
#[repr(align(128))]
struct Part {
    raised: AtomicU64,
    stopped: AtomicBool,
    notify: Arc<Notify>,
}

impl Default for Signal {
    fn default() -> Self {
        Self(PerLane::new(Arc::default))
    }
}

impl Signal {
    /// Wakes everybody who watches, to look whether it may go on.
    pub fn raise(&self) {
        for part in self.0.all() {
            part.raised.fetch_add(1, Ordering::SeqCst);
            part.notify.notify_waiters();
        }
    }

    /// Ends every running request and all that start later.
    pub(crate) fn stop(&self) {
        // Everywhere before the first is woken: it may look elsewhere than where it waited.
        self.0.all().for_each(|part| part.stopped.store(true, Ordering::SeqCst));
        self.raise();
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.0.here().stopped.load(Ordering::SeqCst)
    }

    /// Watches for the next time it is raised.
    pub fn watch(&self) -> Watch {
        let part = Arc::clone(self.0.here());
        Watch { seen: part.raised.load(Ordering::SeqCst), part, notified: None, waker: None }
    }
}

/// The receiving side of one request.
pub struct Watch {
    part: Arc<Part>,
    seen: u64,
    /// Made where something is waited for.
    notified: Option<Pin<Box<OwnedNotified>>>,
    /// The waker that `notified` holds. While it is the caller's too there is nothing to register, and the lock that all
    /// requests of a lane share is left alone.
    waker: Option<Waker>,
}

impl Watch {
    /// The gateway is stopped, and so is whatever still runs.
    pub(crate) fn is_stopped(&self) -> bool {
        self.part.stopped.load(Ordering::SeqCst)
    }

    /// Ready once for every time (or several times together) the signal was raised.
    pub(crate) fn poll_raised(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let raised = self.part.raised.load(Ordering::SeqCst);
            if raised != self.seen {
                (self.seen, self.notified, self.waker) = (raised, None, None);
                return Poll::Ready(());
            }
            if self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                return Poll::Pending;
            }
            let wake_up = || Box::pin(self.part.notify.clone().notified_owned());
            if self.notified.get_or_insert_with(wake_up).as_mut().poll(cx).is_ready() {
                // The wake-up of a raise that was already seen; what has fired once stays ready and must be replaced.
                self.notified = None;
                continue;
            }
            self.waker = Some(cx.waker().clone());
            // A raise between the look above and the registration found no waker to wake.
            if self.part.raised.load(Ordering::SeqCst) == self.seen {
                return Poll::Pending;
            }
        }
    }

    /// Waits for the signal to be raised.
    pub async fn raised(&mut self) {
        std::future::poll_fn(|cx| self.poll_raised(cx)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lanes;

    #[tokio::test]
    async fn every_watch_sees_a_raise_before_and_after_it_waits() {
        let signal = Arc::new(Signal::default());
        let mut early = signal.watch();
        signal.raise();
        early.raised().await;
        let mut waiting = signal.watch();
        let task = tokio::spawn(async move { waiting.raised().await });
        tokio::task::yield_now().await;
        signal.stop();
        task.await.unwrap();
        early.raised().await;
        assert!(signal.is_stopped());
    }

    #[tokio::test]
    async fn a_late_wake_up_of_a_raise_already_seen_is_not_taken_for_another() {
        let signal = Arc::new(Signal::default());
        let mut watch = signal.watch();
        signal.raise();
        watch.raised().await;
        signal.0.here().notify.notify_waiters();
        assert!(futures_util::poll!(Box::pin(watch.raised())).is_pending());
        signal.raise();
        watch.raised().await;
    }

    #[tokio::test]
    async fn a_watch_made_after_a_raise_waits_for_the_next() {
        let signal = Arc::new(Signal::default());
        signal.raise();
        let mut watch = signal.watch();
        assert!(futures_util::poll!(Box::pin(watch.raised())).is_pending());
    }

    /// Whoever waits in a lane is woken from any other thread, and sees there that all has stopped.
    #[test]
    fn every_lane_hears_of_it() {
        let signal = Signal::default();
        let (ready, waiting) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            for lane in 0..=lanes::count() {
                let (signal, ready) = (&signal, ready.clone());
                scope.spawn(move || {
                    lanes::enter(lane);
                    let mut watch = signal.watch();
                    ready.send(()).unwrap();
                    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                    runtime.block_on(watch.raised());
                    assert!(signal.is_stopped() && watch.is_stopped());
                });
            }
            (0..=lanes::count()).for_each(|_| waiting.recv().unwrap());
            assert!(!signal.is_stopped());
            signal.stop();
        });
    }
}
