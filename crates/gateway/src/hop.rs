//! Loops: a gateway that is, directly or through others, its own backend. Every request that leaves says in `via` which
//! gateways it passed; one that comes back is refused before anything is done for it.

use std::{
    borrow::Cow,
    hash::{BuildHasher, RandomState},
    sync::LazyLock,
};

use http::{HeaderMap, HeaderValue, header};

/// Our own entry in `via`: the name that the standard's grammar allows, random for each process.
static OWN: LazyLock<String> =
    LazyLock::new(|| format!("{NAME}{:016x}", RandomState::new().hash_one(std::process::id())));

/// How the entry of every gateway of this kind begins.
const NAME: &str = "1.1 ollama-fortress-";

/// A chain longer than this is a loop of somebody's, or nobody's business.
const LONGEST: usize = 1024;

/// The request has been here before.
pub(crate) fn is_loop(headers: &HeaderMap) -> bool {
    let mut length = 0;
    headers.get_all(header::VIA).iter().any(|value| {
        length += value.len();
        length > LONGEST || value.as_bytes().split(|&byte| byte == b',').any(|hop| hop.trim_ascii() == OWN.as_bytes())
    })
}

/// `via` for a request that goes on: the gateways so far and this one. Other proxies on the caller's side are not the
/// backend's business.
pub(crate) fn onward(headers: &HeaderMap) -> Option<Cow<'static, HeaderValue>> {
    // Nearly every request comes without.
    static ALONE: LazyLock<Option<HeaderValue>> = LazyLock::new(|| HeaderValue::from_str(&OWN).ok());
    if !headers.contains_key(header::VIA) {
        return ALONE.as_ref().map(Cow::Borrowed);
    }
    let mut hops = Vec::new();
    let all = headers.get_all(header::VIA).iter().flat_map(|value| value.as_bytes().split(|&byte| byte == b','));
    for hop in all.map(<[u8]>::trim_ascii).filter(|hop| hop.starts_with(NAME.as_bytes())) {
        hops.extend_from_slice(hop);
        hops.extend_from_slice(b", ");
    }
    hops.extend_from_slice(OWN.as_bytes());
    HeaderValue::from_bytes(&hops).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_went_round_is_a_loop_and_others_are_not() {
        let mut headers = HeaderMap::new();
        assert!(!is_loop(&headers));
        headers.append(header::VIA, HeaderValue::from_static("1.1 nginx"));
        headers.append(header::VIA, HeaderValue::from_static("1.1 ollama-fortress-0000000000000000"));
        assert!(!is_loop(&headers));
        let onward = onward(&headers).unwrap();
        assert!(onward.to_str().unwrap().starts_with("1.1 ollama-fortress-0000000000000000, 1.1 "));
        assert!(is_loop(&HeaderMap::from_iter([(header::VIA, onward.into_owned())])));
    }

    #[test]
    fn an_endless_chain_is_a_loop() {
        let long = HeaderValue::try_from("1.1 other, ".repeat(100)).unwrap();
        assert!(is_loop(&HeaderMap::from_iter([(header::VIA, long)])));
    }
}
