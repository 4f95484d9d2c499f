//! What a request holds from the moment a backend is asked until its answer has ended, and why it may have to end before.

use std::{net::IpAddr, sync::Arc};

use domain::id::KeyId;

use crate::{
    Inner, auth,
    backend::{Backend, InFlight},
    error::{Broken, Error},
    limit::Permit,
    policy::Slots,
    resolve::Choice,
    signal::Watch,
    stream::Owner,
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

    /// Waits until the request may not go on.
    pub(super) async fn until_ended(&self, watch: &mut Watch) -> Error {
        loop {
            match self.ended() {
                Some(Broken::KeyEnded) => return Error::InvalidKey,
                Some(Broken::AddressEnded) => return Error::Address,
                Some(_) => return Error::ShutDown,
                None => watch.raised().await,
            }
        }
    }
}

/// What a running answer holds: dropped, the backend is one request freer.
pub(super) struct Running {
    pub(super) caller: Caller,
    pub(super) backend: Arc<Backend>,
    _in_flight: InFlight,
    _permit: Permit,
    _slots: Slots,
}

impl Running {
    pub(super) fn new(caller: Caller, choice: Choice, permit: Permit, slots: Slots) -> Self {
        let Choice { backend, in_flight } = choice;
        Self { caller, backend, _in_flight: in_flight, _permit: permit, _slots: slots }
    }
}

impl Owner for Running {
    fn ended(&self) -> Option<Broken> {
        self.caller.ended()
    }

    fn backend_failed(&self, broken: &Broken) {
        self.backend.failed(broken.to_string());
    }
}
