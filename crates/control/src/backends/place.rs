//! Which addresses lead to the same server, and which lead back to this gateway. Compares what is written: no name is
//! looked up and nothing is reached, so what hides behind other names is left to the gateway's detection of loops.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use url::{Host, Url};

/// What is said of the gateway's own address.
const OWN: &str = "this is the gateway's own address: give the address of an Ollama server behind it";

const REDIS: &str = "the gateway's Redis is at this address: give the address of an Ollama server";
const REDIS_PORT: u16 = 6379;

/// A host as far as spelling goes.
#[derive(PartialEq, Eq)]
enum Place<'a> {
    /// `localhost` in its three spellings.
    ThisMachine,
    Ip(IpAddr),
    Name(&'a str),
}

/// Both addresses lead to the same server and path.
pub(crate) fn same(left: &Url, right: &Url) -> bool {
    same_server(left, right) && left.path().trim_end_matches('/') == right.path().trim_end_matches('/')
}

fn same_server(left: &Url, right: &Url) -> bool {
    let key = |url: &Url| url.port_or_known_default();
    left.scheme() == right.scheme() && key(left) == key(right) && place(left) == place(right)
}

fn place(url: &Url) -> Option<Place<'_>> {
    Some(match url.host()? {
        // The parser has made it lower case; a dot at its end changes nothing.
        Host::Domain(name) => match name.trim_end_matches('.') {
            "localhost" => Place::ThisMachine,
            name => Place::Name(name),
        },
        Host::Ipv4(ip) => ip_place(ip.into()),
        Host::Ipv6(ip) => ip_place(ip.to_canonical()),
    })
}

fn ip_place(ip: IpAddr) -> Place<'static> {
    let local = ip == IpAddr::V4(Ipv4Addr::LOCALHOST) || ip == IpAddr::V6(Ipv6Addr::LOCALHOST);
    if local { Place::ThisMachine } else { Place::Ip(ip) }
}

/// Refuses the address of a gateway that listens at `listens` and is known under `origins`.
pub(crate) fn check_foreign<'a>(
    url: &Url,
    listens: &[SocketAddr],
    origins: impl IntoIterator<Item = &'a str>,
) -> Result<(), &'static str> {
    let listening = listens.iter().any(|listen| is_at(url, *listen));
    // A reverse proxy may send some paths of a public address elsewhere.
    let known = url.path() == "/"
        && origins.into_iter().any(|origin| Url::parse(origin).is_ok_and(|origin| same_server(url, &origin)));
    if listening || known { Err(OWN) } else { Ok(()) }
}

/// Refuses the server at which the gateway's Redis is, by whatever scheme. An empty `redis` is no Redis.
pub(crate) fn check_not_redis(url: &Url, redis: &str) -> Result<(), &'static str> {
    let server = Url::parse(redis).ok().and_then(|redis| {
        // As a web address its host is read as a backend's is: numbers, brackets, upper case.
        Url::parse(&format!("http://{}:{}", redis.host_str()?, redis.port().unwrap_or(REDIS_PORT))).ok()
    });
    let at = |other: &Url| place(url) == place(other) && url.port_or_known_default() == other.port_or_known_default();
    if server.as_ref().is_some_and(at) { Err(REDIS) } else { Ok(()) }
}

fn is_at(url: &Url, listen: SocketAddr) -> bool {
    if listen.port() == 0 || url.port_or_known_default() != Some(listen.port()) {
        return false;
    }
    let bound = listen.ip().to_canonical();
    match place(url) {
        Some(Place::ThisMachine) => bound.is_unspecified() || bound.is_loopback(),
        Some(Place::Ip(ip)) if bound.is_unspecified() => {
            (bound.is_ipv6() || ip.is_ipv4()) && belongs_to_this_machine(ip)
        }
        Some(Place::Ip(ip)) => ip == bound,
        Some(Place::Name(_)) | None => false,
    }
}

