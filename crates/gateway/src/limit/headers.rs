//! The `RateLimit-Policy` and `RateLimit` headers (draft-ietf-httpapi-ratelimit-headers): integers, seconds, relative
//! times, so that no clocks need to agree.

use http::{HeaderMap, HeaderValue};

use super::Standing;

impl Standing {
    /// Tells the caller its quota.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        let (requests, window) = (self.limit.requests, u64::from(self.limit.minutes) * 60);
        let policy = format!("\"key\";q={requests};w={window}");
        let state = format!("\"key\";r={};t={}", self.remaining, self.reset);
        for (name, value) in [("ratelimit-policy", policy), ("ratelimit", state)] {
            if let Ok(value) = HeaderValue::from_str(&value) {
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
