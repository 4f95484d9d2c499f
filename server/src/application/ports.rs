//! The ports the server listens at: handed over by a service manager, or its own.

use std::net::SocketAddr;

use tokio::net::TcpListener;

use super::StartError;
use crate::{
    accept::{self, Listener},
    config::Config,
    first_line::Addresses,
    systemd::Handed,
};

/// Open ports, before anybody is let in.
pub struct Ports {
    /// At least one.
    pub api: Vec<Listener>,
    /// Empty where the admin pages have no port of their own.
    pub admin: Vec<Listener>,
}

impl Ports {
    /// What was handed over takes the place of what the configuration says. Needs a runtime.
    pub fn open(config: &Config, handed: Handed) -> Result<Self, StartError> {
        let mut ports = Self { api: keep(handed.api)?, admin: keep(handed.admin)? };
        if ports.api.is_empty() {
            ports.api.push(own(accept::bind(config.listen))?);
        }
        if let Some(address) = config.admin_listen.filter(|_| ports.admin.is_empty()) {
            ports.admin.push(own(accept::bind_admin(address))?);
        }
        Ok(ports)
    }

    /// Where people are sent to.
    pub fn addresses(&self) -> Result<Addresses, StartError> {
        let mut api = of(&self.api)?.into_iter();
        let first = api.next().ok_or_else(|| StartError::Other("there is no port".into()))?;
        Ok(Addresses { api: first, admin: of(&self.admin)?.first().copied(), tls: false })
    }

    pub fn all(&self) -> Result<Vec<SocketAddr>, StartError> {
        Ok([of(&self.api)?, of(&self.admin)?].concat())
    }
}

fn keep(sockets: Vec<std::net::TcpListener>) -> Result<Vec<Listener>, StartError> {
    let keep = |socket| TcpListener::from_std(socket).map(|socket| Listener { socket, handed_over: true });
    sockets.into_iter().map(keep).collect::<Result<_, _>>().map_err(StartError::other)
}

fn own(bound: Result<TcpListener, String>) -> Result<Listener, StartError> {
    bound.map(|socket| Listener { socket, handed_over: false }).map_err(StartError::Other)
}

fn of(listeners: &[Listener]) -> Result<Vec<SocketAddr>, StartError> {
    listeners.iter().map(|listener| listener.socket.local_addr()).collect::<Result<_, _>>().map_err(StartError::other)
}
