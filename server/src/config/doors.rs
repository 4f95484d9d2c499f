//! The variables that say who may come in, and where the admin pages listen.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use control::NetworkEnvironment;

use super::{RawConfig, raw::Collector};
use crate::tls::files::{TlsFiles, read};

/// Lists of networks and origins, in one spelling each.
pub fn network(raw: &RawConfig, faults: &mut Collector) -> NetworkEnvironment {
    let mut list = |name, check: fn(&str) -> Result<String, String>| match check(raw.given(name)?) {
        Ok(list) => Some(list),
        Err(message) => {
            faults.push(name, message);
            None
        }
    };
    NetworkEnvironment {
        allowed_ips: list("ALLOWED_IPS", control::check_networks),
        denied_ips: list("DENIED_IPS", control::check_networks),
        admin_allowed_ips: list("ADMIN_ALLOWED_IPS", control::check_networks),
        admin_denied_ips: list("ADMIN_DENIED_IPS", control::check_networks),
        cors_origins: list("CORS_ORIGINS", control::check_cors_origins),
        backend_networks: list("BACKEND_NETWORKS", control::check_networks),
        hsts_days: list("HSTS_DAYS", control::check_hsts_days),
    }
}

/// `ADMIN_LISTEN`: where the admin pages are, if not on the one port, `listen`.
pub fn admin_listen(raw: &RawConfig, listen: SocketAddr, faults: &mut Collector) -> Option<SocketAddr> {
    let text = raw.given("ADMIN_LISTEN")?;
    let Some(address) = parse(text) else {
        faults.push("ADMIN_LISTEN", format!("{text:?} is no address with a port like 127.0.0.1:8081 or 0.0.0.0:8081"));
        return None;
    };
    let same_host = address.ip() == listen.ip() || address.ip().is_unspecified() || listen.ip().is_unspecified();
    if address.port() != 0 && address.port() == listen.port() && same_host {
        faults.push(
            "ADMIN_LISTEN",
            format!("port {} is already the one of PROXY_PORT: give another port, or remove it", address.port()),
        );
    }
    Some(address)
}

fn parse(text: &str) -> Option<SocketAddr> {
    let local = text.rsplit_once(':').filter(|(host, _)| host.eq_ignore_ascii_case("localhost"));
    match local {
        Some((_, port)) => Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port.parse().ok()?)),
        None => text.parse().ok(),
    }
}

/// `TLS_CERT` and `TLS_KEY`: a pair that fits together and is valid now.
pub fn tls(raw: &RawConfig, faults: &mut Collector) -> Option<TlsFiles> {
    let (certificate, key) = match (raw.given("TLS_CERT"), raw.given("TLS_KEY")) {
        (None, None) => return None,
        (Some(_), None) => {
            faults.push("TLS_KEY", "is missing though TLS_CERT is set: give the path of the key that belongs to it");
            return None;
        }
        (None, Some(_)) => {
            faults.push("TLS_CERT", "is missing though TLS_KEY is set: give the path of the certificate it belongs to");
            return None;
        }
        (Some(certificate), Some(key)) => (PathBuf::from(certificate), PathBuf::from(key)),
    };
    let files = TlsFiles { certificate, key };
    match files.read() {
        Ok((certificate, key)) => {
            if let Err(fault) = control::check_pair(&certificate, &key) {
                faults.push(if fault.field == "private_key" { "TLS_KEY" } else { "TLS_CERT" }, fault.message);
            }
        }
        Err(message) => match message.split_once(": ") {
            Some((name, message)) => faults.push(name, message),
            None => faults.push("TLS_CERT", message),
        },
    }
    Some(files)
}

/// `REDIS_CA`: the certificates in the file that it names.
pub fn redis_ca(raw: &RawConfig, faults: &mut Collector) -> Option<String> {
    let path = raw.given("REDIS_CA")?;
    let text = read(Path::new(path)).map_err(|error| format!("cannot be read: {error}"));
    let found = text.and_then(|bytes| control::check_redis_ca(&String::from_utf8_lossy(&bytes)));
    found.map_err(|message| faults.push("REDIS_CA", format!("{path} {message}"))).ok()
}
