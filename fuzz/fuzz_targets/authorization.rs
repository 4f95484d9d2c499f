//! Whatever stands in the headers and the query, only the whole key lets anybody in. Lines of the input: `a` and a value is
//! an `Authorization`, `x` and a value an `x-api-key`, `q` and text the query.
#![no_main]

use std::sync::LazyLock;

use gateway::inside::Keys;
use http::{HeaderValue, Request};
use libfuzzer_sys::fuzz_target;

static KEYS: LazyLock<Keys> = LazyLock::new(|| Keys::new(1).unwrap());
static TEXT: LazyLock<String> = LazyLock::new(|| Keys::text(0).unwrap());

fuzz_target!(|data: &[u8]| {
    let (mut request, mut query) = (Request::new(()), String::from("/"));
    let mut whole = false;
    for line in data.split(|byte| *byte == b'\n') {
        let Some((kind, text)) = line.split_first() else { continue };
        whole |= text.windows(TEXT.len()).any(|window| window == TEXT.as_bytes());
        let name = match kind {
            b'a' => "authorization",
            b'x' => "x-api-key",
            b'q' => {
                query = format!("/?{}", String::from_utf8_lossy(text));
                continue;
            }
            _ => continue,
        };
        if let Ok(value) = HeaderValue::from_bytes(text) {
            request.headers_mut().append(name, value);
        }
    }
    if let Ok(uri) = query.parse() {
        *request.uri_mut() = uri;
    }
    let known = KEYS.authenticate(&request.into_parts().0);
    assert!(known.is_none() || whole, "let in without the key");
});
