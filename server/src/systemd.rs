//! What a service manager gives and wants to hear: ports that it keeps open while this process is replaced (`LISTEN_FDS`),
//! and when the process serves and when it stops (`NOTIFY_SOCKET`). The protocol is systemd's; others speak it too.

use std::{env, net::TcpListener};

use listenfd::ListenFd;
use rustix::net::sockopt::socket_acceptconn;
use sd_notify::NotifyState;

use crate::config::Fault;

const COUNT: &str = "LISTEN_FDS";
const NAMES: &str = "LISTEN_FDNAMES";
/// What the socket of the admin pages is called, where they have one; all others belong to the one port.
const ADMIN: &str = "admin";

/// Ports that are open already.
#[derive(Default)]
pub struct Handed {
    /// In place of `PROXY_HOST` and `PROXY_PORT`.
    pub api: Vec<TcpListener>,
    /// In place of `ADMIN_LISTEN`.
    pub admin: Vec<TcpListener>,
}

impl Handed {
    /// Takes what was meant for this process, once, before it has other threads: the variables are removed. With
    /// `has_admin` the admin pages have a listener of their own.
    pub fn take(has_admin: bool) -> Result<Self, Fault> {
        let Ok(count) = env::var(COUNT) else { return Ok(Self::default()) };
        // Somebody else's, inherited.
        if env::var("LISTEN_PID").ok().and_then(|id| id.parse().ok()) != Some(std::process::id()) {
            return Ok(Self::default());
        }
        if count.parse::<u8>().is_err() {
            return Err(Fault::new(
                COUNT,
                format!("{count:?} is no number of sockets: this is for a service manager to set"),
            ));
        }
        let names = env::var(NAMES).unwrap_or_default();
        let mut names = names.split(':');
        let (mut sockets, mut handed) = (ListenFd::from_env(), Self::default());
        for index in 0..sockets.len() {
            let fault =
                |message: String| Fault::new(COUNT, format!("socket {} of the service manager {message}", index + 1));
            let socket = sockets.take_tcp_listener(index);
            let socket =
                socket.map_err(|error| fault(format!("is not for TCP: {error}: give ListenStream=host:port")))?;
            let Some(socket) = socket else { continue };
            if !socket_acceptconn(&socket).unwrap_or(false) {
                return Err(fault("does not listen: give ListenStream=host:port, and no Accept=yes".into()));
            }
            let unblocked = socket.set_nonblocking(true);
            unblocked.map_err(|error| fault(format!("cannot be used: {error}")))?;
            match names.next() {
                Some(ADMIN) if has_admin => handed.admin.push(socket),
                Some(ADMIN) => {
                    return Err(Fault::new(
                        NAMES,
                        format!(
                            "socket {} is called \"admin\", but the admin pages have no port of their own: set ADMIN_LISTEN, or give the socket another FileDescriptorName",
                            index + 1
                        ),
                    ));
                }
                _ => handed.api.push(socket),
            }
        }
        Ok(handed)
    }
}

/// Says that requests are served.
pub fn ready() {
    tell(NotifyState::Ready);
}

/// Says that the process is about to end.
pub fn stopping() {
    tell(NotifyState::Stopping);
}

/// Nothing happens where nobody asked to be told.
fn tell(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "cannot tell the service manager how it is (NOTIFY_SOCKET)");
    }
}
