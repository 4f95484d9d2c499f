//! A quota that is used up, in words and headers.

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quota {
    Concurrent,
    TokensMinute,
    TokensDay,
    TokensMonth,
    GpuDay,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    Key,
    User,
}

/// One request too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exceeded {
    pub(crate) quota: Quota,
    pub(crate) whose: Whose,
    /// Requests, tokens or seconds.
    pub(crate) limit: u64,
    /// Seconds until a part of the quota is free, as far as that can be known: running requests may end any time.
    pub(crate) retry_after: u64,
}

impl Exceeded {
    pub(crate) fn code(&self) -> &'static str {
        match self.quota {
            Quota::Concurrent => "concurrency_exceeded",
            Quota::TokensMinute | Quota::TokensDay | Quota::TokensMonth => "token_budget_exceeded",
            Quota::GpuDay => "gpu_budget_exceeded",
        }
    }

    /// The `RateLimit-Policy` and `RateLimit` headers of the quota.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        let (name, unit, window) = match self.quota {
            Quota::Concurrent => ("concurrent", "concurrent-requests", None),
            Quota::TokensMinute => ("tokens-minute", "tokens", Some(60)),
            Quota::TokensDay => ("tokens-day", "tokens", Some(86_400)),
            // Months differ in length, and a window must be a number.
            Quota::TokensMonth => ("tokens-month", "tokens", None),
            Quota::GpuDay => ("gpu-day", "gpu-seconds", Some(86_400)),
        };
        let window = window.map_or_else(String::new, |seconds| format!(";w={seconds}"));
        let policy = format!("\"{name}\";q={};qu=\"{unit}\"{window}", self.limit);
        let state = format!("\"{name}\";r=0;t={}", self.retry_after);
        for (name, value) in [("ratelimit-policy", policy), ("ratelimit", state)] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.append(HeaderName::from_static(name), value);
            }
        }
    }
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (limit, retry) = (self.limit, self.retry_after);
        let whose = match self.whose {
            Whose::Key => "this API key",
            Whose::User => "all API keys of this user together",
        };
        let verb = if self.whose == Whose::Key { "has" } else { "have" };
        match self.quota {
            Quota::Concurrent => {
                let may =
                    if self.whose == Whose::Key { "this API key may" } else { "this user's API keys may together" };
                write!(f, "too many requests at once: {may} have {limit} running, try again in {retry} s")
            }
            Quota::TokensMinute => {
                write!(f, "token budget used up: {whose} {verb} {limit} tokens a minute, try again in {retry} s")
            }
            Quota::TokensDay => {
                write!(f, "token budget used up: {whose} {verb} {limit} tokens a day, try again in {retry} s")
            }
            Quota::TokensMonth => {
                write!(f, "token budget used up: {whose} {verb} {limit} tokens a month, try again in {retry} s")
            }
            Quota::GpuDay => {
                write!(f, "GPU budget used up: {whose} {verb} {limit} GPU seconds a day, try again in {retry} s")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_whose_quota_and_how_large() {
        let exceeded = |quota, whose| Exceeded { quota, whose, limit: 4, retry_after: 9 };
        assert_eq!(
            exceeded(Quota::Concurrent, Whose::Key).to_string(),
            "too many requests at once: this API key may have 4 running, try again in 9 s"
        );
        assert_eq!(
            exceeded(Quota::TokensDay, Whose::User).to_string(),
            "token budget used up: all API keys of this user together have 4 tokens a day, try again in 9 s"
        );
        let mut headers = HeaderMap::new();
        exceeded(Quota::Concurrent, Whose::Key).write(&mut headers);
        assert_eq!(headers["ratelimit-policy"], "\"concurrent\";q=4;qu=\"concurrent-requests\"");
        assert_eq!(headers["ratelimit"], "\"concurrent\";r=0;t=9");
    }
}
