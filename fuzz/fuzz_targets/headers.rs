//! Whatever comes, only headers of the lists pass, with their values as they were, and none that `Connection` names. The
//! input is a head: lines of name, colon and value.
#![no_main]

use gateway::inside::{Form, to_backend, to_client};
use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;

const TO_BACKEND: [&str; 6] = ["content-type", "accept", "anthropic-version", "anthropic-beta", "x-request-id", "via"];
const TO_CLIENT: [&str; 4] = ["content-type", "content-encoding", "retry-after", "x-accel-buffering"];
/// The gateway's own.
const OWN: [&str; 3] = ["x-request-id", "via", "x-accel-buffering"];

fuzz_target!(|data: &[u8]| {
    let mut from = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n') {
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let (Some(name), Some(value)) = (parts.next(), parts.next()) else { continue };
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            from.append(name, value);
        }
    }
    let named: Vec<Vec<u8>> = from
        .get_all("connection")
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(|name| name.trim_ascii().to_ascii_lowercase())
        .collect();
    let passed = [
        (to_backend(&from), &TO_BACKEND[..]),
        (to_client(&from, Form::Ndjson), &TO_CLIENT[..]),
        (to_client(&from, Form::Whole), &TO_CLIENT[..]),
    ];
    for (to, allowed) in passed {
        for (name, value) in &to {
            assert!(allowed.contains(&name.as_str()), "{name} passed");
            if !OWN.contains(&name.as_str()) {
                assert_eq!(from.get(name), Some(value));
                assert!(!named.iter().any(|named| named == name.as_str().as_bytes()), "{name} is hop by hop");
            }
        }
    }
});