/// The system lets nobody take an address that no interface of the machine has. Nothing is sent.
fn belongs_to_this_machine(ip: IpAddr) -> bool {
    UdpSocket::bind((ip, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        gateway::probe::normalise_url(text).unwrap()
    }

    #[test]
    fn spellings_of_one_server_are_one() {
        for (left, right) in [
            ("http://localhost:11434", "http://127.0.0.1:11434"),
            ("http://localhost:11434", "http://[::1]:11434"),
            ("http://127.0.0.1:11434", "[::ffff:127.0.0.1]"),
            ("http://LocalHost.:11434/", "localhost"),
            ("http://gpu-7:80", "http://GPU-7"),
            ("http://gpu-7.", "http://gpu-7/"),
            ("https://gpu-7:443/a/", "https://gpu-7/a"),
            ("http://10.0.0.1:1", "http://[::ffff:10.0.0.1]:1"),
        ] {
            assert!(same(&url(left), &url(right)), "{left} and {right}");
        }
        for (left, right) in [
            ("http://localhost:11434", "http://127.0.0.1:11435"),
            ("http://127.0.0.1:1", "http://127.0.0.2:1"),
            ("http://gpu-7", "https://gpu-7"),
            ("http://gpu-7/a", "http://gpu-7/b"),
            ("http://gpu-7/a", "http://gpu-7/A"),
            ("http://gpu-7", "http://gpu-70"),
        ] {
            assert!(!same(&url(left), &url(right)), "{left} and {right}");
        }
    }

    #[test]
    fn the_redis_of_the_gateway_is_no_backend_however_it_is_written() {
        for (text, redis) in [
            ("http://127.0.0.1:6379", "redis://localhost"),
            ("https://[::1]:6379/x", "rediss://op@127.0.0.1:6379/3"),
            ("http://10.1.2.3:7000", "redis://10.1.2.3:7000/0"),
            ("http://cache:6379", "redis://Cache/1"),
            ("http://[2001:db8::1]:6380", "rediss://[2001:DB8:0::1]:6380"),
            ("http://cache", "redis://cache:80"),
        ] {
            assert!(check_not_redis(&url(text), redis).is_err(), "{text} and {redis}");
        }
        for (text, redis) in [
            ("http://127.0.0.1:11434", "redis://127.0.0.1:6379"),
            ("http://gpu-7:6379", "redis://cache"),
            ("http://127.0.0.1:6379", ""),
        ] {
            assert!(check_not_redis(&url(text), redis).is_ok(), "{text} and {redis}");
        }
    }

    #[test]
    fn a_gateway_knows_itself_by_where_it_listens_and_by_its_public_names() {
        let own = |text: &str, listen: &str| {
            check_foreign(&url(text), &[listen.parse().unwrap()], ["https://llm.example", "http://10.9.8.7:8080"])
                .is_err()
        };
        for (text, listen) in [
            ("http://127.0.0.1:8080", "127.0.0.1:8080"),
            ("http://localhost:8080/x", "127.0.0.1:8080"),
            ("http://[::1]:8080", "0.0.0.0:8080"),
            ("http://127.0.0.3:8080", "0.0.0.0:8080"),
            ("http://localhost", "[::]:80"),
            ("http://192.0.2.7:8080", "192.0.2.7:8080"),
            ("https://LLM.example:443/", "127.0.0.1:1"),
            ("http://10.9.8.7:8080", "127.0.0.1:1"),
        ] {
            assert!(own(text, listen), "{text} at {listen}");
        }
        for (text, listen) in [
            ("http://127.0.0.1:11434", "127.0.0.1:8080"),
            // No interface has an address of a net for examples.
            ("http://192.0.2.7:8080", "0.0.0.0:8080"),
            ("http://gpu-7:8080", "0.0.0.0:8080"),
            ("http://localhost:8080", "192.0.2.7:8080"),
            ("http://127.0.0.1:8080", "127.0.0.1:0"),
            ("https://llm.example/ollama", "127.0.0.1:1"),
            ("http://llm.example", "127.0.0.1:1"),
        ] {
            assert!(!own(text, listen), "{text} at {listen}");
        }
    }
}
