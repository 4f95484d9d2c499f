//! What a request holds from the moment a backend is asked until its answer has ended, and why it may have to end before.

use std::{net::IpAddr, sync::Arc, time::Instant};

use domain::id::KeyId;

use crate::{
    Inner, auth,
    backend::{Backend, InFlight, View},
    error::{Broken, Error},
    insider::Insider,
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
    pub(super) insider: Option<Insider>,
}

impl Caller {
    /// Why the request may not go on.
    fn ended(&self) -> Option<Broken> {
        if self.inner.signal.is_stopped() {
            return Some(Broken::ShutDown);
        }
        // Who may use the admin pages, and from where, is the session's affair.
        if let Some(insider) = &self.insider {
            return insider.has_ended().then_some(Broken::SessionEnded);
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
        if (watch.is_stopped() || self.insider.is_some() || !Arc::ptr_eq(&self.inner.fleet.view(), view))
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
        Broken::SessionEnded => Error::SessionEnded,
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

    fn begun(&mut self, now: Instant) {
        if let Held::Choice(choice) = &mut self.held {
            choice.begun(self.caller.inner.at(now), &self.caller.key);
        }
    }

    fn completed(&mut self, now: Instant, proper_end: bool) {
        let Held::Choice(choice) = &mut self.held else { return };
        let now = self.caller.inner.at(now);
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

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use domain::{id::UserId, key::KeyStatus, network::Networks};

    use super::*;
    use crate::{
        Gateway,
        snapshot::{KeyEntry, Pepper, Rules, Settings, Snapshot},
    };

    const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn publish(gateway: &Gateway, change: impl FnOnce(&mut KeyEntry, &mut Settings)) {
        let mut key = KeyEntry {
            id: KeyId::new("keykeykeykey").unwrap(),
            user: UserId::new("useruseruser").unwrap(),
            hash: Some(Pepper([7; 32]).hash("")),
            status: KeyStatus::Active,
            user_enabled: true,
            limit: None,
            rules: Rules::default(),
        };
        let mut settings = Settings::default();
        change(&mut key, &mut settings);
        let keys = HashMap::from([(key.id.clone(), Arc::new(key))]);
        gateway.publish(Snapshot { revision: 1, keys, backends: Vec::new(), settings, pepper: Pepper([7; 32]) });
    }

    fn caller(gateway: &Gateway, insider: Option<Insider>) -> Caller {
        Caller { inner: gateway.0.clone(), key: KeyId::new("keykeykeykey").unwrap(), address: ADDRESS, insider }
    }

    /// What a request is told that took its view, and was overtaken before it began to watch.
    fn overtaken(change: impl FnOnce(&mut KeyEntry, &mut Settings)) -> Option<Error> {
        let (gateway, _usage) = Gateway::new(1);
        publish(&gateway, |_, _| ());
        let caller = caller(&gateway, None);
        let view = gateway.0.fleet.view();
        assert!(caller.watch(&view).is_ok());
        publish(&gateway, change);
        caller.watch(&view).err()
    }

    #[test]
    fn a_change_between_the_view_and_the_watch_ends_whoever_it_is_meant_for() {
        assert_eq!(overtaken(|key, _| key.status = KeyStatus::Revoked), Some(Error::InvalidKey));
        assert_eq!(overtaken(|key, _| key.user_enabled = false), Some(Error::InvalidKey));
        let everywhere = || Networks::parse("127.0.0.0/8").unwrap();
        assert_eq!(overtaken(|_, settings| settings.doors.denied = everywhere()), Some(Error::Address));
        assert_eq!(overtaken(|_, settings| settings.max_body += 1), None);
    }

    #[test]
    fn an_insider_ends_with_its_session_and_with_no_key() {
        let (gateway, _usage) = Gateway::new(1);
        publish(&gateway, |_, _| ());
        let insider = Insider::new(KeyId::new("administrat0").unwrap(), UserId::new("administrat0").unwrap());
        let caller = caller(&gateway, Some(insider.clone()));
        let view = gateway.0.fleet.view();
        publish(&gateway, |key, settings| {
            key.status = KeyStatus::Revoked;
            settings.doors.denied = Networks::parse("127.0.0.0/8").unwrap();
        });
        assert!(caller.watch(&view).is_ok(), "keys and their doors are others'");
        gateway.end_insider(&insider);
        assert_eq!(caller.watch(&view).err(), Some(Error::SessionEnded));
    }

    #[test]
    fn nobody_begins_to_watch_a_gateway_that_has_stopped() {
        let (gateway, _usage) = Gateway::new(1);
        publish(&gateway, |_, _| ());
        let caller = caller(&gateway, None);
        let view = gateway.0.fleet.view();
        gateway.cancel_all();
        assert_eq!(caller.watch(&view).err(), Some(Error::ShutDown));
    }
}
