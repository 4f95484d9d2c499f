//! Named background tasks. Each is essential: one that ends or panics while the process is not stopping takes the
//! process down in order, because a gateway without its catalogue or its usage writer only seems to work.

use std::{panic::AssertUnwindSafe, time::Duration};

use futures_util::FutureExt;
use tokio::{runtime::Handle, sync::mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Spawns, watches and ends the tasks of one process.
pub struct Supervisor {
    /// Where the tasks run.
    runtime: Handle,
    stop: CancellationToken,
    tasks: TaskTracker,
    ended: mpsc::UnboundedSender<&'static str>,
}

impl Supervisor {
    /// A supervisor whose tasks run on `runtime`, and the channel that names a task which ended too early.
    pub fn new(runtime: Handle) -> (Self, mpsc::UnboundedReceiver<&'static str>) {
        let (ended, early) = mpsc::unbounded_channel();
        (Self { runtime, stop: CancellationToken::new(), tasks: TaskTracker::new(), ended }, early)
    }

    /// Runs `task` until it ends by itself; it is given the token that asks it to.
    pub fn spawn<F>(&self, name: &'static str, task: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (stop, ended) = (self.stop.clone(), self.ended.clone());
        let future = AssertUnwindSafe(task(stop.clone())).catch_unwind();
        self.tasks.spawn_on(
            async move {
                let outcome = future.await;
                if outcome.is_err() {
                    tracing::error!(task = name, "task panicked");
                }
                if outcome.is_err() || !stop.is_cancelled() {
                    // Nobody listens any more once the process is stopping.
                    let _ = ended.send(name);
                }
            },
            &self.runtime,
        );
    }

    /// Asks all tasks to end and waits for them, at most `patience`. False if one did not end.
    pub async fn stop(self, patience: Duration) -> bool {
        self.stop.cancel();
        self.tasks.close();
        tokio::time::timeout(patience, self.tasks.wait()).await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_ends_by_itself_is_named() {
        let (supervisor, mut early) = Supervisor::new(Handle::current());
        supervisor.spawn("short", |_| async {});
        assert_eq!(early.recv().await, Some("short"));
    }

    #[tokio::test]
    async fn a_task_that_panics_is_named() {
        let (supervisor, mut early) = Supervisor::new(Handle::current());
        supervisor.spawn("broken", |_| async { panic!("on purpose") });
        assert_eq!(early.recv().await, Some("broken"));
    }

    #[tokio::test]
    async fn tasks_that_end_when_asked_are_no_fault() {
        let (supervisor, mut early) = Supervisor::new(Handle::current());
        supervisor.spawn("good", |stop| async move { stop.cancelled().await });
        assert!(supervisor.stop(Duration::from_secs(10)).await);
        assert_eq!(early.recv().await, None);
    }
}
