//! Lets a test release the frames of answers one at a time, so that it can look at a stream half way without sleeping.

use tokio::sync::watch;

#[derive(Debug, Default)]
struct State {
    held: bool,
    permits: usize,
}

#[derive(Debug)]
pub(crate) struct Gate(watch::Sender<State>);

impl Gate {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(State::default()))
    }

    pub(crate) fn hold(&self) {
        self.0.send_modify(|state| state.held = true);
    }

    /// Opens for good and forgets unused permits.
    pub(crate) fn open(&self) {
        self.0.send_modify(|state| *state = State::default());
    }

    pub(crate) fn release(&self, frames: usize) {
        self.0.send_modify(|state| state.permits += frames);
    }

    /// Waits until one frame may go.
    pub(crate) async fn pass(&self) {
        let mut watch = self.0.subscribe();
        loop {
            let mut passed = false;
            self.0.send_if_modified(|state| {
                passed = !state.held || state.permits > 0;
                if state.held && passed {
                    state.permits -= 1;
                }
                false
            });
            if passed {
                return;
            }
            // The sender is ours, so waiting cannot fail.
            let _ = watch.wait_for(|state| !state.held || state.permits > 0).await;
        }
    }
}
