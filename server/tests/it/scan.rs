//! T28, T36: what the gateway's own TLS offers, asked as a scanner asks: with OpenSSL, one version and one suite after the
//! other, down to those that only a client without any security level still knows.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, TcpStream},
    process::{Command, Stdio},
};

use crate::{
    harness::{DEADLINE, Home, Server},
    tls::with_pair,
};

fn openssl(arguments: &[&str]) -> String {
    let output = Command::new("openssl").args(arguments).stdin(Stdio::null()).output();
    let output = output.expect("openssl is installed (Debian: apt install openssl)");
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// The suite of a handshake, `None` where there was none.
fn handshake(server: &Server, arguments: &[&str]) -> Option<String> {
    let place = format!("localhost:{}", server.address.port());
    let told = openssl(&[&["s_client", "-connect", &place, "-brief"], arguments].concat());
    let suite = told.lines().find_map(|line| line.strip_prefix("Ciphersuite: "));
    assert!(suite.is_some() || told.contains("error") || told.contains("alert"), "{arguments:?}: {told}");
    suite.map(str::to_owned)
}

#[test]
fn nothing_older_than_tls_1_2_and_nothing_but_aead_suites_is_spoken() {
    let server = with_pair(Home::new()).start();
    for version in ["-tls1", "-tls1_1"] {
        assert_eq!(handshake(&server, &[version, "-cipher", "ALL:@SECLEVEL=0"]), None, "{version}");
    }
    let aead = |suite: &str| ["GCM", "CHACHA20"].iter().any(|kind| suite.contains(kind));
    assert!(aead(&handshake(&server, &["-tls1_3"]).unwrap()));
    let known = openssl(&["ciphers", "-tls1_2", "-s", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"]);
    let known: Vec<&str> = known.trim().split(':').filter(|suite| !suite.starts_with("TLS_")).collect();
    assert!(known.len() > 20, "{known:?}");
    let spoken: Vec<&str> = known
        .into_iter()
        .filter(|suite| handshake(&server, &["-tls1_2", "-cipher", &format!("{suite}:@SECLEVEL=0")]).is_some())
        .collect();
    assert!(!spoken.is_empty(), "TLS 1.2 itself is spoken");
    for suite in spoken {
        // Forward secrecy, and nothing with CBC.
        assert!(suite.starts_with("ECDHE-") && aead(suite), "{suite}");
    }
    server.stop();
}

#[test]
fn http2_is_not_offered() {
    let server = with_pair(Home::new()).start();
    assert!(handshake(&server, &["-alpn", "h2"]).is_none(), "a client that speaks nothing else is refused");
    let place = format!("localhost:{}", server.address.port());
    let told = openssl(&["s_client", "-connect", &place, "-alpn", "h2,http/1.1"]);
    assert!(told.contains("ALPN protocol: http/1.1"), "{told}");
    server.stop();
    let server = Home::new().start();
    let answer = server.raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    server.stop();
}

#[test]
fn a_broken_hello_ends_its_own_connection_only() {
    let server = with_pair(Home::new()).start();
    for hello in
        [&b"\x16\x03\x01\xff\xff"[..], b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", b"\x16\x16\x16\x16\x16\x16"]
    {
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.write_all(hello).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut answer = Vec::new();
        // A reset is an end too; a time-out is none.
        if let Err(error) = stream.read_to_end(&mut answer) {
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        }
        assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    }
    assert!(handshake(&server, &["-tls1_3"]).is_some());
    server.stop();
}
