//! The `RateLimit-Policy` and `RateLimit` headers (draft-ietf-httpapi-ratelimit-headers): integers, seconds, relative
//! times, so that no clocks need to agree.

use std::fmt::Write as _;

use bytes::BytesMut;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::Standing;

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const STATE: HeaderName = HeaderName::from_static("ratelimit");

impl Standing {
    /// Tells the caller its quota.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        let (requests, window) = (self.limit.requests, u64::from(self.limit.minutes) * 60);
        // Both values are parts of one piece of memory.
        let mut room = BytesMut::with_capacity(96);
        for (name, text) in [
            (POLICY, format_args!("\"key\";q={requests};w={window}")),
            (STATE, format_args!("\"key\";r={};t={}", self.remaining, self.reset)),
        ] {
            if room.write_fmt(text).is_ok()
                && let Ok(value) = HeaderValue::from_maybe_shared(room.split().freeze())
            {
                headers.insert(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::limit::RateLimit;

    use super::*;

    #[test]
    fn the_headers_say_quota_window_rest_and_reset() {
        let mut headers = HeaderMap::new();
        Standing { limit: RateLimit { requests: 60, minutes: 1 }, remaining: 12, reset: 7 }.write(&mut headers);
        assert_eq!(headers["ratelimit-policy"], "\"key\";q=60;w=60");
        assert_eq!(headers["ratelimit"], "\"key\";r=12;t=7");
    }
}
