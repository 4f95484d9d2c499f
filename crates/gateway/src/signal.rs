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

/// The sending side of a wake-up that many wait for and that costs each of them one atomic load at a time.
#[derive(Default)]
pub struct Signal {
    raised: AtomicU64,
    stopped: AtomicBool,
    notify: Arc<Notify>,
}

impl Signal {
    /// Wakes everybody who watches, to look whether it may go on.
    pub fn raise(&self) {
        self.raised.fetch_add(1, Ordering::SeqCst);
        self.notify.notify_waiters();
    }

    /// Ends every running request and all that start later.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        self.raise();
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    /// Watches for the next time it is raised.
    pub fn watch(self: &Arc<Self>) -> Watch {
        // Made before the count is read: a raise in between wakes it.
        let notified = Box::pin(self.notify.clone().notified_owned());
        Watch { seen: self.raised.load(Ordering::SeqCst), signal: self.clone(), notified, waker: None }
    }
}

/// The receiving side of one request.
pub struct Watch {
    signal: Arc<Signal>,
    seen: u64,
    notified: Pin<Box<OwnedNotified>>,
    /// The waker that `notified` holds. While it is the caller's too there is nothing to register, and the lock that all
    /// requests share is left alone.
    waker: Option<Waker>,
}

impl Watch {
    /// The gateway is stopped, and so is whatever still runs.
    pub(crate) fn is_stopped(&self) -> bool {
        self.signal.is_stopped()
    }

    /// Ready once for every time (or several times together) the signal was raised.
    pub(crate) fn poll_raised(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let raised = self.signal.raised.load(Ordering::SeqCst);
            if raised != self.seen {
                *self = self.signal.watch();
                self.seen = self.seen.max(raised);
                return Poll::Ready(());
            }
            if self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                return Poll::Pending;
            }
            if self.notified.as_mut().poll(cx).is_ready() {
                // The wake-up of a raise that was already seen; what has fired once stays ready and must be replaced.
                self.notified = Box::pin(self.signal.notify.clone().notified_owned());
                continue;
            }
            self.waker = Some(cx.waker().clone());
            // A raise between the first look and the registration found no waker to wake.
            if self.signal.raised.load(Ordering::SeqCst) == self.seen {
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
        signal.notify.notify_waiters();
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
}
