//! T01, T02: whatever stands where a credential may stand is no way in: hostile text, other channels, several at once.

use std::fmt::Write as _;

use domain::{
    id::KeyId,
    key::{KeyStatus, SECRET_LENGTH, assemble_key},
};
use testkit::FakeOllama;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::rig::{Rig, read, read_to_close};

const CHAT: &str = r#"{"model":"llama3.2","messages":[{"role":"user","content":"hi"}]}"#;

/// What attackers send, and near misses of a key; `KEY` stands for a key in force.
const SEEDS: [&str; 20] = [
    "Bearer op_' OR 1=1--",
    "Bearer op_x;REMOVE TABLE api_key;",
    "Bearer op_\"} OR true RETURN *",
    "Bearer $key",
    "Bearer op_${jndi:ldap://127.0.0.1/a}",
    "Bearer op_../../etc/passwd",
    "Bearer op_%00",
    "Bearer op_key:⟨keykeykeykey⟩",
    "Bearer KEY'",
    "Bearer KEY KEY",
    "Bearer KEY,KEY",
    "Bearer\tKEY\t;",
    "BearerKEY",
    "KEY",
    "Basic KEY",
    "Token KEY",
    "Bearer Bearer KEY",
    "Bearer \"KEY\"",
    "Bearer eyJhbGciOiJub25lIn0.e30.",
    "Bearer",
];

/// Always the same numbers.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end as u64).unwrap()
    }

    /// A seed with bytes changed, removed, repeated and put in. Never a line end, which would end the header.
    fn value(&mut self, key: &str) -> Vec<u8> {
        let seed = if self.below(4) == 0 { "Bearer KEY" } else { SEEDS[self.below(SEEDS.len())] };
        let whole = seed.replace("KEY", key).into_bytes();
        let mut value = whole.clone();
        for _ in 0..=self.below(4) {
            let (at, byte) = (self.below(value.len()), u8::try_from(self.below(256)).unwrap());
            match self.below(4) {
                0 => value[at] = byte,
                1 if value.len() > 1 => drop(value.remove(at)),
                2 => value.insert(at, value[at]),
                _ => value.insert(at, byte),
            }
        }
        value.iter_mut().filter(|byte| matches!(**byte, b'\r' | b'\n')).for_each(|byte| *byte = b' ');
        // The parser of HTTP refuses control characters, and that connection would end before the other values.
        if self.below(50) > 0 {
            value.iter_mut().filter(|byte| byte.is_ascii_control()).for_each(|byte| *byte = b' ');
        }
        value
    }
}

/// The value is a key after all: case of the scheme and spaces around do not matter.
fn is_key(value: &[u8], key: &str) -> bool {
    let value = value.trim_ascii();
    let Some((scheme, rest)) = value.split_at_checked(7) else { return false };
    scheme.eq_ignore_ascii_case(b"bearer ") && rest.trim_ascii() == key.as_bytes()
}

#[tokio::test]
async fn twenty_thousand_hostile_authorizations_are_refused_and_reach_nothing() {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let rig = Rig::start(&[&backend]).await;
    let before = backend.requests().len();
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let (mut sent, mut counts) = (0_usize, std::collections::BTreeMap::<String, usize>::new());
    while sent < 20_000 {
        let (mut batch, mut expected) = (Vec::new(), 0);
        while expected < 100 {
            let mut value = dice.value(&rig.key);
            if dice.below(2_000) == 0 {
                value.resize(16 * 1024, b'x');
            }
            if is_key(&value, &rig.key) {
                continue;
            }
            let ends = value.iter().any(|&byte| byte.is_ascii_control() && byte != b'\t');
            batch.extend_from_slice(b"POST /api/chat HTTP/1.1\r\nHost: gw\r\nContent-Length: 0\r\nAuthorization: ");
            batch.extend_from_slice(&value);
            batch.extend_from_slice(b"\r\n\r\n");
            expected += 1;
            if ends {
                break;
            }
        }
        sent += expected;
        let mut stream = TcpStream::connect(rig.address).await.unwrap();
        let (mut reader, mut writer) = stream.split();
        let write = async {
            // The gateway closes a connection whose head is no HTTP.
            let _ = writer.write_all(&batch).await;
            let _ = writer.shutdown().await;
        };
        let mut text = Vec::new();
        let read = tokio::io::AsyncReadExt::read_to_end(&mut reader, &mut text);
        let (_, _) = tokio::join!(write, read);
        let text = String::from_utf8(text).unwrap();
        let mut answers = 0;
        for status in text.match_indices("HTTP/1.1 ").filter_map(|(at, name)| text.get(at + name.len()..at + 12)) {
            *counts.entry(status.to_owned()).or_default() += 1;
            answers += 1;
        }
        assert_eq!(answers, expected, "{}", String::from_utf8_lossy(&batch));
    }
    // 429 is 401 from an address that has failed often.
    assert!(counts.keys().all(|status| matches!(status.as_str(), "400" | "401" | "429")), "{counts:?}");
    assert!(counts["400"] > 50, "{counts:?}");
    assert_eq!(backend.requests().len(), before);
    let answer = read(rig.keyed("POST", "/api/chat").body(CHAT)).await;
    assert_eq!(answer.status, 200, "the valid key is none the worse");
}

