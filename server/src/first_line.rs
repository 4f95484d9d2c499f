//! What a person who starts the server sees on standard output: where it is, and on a first run how to set it up.

use std::{
    fs,
    io::{self, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

/// Where the server listens.
#[derive(Debug, Clone, Copy)]
pub struct Addresses {
    pub api: SocketAddr,
    /// Of the admin pages, if they have a listener of their own.
    pub admin: Option<SocketAddr>,
    /// The listeners speak TLS.
    pub tls: bool,
}

/// Prints the lines. Programs read them too: the first ends in the address.
pub fn print(addresses: &Addresses, setup_token: Option<&str>, read_only: Option<&str>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text(addresses, machine().as_deref(), setup_token, read_only).as_bytes())?;
    out.flush()
}

fn text(addresses: &Addresses, machine: Option<&str>, setup_token: Option<&str>, read_only: Option<&str>) -> String {
    let scheme = if addresses.tls { "https" } else { "http" };
    let url = |listen: SocketAddr| format!("{scheme}://{}", reachable(listen));
    let from_afar = |listen: SocketAddr| {
        let machine = machine.filter(|_| listen.ip().is_unspecified())?;
        Some(format!("{scheme}://{machine}:{}", listen.port()))
    };
    let mut text = format!("Ollama Proxy Fortress {} is ready at {}\n", env!("CARGO_PKG_VERSION"), url(addresses.api));
    if let Some(there) = from_afar(addresses.api) {
        text += &format!("From other machines: {there}\n");
    }
    if let Some(admin) = addresses.admin {
        text += &format!("The admin pages are at {}/admin\n", url(admin));
        if let Some(there) = from_afar(admin) {
            text += &format!("From other machines: {there}/admin\n");
        }
    }
    if let Some(reason) = read_only {
        text += &format!(
            "READ-ONLY: {reason}. Keys and backends work as they are, nothing can be changed and no usage is kept; free some space and restart\n"
        );
    }
    if let Some(token) = setup_token {
        let address = url(addresses.admin.unwrap_or(addresses.api));
        text += &format!(
            "Set it up in your browser (this link works once, for one hour): {address}/admin/setup?token={token}\n"
        );
    }
    text
}

/// An address that a browser on this machine can open.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// This machine's name, where the system tells it in a file.
pub fn machine() -> Option<String> {
    let name = ["/proc/sys/kernel/hostname", "/etc/hostname"].iter().find_map(|path| fs::read_to_string(path).ok())?;
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(api: &str, admin: Option<&str>) -> Addresses {
        Addresses { api: api.parse().unwrap(), admin: admin.map(|admin| admin.parse().unwrap()), tls: false }
    }

    #[test]
    fn a_first_run_ends_on_the_link() {
        let text = text(&at("127.0.0.1:8080", None), Some("box"), Some("abc"), None);
        assert!(text.lines().next().unwrap().ends_with(" is ready at http://127.0.0.1:8080"), "{text}");
        assert!(text.ends_with(" http://127.0.0.1:8080/admin/setup?token=abc\n"), "{text}");
        assert_eq!(text.lines().count(), 2);
    }

    #[test]
    fn on_all_addresses_the_machine_is_named() {
        let text = text(&at("0.0.0.0:9", None), Some("box"), None, None);
        assert!(text.contains("http://127.0.0.1:9\n") && text.contains("http://box:9\n"), "{text}");
        assert!(super::text(&at("[::]:9", None), None, None, None).contains("http://[::1]:9"));
    }

    #[test]
    fn the_set_up_link_leads_to_where_the_admin_pages_are() {
        let text = text(&at("0.0.0.0:8080", Some("127.0.0.1:8081")), Some("box"), Some("abc"), None);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].ends_with(" is ready at http://127.0.0.1:8080"), "{text}");
        assert!(lines.contains(&"The admin pages are at http://127.0.0.1:8081/admin"), "{text}");
        assert!(!text.contains("http://box:8081"), "{text}");
        assert!(text.ends_with(" http://127.0.0.1:8081/admin/setup?token=abc\n"), "{text}");
        let tls = Addresses { tls: true, ..at("127.0.0.1:1", None) };
        assert!(super::text(&tls, None, None, None).ends_with(" is ready at https://127.0.0.1:1\n"));
    }
}
