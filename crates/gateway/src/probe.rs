//! Looks at an address before it becomes a backend, and reads the address a person typed. Nothing here knows the fleet.

use std::{net::Ipv6Addr, time::Duration};

use domain::{backend::ProbeResult, network::Networks};
use url::{Host, Url};

use crate::{
    backend::{address::AddressError, look, reach},
    snapshot::BackendToken,
};

const PATIENCE: Duration = Duration::from_secs(5);
/// How long a save waits for the resolver.
const LOOKUP: Duration = Duration::from_secs(2);
/// Where Ollama listens.
const OLLAMA_PORT: u16 = 11434;
const MAX_LENGTH: usize = 2048;

/// Says what answers at `url`, wherever it is.
#[cfg(test)]
pub(crate) async fn probe(url: &Url, token: Option<&BackendToken>) -> ProbeResult {
    probe_among(url, token, &Networks::default()).await
}

/// Says what answers at `url`, which is reached only where it is in one of `networks`. Takes 3 seconds at most to connect and about 5 in all; follows no redirect and repeats
/// nothing of a foreign server's answer.
pub(crate) async fn probe_among(url: &Url, token: Option<&BackendToken>, networks: &Networks) -> ProbeResult {
    told(look::look(url, token, networks, PATIENCE).await)
}

#[cfg(test)]
async fn probe_within(url: &Url, token: Option<&BackendToken>, patience: Duration) -> ProbeResult {
    told(look::look(url, token, &Networks::default(), patience).await)
}

fn told(found: Result<look::Listing, ProbeResult>) -> ProbeResult {
    match found {
        Ok(listing) => {
            let models = listing.models.into_iter().map(|row| row.name).collect();
            ProbeResult::Ok { version: listing.version, models }
        }
        Err(fault) => fault,
    }
}

/// Refuses an address that leads nowhere but outside `networks`. A name is looked up, for a moment; one that is not
/// known now may be later, and every connection looks again. The error is a sentence for the field.
pub async fn check_networks(url: &Url, networks: &Networks) -> Result<(), String> {
    if networks.is_empty() {
        return Ok(());
    }
    reach::check_literal(url, networks).map_err(|error| error.to_string())?;
    let Some(Host::Domain(name)) = url.host() else { return Ok(()) };
    match tokio::time::timeout(LOOKUP, reach::lookup(name, 0, networks)).await {
        Ok(Err(error)) if error != AddressError::Dns => Err(format!("{name}: {error}")),
        _ => Ok(()),
    }
}

/// Takes what a person typed as a backend's address: `gpu-7` becomes `http://gpu-7:11434/`. With a scheme the port is the
/// scheme's own unless it is written, as everywhere on the web. A path is kept as a prefix, without slash at its end. The
/// error is a sentence for the field.
pub fn normalise_url(text: &str) -> Result<Url, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("enter the address of an Ollama server".into());
    }
    if text.len() > MAX_LENGTH {
        return Err("this address is too long".into());
    }
    if text.chars().any(|char| char.is_whitespace() || char.is_control() || char == '\\') {
        return Err("an address has no spaces, control characters or backslashes".into());
    }
    let mut url = parse(text)?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("the address must begin with http:// or https://".into());
    }
    if !url.username().is_empty()
        || url.password().is_some()
        || text.split(['/', '?', '#']).any(|part| part.contains('@'))
    {
        return Err("no user name or password in the address; a token has its own field".into());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("the address must not contain ? or #".into());
    }
    if url.port() == Some(0) {
        return Err("0 is not a port".into());
    }
    check_host(&url)?;
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

fn parse(text: &str) -> Result<Url, String> {
    let invalid = |error: url::ParseError| format!("this is not an address: {error}");
    if let Some((scheme, _)) = text.split_once("://") {
        if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
            return Err("the address must begin with http:// or https://".into());
        }
        return Url::parse(text).map_err(invalid);
    }
    let lower = text.to_ascii_lowercase();
    if lower.starts_with("http:") || lower.starts_with("https:") || text.starts_with('/') {
        return Err("the address must begin with http:// or https://".into());
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return Url::parse(&format!("http://[{text}]:{OLLAMA_PORT}")).map_err(invalid);
    }
    let mut url = Url::parse(&format!("http://{text}")).map_err(invalid)?;
    let authority = text.split(['/', '?', '#']).next().unwrap_or_default();
    let behind_host = authority.rsplit(']').next().unwrap_or_default();
    if !behind_host.contains(':') {
        url.set_port(Some(OLLAMA_PORT)).map_err(|()| "this is not an address".to_owned())?;
    }
    Ok(url)
}

