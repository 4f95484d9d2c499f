//! What a person who starts the server sees on standard output: where it is, and on a first run how to set it up.

use std::{
    fs,
    io::{self, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

/// Prints the lines. Programs read them too: the first ends in the address.
pub fn print(listen: SocketAddr, setup_token: Option<&str>, read_only: Option<&str>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text(listen, machine().as_deref(), setup_token, read_only).as_bytes())?;
    out.flush()
}

fn text(listen: SocketAddr, machine: Option<&str>, setup_token: Option<&str>, read_only: Option<&str>) -> String {
    let address = format!("http://{}", reachable(listen));
    let mut text = format!("Ollama Proxy Fortress {} is ready at {address}\n", env!("CARGO_PKG_VERSION"));
    if let (true, Some(machine)) = (listen.ip().is_unspecified(), machine) {
        text += &format!("From other machines: http://{machine}:{}\n", listen.port());
    }
    if let Some(reason) = read_only {
        text += &format!(
            "READ-ONLY: {reason}. Keys and backends work as they are, nothing can be changed and no usage is kept; free some space and restart\n"
        );
    }
    if let Some(token) = setup_token {
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
fn machine() -> Option<String> {
    let name = ["/proc/sys/kernel/hostname", "/etc/hostname"].iter().find_map(|path| fs::read_to_string(path).ok())?;
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_run_ends_on_the_link() {
        let text = text("127.0.0.1:8080".parse().unwrap(), Some("box"), Some("abc"), None);
        assert!(text.lines().next().unwrap().ends_with(" is ready at http://127.0.0.1:8080"), "{text}");
        assert!(text.ends_with(" http://127.0.0.1:8080/admin/setup?token=abc\n"), "{text}");
        assert_eq!(text.lines().count(), 2);
    }

    #[test]
    fn on_all_addresses_the_machine_is_named() {
        let text = text("0.0.0.0:9".parse().unwrap(), Some("box"), None, None);
        assert!(text.contains("http://127.0.0.1:9\n") && text.contains("http://box:9\n"), "{text}");
        assert!(super::text("[::]:9".parse().unwrap(), None, None, None).contains("http://[::1]:9"));
    }
}