#[tokio::test]
async fn two_headers_with_two_credentials_are_refused_however_they_are_written() {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let rig = Rig::start(&[&backend]).await;
    for (one, two) in [
        ("Authorization: Bearer KEY", "Authorization: Bearer x"),
        ("Authorization: Bearer x", "authorization: Bearer KEY"),
        ("Authorization: Bearer KEY", "X-Api-Key: x"),
        ("x-api-key: KEY", "x-api-key: x"),
        ("Authorization: Bearer KEY", "Authorization: Basic KEY"),
        ("Authorization: Bearer KEY", "Authorization:"),
    ] {
        let mut text = "POST /api/chat HTTP/1.1\r\nHost: gw\r\nConnection: close\r\n".to_owned();
        write!(text, "{one}\r\n{two}\r\nContent-Length: {}\r\n\r\n{CHAT}", CHAT.len()).unwrap();
        let mut stream = rig.raw(&text.replace("KEY", &rig.key)).await;
        let answer = read_to_close(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{one} {two}: {answer}");
    }
    assert_eq!(backend.inference_requests().len(), 0);
}

/// One key, one verdict, whatever channel carries it.
#[tokio::test]
async fn every_channel_gives_a_key_the_same_verdict_or_none() {
    let backend = FakeOllama::builder().models(["llama3.2"]).start().await;
    let mut rig = Rig::start(&[&backend]).await;
    let active = rig.key.clone();
    let unknown = assemble_key(&KeyId::new("unknownxxxxx").unwrap(), &"s".repeat(SECRET_LENGTH));
    for (key, status, chat, pull) in [
        (&active, KeyStatus::Active, 200, 403),
        (&active, KeyStatus::Disabled, 401, 401),
        (&unknown, KeyStatus::Active, 401, 401),
    ] {
        rig.change(|plan| plan.status = status);
        for (path, verdict) in [("/api/chat", chat), ("/v1/chat/completions", chat), ("/api/pull", pull)] {
            let ask = |headers: &[(&'static str, String)], query: &str, body: String| {
                let request = rig.request("POST", &format!("{path}{query}")).body(body);
                let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
                async { read(request).await.status }
            };
            let bearer = |scheme: &str| ("authorization", format!("{scheme} {key}"));
            let alias = || ("x-api-key", key.clone());
            for headers in [
                vec![bearer("Bearer")],
                vec![bearer("bearer")],
                vec![bearer("BEARER ")],
                vec![alias()],
                vec![bearer("Bearer"), alias()],
                vec![bearer("Bearer"), bearer("bearer")],
            ] {
                assert_eq!(ask(&headers, "", CHAT.into()).await, verdict, "{status:?} {path} {headers:?}");
            }
            let cookie = ("cookie", format!("authorization=Bearer {key}; api_key={key}; op_session={key}"));
            let elsewhere = [
                ("api-key", key.clone()),
                ("x-goog-api-key", key.clone()),
                ("proxy-authorization", format!("Bearer {key}")),
                ("anthropic-api-key", key.clone()),
                cookie,
            ];
            let in_body = format!(r#"{{"api_key":"{key}",{}"#, &CHAT[1..]);
            assert_eq!(ask(&elsewhere, "", in_body).await, 401, "{path}");
            for name in ["key", "api_key", "access_token", "x"] {
                let query = format!("?{name}={key}");
                assert_eq!(ask(&[], &query, CHAT.into()).await, 400, "{path} {name}");
                assert_eq!(ask(&[bearer("Bearer")], &query, CHAT.into()).await, 400, "{path} {name}");
            }
        }
    }
}
