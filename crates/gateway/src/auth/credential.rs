//! Where a credential may stand in a request. Every channel goes through this one function, so none can have a policy of
//! its own. Whether the credential is any good is decided by `auth`.

use http::{HeaderMap, HeaderName, header};

use crate::error::Error;

/// Names under which people put keys into URLs, where logs and browsers keep them.
const QUERY_NAMES: [&str; 8] =
    ["key", "api_key", "apikey", "api-key", "x-api-key", "access_token", "token", "authorization"];

/// Where Anthropic's clients put it.
static API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// The credential of a request, `None` if it carries none. An `Authorization` of another scheme is returned whole: it is
/// a credential too, only never a valid one.
pub(super) fn extract<'r>(headers: &'r HeaderMap, query: Option<&str>) -> Result<Option<&'r [u8]>, Error> {
    if query.is_some_and(holds_key) {
        return Err(Error::KeyInQuery);
    }
    let authorizations = headers.get_all(header::AUTHORIZATION).iter().map(|value| bearer(value.as_bytes()));
    let api_keys = headers.get_all(&API_KEY).iter().map(|value| value.as_bytes().trim_ascii());
    let mut found = None;
    for credential in authorizations.chain(api_keys) {
        match found {
            Some(other) if other != credential => return Err(Error::TwoCredentials),
            _ => found = Some(credential),
        }
    }
    Ok(found)
}

fn bearer(value: &[u8]) -> &[u8] {
    const SCHEME: &[u8] = b"bearer ";
    match value.split_at_checked(SCHEME.len()) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case(SCHEME) => token.trim_ascii(),
        // Without its scheme a key must not be taken for one; the space keeps the text from ever parsing.
        _ if value.starts_with(b"op_") => b" ",
        _ => value,
    }
}

fn holds_key(query: &str) -> bool {
    query.split('&').any(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        QUERY_NAMES.iter().any(|known| name.eq_ignore_ascii_case(known))
            || value.starts_with("op_")
            || name.starts_with("op_")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_in_the_url_is_refused_and_other_parameters_are_not() {
        let headers = HeaderMap::new();
        for query in ["key=x", "a=1&API_KEY=x", "q=op_abc", "op_abc", "token="] {
            assert_eq!(extract(&headers, Some(query)), Err(Error::KeyInQuery), "{query}");
        }
        for query in ["", "ts=1700000000", "beta=true", "monkey=1"] {
            assert_eq!(extract(&headers, Some(query)), Ok(None), "{query}");
        }
    }
}
