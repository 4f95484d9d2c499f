//! T05: addresses that an administrator was talked into entering.

use std::time::Duration;

use domain::backend::ProbeResult;
use testkit::FakeOllama;

use super::*;
use crate::{
    backend::connect::{ConnectError, connect},
    probe::{normalise_url, probe, probe_among},
};

const LIMIT: Duration = Duration::from_secs(5);

fn everywhere() -> Networks {
    Networks::default()
}

fn networks(text: &str) -> Networks {
    Networks::parse(text).unwrap()
}

/// What a person types, and the host that is connected to; `None` is refused.
const TABLE: &[(&str, Option<&str>)] = &[
    // Where backends live.
    ("http://127.0.0.1:11434", Some("127.0.0.1")),
    ("http://localhost:11434", Some("localhost")),
    ("http://10.0.0.9", Some("10.0.0.9")),
    ("http://172.31.255.255", Some("172.31.255.255")),
    ("http://192.168.1.5:8080", Some("192.168.1.5")),
    ("http://100.64.0.9", Some("100.64.0.9")),
    ("http://[fd00::7]", Some("[fd00::7]")),
    ("http://[::1]:11434", Some("[::1]")),
    ("https://ollama.example.com/base", Some("ollama.example.com")),
    ("http://bücher.example", Some("xn--bcher-kva.example")),
    ("http://0x7f000001", Some("127.0.0.1")),
    ("gpu-7", Some("gpu-7")),
    // Where clouds hand out credentials, in every spelling.
    ("http://169.254.169.254", None),
    ("http://169.254.169.254/latest/meta-data", None),
    ("https://169.254.169.254:443", None),
    ("169.254.169.254", None),
    ("http://169.254.169.254.", None),
    ("http://2852039166", None),
    ("http://0xa9fea9fe", None),
    ("http://0xA9.0xFE.0xA9.0xFE", None),
    ("http://0251.0376.0251.0376", None),
    ("http://169.254.43518", None),
    ("http://169.16689662", None),
    ("http://%31%36%39.254.169.254", None),
    ("http://１６９.254.169.254", None),
    ("http://169。254。169。254", None),
    ("http://[::ffff:169.254.169.254]", None),
    ("http://[::ffff:a9fe:a9fe]", None),
    ("http://[64:ff9b::a9fe:a9fe]", None),
    ("http://[2002:a9fe:a9fe::]", None),
    ("http://[fd00:ec2::254]", None),
    ("http://100.100.100.200", None),
    ("http://192.0.0.192", None),
    ("http://168.63.129.16", None),
    ("http://metadata.google.internal", None),
    ("http://METADATA.google.internal.", None),
    ("http://metadata", None),
    // No address of anybody in particular.
    ("http://0.0.0.0:11434", None),
    ("http://0", None),
    ("http://0.1.2.3", None),
    ("http://[::]", None),
    ("http://255.255.255.255", None),
    ("http://224.0.0.1", None),
    ("http://[ff02::1]", None),
    ("http://[fe80::1]", None),
    // Two parsers, two meanings.
    ("http://a@b", None),
    ("http://169.254.169.254@b", None),
    ("http://b#@169.254.169.254", None),
    ("http://b?@169.254.169.254", None),
    ("http:\\\\b", None),
    ("http://b\\@169.254.169.254", None),
    ("http:169.254.169.254", None),
    ("http:///b", Some("b")),
    ("http://b\t.example", None),
    ("http://b\r\nhost: c", None),
    ("ftp://b", None),
    ("file:///etc/passwd", None),
    ("gopher://b", None),
];

#[test]
fn a_typed_address_is_the_host_that_is_meant_or_refused() {
    assert!(TABLE.len() >= 40);
    for (typed, expected) in TABLE {
        let found = normalise_url(typed).ok();
        assert_eq!(found.as_ref().and_then(Url::host_str), *expected, "{typed:?}");
    }
}

#[tokio::test]
async fn what_the_parser_lets_through_is_still_not_connected_to() {
    for (typed, _) in TABLE.iter().filter(|(_, expected)| expected.is_none()) {
        // As if it had come into the database another way.
        let Ok(url) = Url::parse(typed) else { continue };
        let forbidden = match url.host() {
            Some(Host::Ipv4(ip)) => is_forbidden(ip.into()),
            Some(Host::Ipv6(ip)) => is_forbidden(ip.into()),
            Some(Host::Domain(name)) => is_metadata(name),
            None => false,
        };
        if !forbidden || !matches!(url.scheme(), "http" | "https") {
            continue;
        }
        let refused = connect(&url, LIMIT, &everywhere()).await.err();
        assert!(
            matches!(&refused, Some(ConnectError::Other(text)) if text.contains("may have")),
            "{typed}: {refused:?}"
        );
        let refused = probe(&url, None).await;
        assert!(
            matches!(&refused, ProbeResult::Failed { detail } if detail.contains("may have")),
            "{typed}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn backends_are_only_where_the_setting_says() {
    let fake = FakeOllama::builder().models(["a"]).start().await;
    let port = fake.url().port().unwrap();
    for (allowed, admitted) in
        [("", true), ("127.0.0.0/8, ::1", true), ("*", true), ("10.0.0.0/8", false), ("127.0.0.2", false)]
    {
        let networks = networks(allowed);
        for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"] {
            let url = Url::parse(&format!("http://{host}:{port}")).unwrap();
            let connected = connect(&url, LIMIT, &networks).await.map(drop);
            assert_eq!(connected.is_ok(), admitted, "{allowed:?} {host}: {connected:?}");
            let found = probe_among(&url, None, &networks).await;
            assert_eq!(found.is_ok(), admitted, "{allowed:?} {host}: {found:?}");
            if !admitted {
                assert!(found.message().contains("BACKEND_NETWORKS"), "{found:?}");
            }
        }
    }
    assert!(connect(&Url::parse("http://169.254.169.254").unwrap(), LIMIT, &networks("*")).await.is_err());
}

#[test]
fn of_an_answer_only_what_may_be_is_connected_to() {
    let answer = |text: &[&str]| text.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), 80)).collect::<Vec<_>>();
    let (good, bad) = ("10.0.0.7", "169.254.169.254");
    assert_eq!(admitted(answer(&[bad, good]), &everywhere()), Ok(answer(&[good])));
    assert_eq!(admitted(answer(&[good, bad, "::ffff:169.254.169.254"]), &everywhere()), Ok(answer(&[good])));
    assert_eq!(admitted(answer(&[bad]), &everywhere()), Err(AddressError::Forbidden(bad.parse().unwrap())));
    assert_eq!(
        admitted(answer(&[good]), &networks("192.168.0.0/16")),
        Err(AddressError::Outside(good.parse().unwrap()))
    );
    assert_eq!(admitted(Vec::new(), &everywhere()), Err(AddressError::Dns));
}
