//! A timer for deadlines that are moved on again and again and nearly never come: it stays where it was set first, and
//! only when it fires looks how much time is left. Setting a timer anew for every request or frame would cost each of them
//! a turn at the runtime's list of timers, on its way in and on its way out.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use tokio::time::{Instant, Sleep, sleep_until};

/// One timer for one deadline at a time; made when it is first waited for.
#[derive(Default)]
pub struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    /// Ready once `deadline` has passed.
    pub fn poll_past(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        let timer = self.0.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if timer.deadline() > deadline {
            timer.as_mut().reset(deadline);
        }
        while timer.as_mut().poll(cx).is_ready() {
            if Instant::now() >= deadline {
                return Poll::Ready(());
            }
            timer.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, time::Duration};

    use futures_util::poll;

    use super::*;

    const NEVER: Duration = Duration::from_secs(3_600);

    #[tokio::test]
    async fn a_deadline_holds_whether_the_one_before_was_earlier_or_later() {
        let (mut alarm, start) = (Alarm::default(), Instant::now());
        for (deadline, passes) in [
            (start + NEVER, false),
            (start, true),
            (start + NEVER, false),
            (start + Duration::from_millis(20), true),
            (start, true),
        ] {
            if passes {
                poll_fn(|cx| alarm.poll_past(cx, deadline)).await;
                assert!(Instant::now() >= deadline);
            } else {
                assert!(poll!(poll_fn(|cx| alarm.poll_past(cx, deadline))).is_pending());
            }
        }
    }

    /// What was set for an earlier deadline fires on the way and must not be taken for a later one.
    #[tokio::test]
    async fn a_timer_that_fires_early_is_set_again() {
        let (mut alarm, start) = (Alarm::default(), Instant::now());
        let (early, late) = (start + Duration::from_millis(10), start + Duration::from_millis(40));
        assert!(poll!(poll_fn(|cx| alarm.poll_past(cx, early))).is_pending());
        poll_fn(|cx| alarm.poll_past(cx, late)).await;
        assert!(Instant::now() >= late);
    }
}
