//! Where backends may be: what the administrator narrowed it to, on top of the addresses that no backend may have. Every
//! connection to a backend is to an address that was found and checked here, for this one connection.

mod names;

use std::{
    net::{IpAddr, SocketAddr},
    sync::LazyLock,
    time::Instant,
};

use domain::network::Networks;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use super::address::{AddressError, is_forbidden};

/// One memory, because a name means the same to every gateway of a process.
static NAMES: LazyLock<names::Names> = LazyLock::new(names::Names::new);

/// Names under which clouds hand out credentials.
const METADATA: &[&str] =
    &["metadata", "metadata.google.internal", "metadata.goog", "metadata.azure.internal", "instance-data"];

/// A name that is no backend's, whatever it resolves to.
pub(crate) fn is_metadata(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    METADATA.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Why a backend may not have this address.
fn check(address: IpAddr, networks: &Networks) -> Result<(), AddressError> {
    if is_forbidden(address) {
        return Err(AddressError::Forbidden(address));
    }
    if networks.is_empty() || networks.contains(address) { Ok(()) } else { Err(AddressError::Outside(address)) }
}

/// Refuses an address written as such. HTTP clients ask no resolver about those.
pub(crate) fn check_literal(url: &Url, networks: &Networks) -> Result<(), AddressError> {
    match url.host() {
        Some(Host::Ipv4(ip)) => check(ip.into(), networks),
        Some(Host::Ipv6(ip)) => check(ip.into(), networks),
        Some(Host::Domain(name)) if is_metadata(name) => Err(AddressError::Metadata),
        _ => Ok(()),
    }
}

/// Resolves `host`, or takes it as the address it is, and keeps what may be connected to.
pub(crate) async fn lookup(host: &str, port: u16, networks: &Networks) -> Result<Vec<SocketAddr>, AddressError> {
    if is_metadata(host) {
        return Err(AddressError::Metadata);
    }
    let found = match host.parse() {
        Ok(address) => vec![address],
        Err(_) => {
            let answer = async { Ok(tokio::net::lookup_host((host, port)).await?.map(|found| found.ip()).collect()) };
            NAMES.resolve(host, Instant::now(), answer).await.ok_or(AddressError::Dns)?
        }
    };
    admitted(found.into_iter().map(|ip| SocketAddr::new(ip, port)).collect(), networks)
}

/// The addresses of an answer that may be connected to; the first one's fault if there are none.
fn admitted(found: Vec<SocketAddr>, networks: &Networks) -> Result<Vec<SocketAddr>, AddressError> {
    let mut fault = AddressError::Dns;
    let mut admitted = Vec::with_capacity(found.len());
    for address in found {
        match check(address.ip(), networks) {
            Ok(()) => admitted.push(address),
            Err(error) if fault == AddressError::Dns => fault = error,
            Err(_) => {}
        }
    }
    if admitted.is_empty() { Err(fault) } else { Ok(admitted) }
}

/// The same rule for reqwest.
pub(crate) struct GuardedResolver(pub(crate) Networks);

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let networks = self.0.clone();
        Box::pin(async move {
            // The port of the URL replaces this one.
            let found = lookup(name.as_str(), 0, &networks).await?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
#[path = "reach/tests.rs"]
mod tests;