fn check_host(url: &Url) -> Result<(), String> {
    match url.host() {
        None => return Err("the address has no host name".into()),
        Some(Host::Ipv4(ip)) if ip.is_unspecified() => {
            return Err(
                "0.0.0.0 is where a server listens, not where it is reached: use 127.0.0.1 or its own address".into()
            );
        }
        Some(_) => {}
    }
    reach::check_literal(url, &Networks::default()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use testkit::{FakeOllama, Fault};

    use super::*;

    async fn found(fake: &FakeOllama) -> ProbeResult {
        probe(&fake.url(), None).await
    }

    #[tokio::test]
    async fn what_answers_is_named_with_its_models() {
        let fake = FakeOllama::builder().models(["a", "b:1b"]).version("0.9.9").start().await;
        let ok = ProbeResult::Ok { version: Some("0.9.9".into()), models: vec!["a:latest".into(), "b:1b".into()] };
        assert_eq!(found(&fake).await, ok);
        fake.set(|script| {
            script.fault_at("/api/version", Fault::Status(500));
            script.fault_at("/api/ps", Fault::NotJson);
        });
        assert!(matches!(found(&fake).await, ProbeResult::Ok { version: None, .. }));
        fake.set(|script| script.fault_at("/api/tags", Fault::Status(404)));
        assert!(matches!(found(&fake).await, ProbeResult::Ok { version: None, models } if models.len() == 2));
    }

    #[tokio::test]
    async fn one_that_gives_its_list_is_told_soon_whatever_else_hangs() {
        let fake = FakeOllama::builder().models(["a"]).start().await;
        fake.set(|script| {
            script.fault_at("/api/version", Fault::HangBeforeHeaders);
            script.fault_at("/api/ps", Fault::HangBeforeHeaders);
        });
        let hour = Duration::from_secs(3_600);
        let found = tokio::time::timeout(Duration::from_secs(20), probe_within(&fake.url(), None, hour)).await;
        assert_eq!(found, Ok(ProbeResult::Ok { version: None, models: vec!["a:latest".into()] }));
    }

    #[tokio::test]
    async fn a_token_is_asked_for_and_used() {
        let fake = FakeOllama::builder().models(["a"]).token("right").start().await;
        assert_eq!(found(&fake).await, ProbeResult::Unauthorized);
        assert_eq!(probe(&fake.url(), Some(&BackendToken("wrong".into()))).await, ProbeResult::Unauthorized);
        assert!(probe(&fake.url(), Some(&BackendToken("right".into()))).await.is_ok());
    }

    #[tokio::test]
    async fn what_is_no_ollama_is_told_without_repeating_its_answer() {
        let fake = FakeOllama::builder().start().await;
        for fault in [
            Fault::WrongJson,
            Fault::NotJson,
            Fault::Status(404),
            Fault::Status(418),
            Fault::StatusBody(200, "<html>secret".into()),
            Fault::StatusBody(200, format!(r#"{{"models":["{}"]}}"#, "x".repeat(9_000_000))),
            Fault::RawBytes("SSH-2.0-secret\r\n\r\n".into()),
        ] {
            fake.set(|script| script.fault = Some(fault.clone()));
            let found = found(&fake).await;
            assert!(matches!(&found, ProbeResult::NotOllama { detail } if !detail.contains("secret")), "{found:?}");
        }
        fake.set(|script| script.fault = Some(Fault::Status(500)));
        assert!(matches!(found(&fake).await, ProbeResult::Failed { .. }));
    }

    #[tokio::test]
    async fn a_redirect_is_not_followed() {
        let (fake, canary) = (FakeOllama::builder().start().await, FakeOllama::builder().start().await);
        let redirect =
            format!("HTTP/1.1 302 Found\r\nlocation: {}/api/tags\r\ncontent-length: 0\r\n\r\n", canary.base());
        fake.set(|script| script.fault = Some(Fault::RawBytes(redirect)));
        assert!(matches!(found(&fake).await, ProbeResult::NotOllama { .. }));
        assert!(canary.connections().is_empty());
    }

    #[tokio::test]
    async fn silence_refusal_and_a_wrong_name_are_told_apart() {
        let fake = FakeOllama::builder().start().await;
        fake.set(|script| script.fault = Some(Fault::HangBeforeHeaders));
        assert_eq!(probe_within(&fake.url(), None, Duration::from_millis(100)).await, ProbeResult::TimedOut);
        let url = fake.url();
        fake.refuse_connections().await;
        assert_eq!(probe(&url, None).await, ProbeResult::Refused);
        // Fits into no query, so no server is asked.
        let unresolvable = Url::parse(&format!("http://{}.invalid:1", "a".repeat(64))).unwrap();
        assert_eq!(probe(&unresolvable, None).await, ProbeResult::Dns);
        for forbidden in ["http://169.254.169.254", "http://[fe80::1]"] {
            let found = probe(&Url::parse(forbidden).unwrap(), None).await;
            assert!(matches!(&found, ProbeResult::Failed { detail } if detail.contains("may have")), "{found:?}");
        }
    }

    #[tokio::test]
    async fn tls_where_none_is_spoken_is_no_certificate_fault() {
        let fake = FakeOllama::builder().start().await;
        let url = Url::parse(&fake.base().replace("http:", "https:")).unwrap();
        let found = probe(&url, None).await;
        assert!(matches!(&found, ProbeResult::Failed { detail } if detail.contains("https")), "{found:?}");
    }

    #[test]
    fn what_people_type_becomes_an_address() {
        for (typed, address) in [
            ("gpu-7", "http://gpu-7:11434/"),
            (" localhost ", "http://localhost:11434/"),
            ("gpu-7:8080", "http://gpu-7:8080/"),
            ("gpu-7:80", "http://gpu-7/"),
            ("192.168.1.5", "http://192.168.1.5:11434/"),
            ("::1", "http://[::1]:11434/"),
            ("[::1]", "http://[::1]:11434/"),
            ("[::1]:8080", "http://[::1]:8080/"),
            ("gpu-7/ollama/", "http://gpu-7:11434/ollama"),
            ("http://gpu-7", "http://gpu-7/"),
            ("HTTP://GPU-7:11434/", "http://gpu-7:11434/"),
            ("https://ai.example.org/a/b//", "https://ai.example.org/a/b"),
            ("http://127.0.0.1:11434", "http://127.0.0.1:11434/"),
            ("http://10.0.0.9:11434", "http://10.0.0.9:11434/"),
        ] {
            assert_eq!(normalise_url(typed).map(String::from), Ok(address.to_owned()), "{typed}");
            assert_eq!(normalise_url(address).map(String::from), Ok(address.to_owned()), "{address} twice");
        }
    }

    #[test]
    fn hostile_and_mistyped_addresses_are_refused() {
        for typed in [
            "",
            "   ",
            "http://",
            "http:gpu",
            "http:/gpu",
            "https:gpu",
            "//gpu",
            "/api",
            "ftp://gpu",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "gopher://gpu",
            "unix:///run/x",
            "http://a@b",
            "http://a:b@c",
            "a@b",
            "http://@b",
            "http://gpu?x",
            "http://gpu/#x",
            "gpu?x=1",
            "gpu#x",
            "http:\\\\b",
            "http://a\\b",
            "http://a b",
            "a\nb",
            "a\0b",
            "http://gpu:99999",
            "http://gpu:0",
            "gpu:port",
            "http://169.254.169.254",
            "169.254.169.254",
            "http://2852039166",
            "http://0xa9fea9fe/",
            "http://0251.0376.0251.0376",
            "http://169.254.169.254.",
            "http://[::ffff:169.254.169.254]",
            "http://[fe80::1]",
            "fe80::1",
            "http://[fd00:ec2::254]",
            "http://0.0.0.0:11434",
            "0",
            "http://224.0.0.1",
            "http://[ff02::1]",
            "http://metadata.google.internal",
            "metadata",
            "http://METADATA.google.internal./x",
            "http://[::]",
        ] {
            let refused = normalise_url(typed);
            assert!(refused.is_err(), "{typed:?} became {refused:?}");
        }
        assert!(normalise_url(&format!("http://{}", "a".repeat(3000))).is_err());
    }
}
