//! How long a silent caller is waited for: for a head that was begun, and for the next request on a connection that is
//! kept. hyper has one time for both, and a timer made anew for every head. Here it is one timer a connection.
//!
//! A head that began in the segment of the request before it is not heard, because telling would cost every request a look
//! through its bytes: until more of it comes it has the idle time, which a caller who sends nothing has as well.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use gateway::Alarm;
use tokio::time::Instant;

use super::{Patience, progress::Progress};

/// The clock of one connection. It is looked at whenever the connection has nothing to do.
pub struct Wait {
    patience: Patience,
    progress: Arc<Progress>,
    /// Requests begun at the last look.
    seen: u32,
    waiting: Option<(For, Instant)>,
    timer: Alarm,
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum For {
    Head,
    Next,
}

impl Wait {
    pub fn new(patience: Patience, progress: Arc<Progress>) -> Self {
        Self { patience, progress, seen: 0, waiting: None, timer: Alarm::default() }
    }

    /// Ready once the caller has been waited for too long.
    pub fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let begun = self.progress.begun();
        if begun != self.seen {
            (self.seen, self.waiting) = (begun, None);
        }
        if !self.progress.is_idle() {
            self.waiting = None;
            return Poll::Pending;
        }
        let what = if self.progress.was_heard() || begun == 0 { For::Head } else { For::Next };
        let deadline = match self.waiting {
            Some((same, deadline)) if same == what => deadline,
            _ => {
                let patience = if what == For::Head { self.patience.head } else { self.patience.idle };
                let deadline = Instant::now() + patience;
                self.waiting = Some((what, deadline));
                deadline
            }
        };
        self.timer.poll_past(cx, deadline)
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, time::Duration};

    use futures_util::poll;
    use gateway::Body;
    use http_body_util::{BodyExt, Empty};

    use super::{super::progress::Counted, *};

    const SHORT: Duration = Duration::from_millis(20);
    const NEVER: Duration = Duration::from_secs(3600);

    fn wait(head: Duration, idle: Duration) -> (Wait, Arc<Progress>) {
        let progress = Arc::new(Progress::default());
        let patience = Patience { head, idle, ..Patience::default() };
        (Wait::new(patience, Arc::clone(&progress)), progress)
    }

    fn answered(progress: &Arc<Progress>) {
        progress.begin();
        drop(running(progress));
    }

    fn running(progress: &Arc<Progress>) -> Counted {
        let body: Body = Empty::new().map_err(|never| match never {}).boxed_unsync();
        Counted::new(body, Arc::clone(progress))
    }

    async fn over(wait: &mut Wait) {
        poll_fn(|cx| wait.poll_over(cx)).await;
    }

    #[tokio::test]
    async fn the_first_head_and_one_that_was_begun_have_the_heads_time() {
        let (mut wait, progress) = wait(SHORT, NEVER);
        over(&mut wait).await;
        answered(&progress);
        assert!(poll!(poll_fn(|cx| wait.poll_over(cx))).is_pending());
        progress.hear();
        over(&mut wait).await;
    }

    #[tokio::test]
    async fn a_kept_connection_has_the_idle_time_though_its_timer_was_set_for_a_head() {
        let (mut wait, progress) = wait(NEVER, SHORT);
        assert!(poll!(poll_fn(|cx| wait.poll_over(cx))).is_pending());
        progress.hear();
        answered(&progress);
        over(&mut wait).await;
    }

    #[tokio::test]
    async fn nothing_runs_out_while_a_request_is_answered() {
        let (mut wait, progress) = wait(Duration::ZERO, Duration::ZERO);
        progress.begin();
        let body = running(&progress);
        progress.hear();
        assert!(poll!(poll_fn(|cx| wait.poll_over(cx))).is_pending());
        drop(body);
        over(&mut wait).await;
    }

    #[tokio::test]
    async fn one_byte_after_the_other_moves_no_deadline() {
        let (mut wait, progress) = wait(NEVER, NEVER);
        progress.hear();
        assert!(poll!(poll_fn(|cx| wait.poll_over(cx))).is_pending());
        let deadline = wait.waiting;
        progress.hear();
        assert!(poll!(poll_fn(|cx| wait.poll_over(cx))).is_pending());
        assert_eq!(wait.waiting, deadline);
    }
}
