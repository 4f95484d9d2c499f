//! The rate limit as people state it: N requests in every M minutes. Counting belongs to `gateway`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::FieldError;

/// Largest window: a week.
pub const MAX_WINDOW_MINUTES: u32 = 7 * 24 * 60;
/// Largest number of requests in a window.
pub const MAX_REQUESTS: u32 = 1_000_000_000;

/// At most `requests` admitted in every interval of `minutes` minutes. Both are at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "RawRateLimit")]
pub struct RateLimit {
    pub requests: u32,
    pub minutes: u32,
}

#[derive(Deserialize)]
struct RawRateLimit {
    requests: u32,
    minutes: u32,
}

impl TryFrom<RawRateLimit> for RateLimit {
    type Error = &'static str;

    fn try_from(raw: RawRateLimit) -> Result<Self, Self::Error> {
        Self::new(raw.requests, raw.minutes)
            .ok_or("a limit takes at least one request and one minute, and at most a week")
    }
}

impl RateLimit {
    /// `None` where a number is 0 or over its bound.
    pub fn new(requests: u32, minutes: u32) -> Option<Self> {
        ((1..=MAX_REQUESTS).contains(&requests) && (1..=MAX_WINDOW_MINUTES).contains(&minutes))
            .then_some(Self { requests, minutes })
    }

    /// Reads the two fields of a form: both empty is `None`, both filled is a limit, anything else is a fault beside
    /// the field that causes it. The fields are called `requests` and `minutes`.
    pub fn from_fields(requests: &str, minutes: &str) -> Result<Option<Self>, Vec<FieldError>> {
        let (requests, minutes) = (requests.trim(), minutes.trim());
        match (requests.is_empty(), minutes.is_empty()) {
            (true, true) => return Ok(None),
            (true, false) => {
                return Err(vec![FieldError::new("requests", "give the number of requests too, or leave both empty")]);
            }
            (false, true) => {
                return Err(vec![FieldError::new("minutes", "give the window in minutes too, or leave both empty")]);
            }
            (false, false) => {}
        }
        let mut faults = Vec::new();
        let mut number = |field: &str, text: &str, max: u32| match text.parse::<u32>() {
            Ok(value) if (1..=max).contains(&value) => value,
            _ => {
                faults.push(FieldError::new(field, format!("must be a whole number from 1 to {max}")));
                0
            }
        };
        let requests = number("requests", requests, MAX_REQUESTS);
        let minutes = number("minutes", minutes, MAX_WINDOW_MINUTES);
        if faults.is_empty() { Ok(Some(Self { requests, minutes })) } else { Err(faults) }
    }
}

impl fmt::Display for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (requests, minutes) = (self.requests, self.minutes);
        let plural = |n| if n == 1 { "" } else { "s" };
        write!(f, "{requests} request{} in {minutes} minute{}", plural(requests), plural(minutes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(requests: &str, minutes: &str) -> Vec<String> {
        RateLimit::from_fields(requests, minutes).unwrap_err().into_iter().map(|fault| fault.field).collect()
    }

    #[test]
    fn both_or_neither() {
        assert_eq!(RateLimit::from_fields("", " "), Ok(None));
        assert_eq!(RateLimit::from_fields("100", "5"), Ok(Some(RateLimit { requests: 100, minutes: 5 })));
        assert_eq!(fault("100", ""), ["minutes"]);
        assert_eq!(fault("", "5"), ["requests"]);
    }

    #[test]
    fn numbers_out_of_bounds_name_their_field() {
        assert_eq!(fault("0", "5"), ["requests"]);
        assert_eq!(fault("-1", "x"), ["requests", "minutes"]);
        assert_eq!(fault("1", "10081"), ["minutes"]);
    }

    #[test]
    fn a_stored_zero_is_refused() {
        assert!(serde_json::from_str::<RateLimit>(r#"{"requests":0,"minutes":1}"#).is_err());
    }
}
