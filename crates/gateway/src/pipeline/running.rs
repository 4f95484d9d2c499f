//! What a request holds from the moment a backend is asked until its answer has ended, and why it may have to end before.

use std::{net::IpAddr, sync::Arc};

use domain::id::KeyId;

use crate::{
    Inner, auth,
    backend::{Backend, InFlight, View},
    error::{Broken, Error},
    limit::Permit,
    policy::Slots,
    resolve::Choice,
    signal::Watch,
    stream::Owner,
    verdict::Fault,
};

/// Whose request it is. All of it was looked at when the request came in, and is again whenever the signal is raised.
#[derive(Clone)]
pub(super) struct Caller {
    pub(super) inner: Arc<Inner>,
    pub(super) key: KeyId,
    pub(super) address: IpAddr,
}

impl Caller {
    /// Why the request may not go on.
    fn ended(&self) -> Option<Broken> {
        if self.inner.signal.is_stopped() {
            return Some(Broken::ShutDown);
        }
        let view = self.inner.fleet.view();
        let snapshot = &view.snapshot;
        if !auth::still_in_force(snapshot, &self.key, self.inner.clock().unix) {
            return Some(Broken::KeyEnded);
        }
        let key = snapshot.keys.get(&self.key)?;
        let admitted = snapshot.settings.doors.admits(self.address) && key.rules.admits_address(self.address);
        (!admitted).then_some(Broken::AddressEnded)
    }

    /// Watches for the request's end from outside. What happened since `view` was taken is looked at here.
    pub(super) fn watch(&self, view: &Arc<View>) -> Result<Watch, Error> {
        let watch = self.inner.signal.watch();
        if (watch.is_stopped() || !Arc::ptr_eq(&self.inner.fleet.view(), view))
            && let Some(broken) = self.ended()
        {
            return Err(refusal(&broken));
        }
        Ok(watch)
    }

    /// Waits until the request may not go on.
    pub(super) async fn until_ended(&self, watch: &mut Watch) -> Error {
        loop {
            watch.raised().await;
            if let Some(broken) = self.ended() {
                return refusal(&broken);
            }
        }
    }
}

/// What a client is told whose request ends before its answer has begun.
fn refusal(broken: &Broken) -> Error {
    match broken {
        Broken::KeyEnded => Error::InvalidKey,
        Broken::AddressEnded => Error::Address,
        _ => Error::ShutDown,
    }
}

/// Where a request is, and its place there.
pub(super) enum Held {
    /// Whose outcome says something.
    Choice(Choice),
    /// Work on the backend itself.
    Errand { backend: Arc<Backend>, _in_flight: InFlight },
}

/// What a running answer holds: dropped, the backend is one request freer.
pub(super) struct Running {
    pub(super) caller: Caller,
    held: Held,
    _permit: Permit,
    _slots: Slots,
}

impl Running {
    pub(super) fn new(caller: Caller, held: Held, permit: Permit, slots: Slots) -> Self {
        Self { caller, held, _permit: permit, _slots: slots }
    }

    pub(super) fn backend(&self) -> &Backend {
        match &self.held {
            Held::Choice(choice) => &choice.backend,
            Held::Errand { backend, .. } => backend,
        }
    }
}

impl Owner for Running {
    fn ended(&self) -> Option<Broken> {
        self.caller.ended()
    }

    fn begun(&mut self) {
        if let Held::Choice(choice) = &mut self.held {
            choice.begun(self.caller.inner.now(), &self.caller.key);
        }
    }

    fn completed(&mut self, proper_end: bool) {
        let Held::Choice(choice) = &mut self.held else { return };
        let now = self.caller.inner.now();
        if proper_end {
            choice.completed(now);
        } else if choice.speaks {
            choice.failed(now, Fault::Erred, "its answer ended in an error, or without its end".into());
        }
    }

    fn backend_failed(&mut self, broken: &Broken) {
        let message = broken.to_string();
        match &mut self.held {
            Held::Choice(choice) => {
                let fault = if *broken == Broken::Stalled { Fault::Stalled } else { Fault::Died };
                choice.failed(self.caller.inner.now(), fault, message);
            }
            Held::Errand { backend, .. } => backend.failed(message),
        }
    }
}
