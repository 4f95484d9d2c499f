//! A policy in words, for pages and command line.

use std::fmt;

use super::{Policy, format_utc};
use crate::words::{number, plural};

impl Policy {
    /// One line for each part that is set, in the order of the form.
    pub fn summary(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(requests) = self.concurrent {
            lines.push(format!("at most {} at once", plural(requests.into(), "request")));
        }
        for (tokens, period) in
            [(self.tokens_per_minute, "minute"), (self.tokens_per_day, "day"), (self.tokens_per_month, "month")]
        {
            lines.extend(tokens.map(|tokens| format!("{} a {period}", plural(tokens, "token"))));
        }
        lines.extend(self.gpu_seconds_per_day.map(|seconds| format!("{} a day", plural(seconds, "GPU second"))));
        lines.extend(self.expires_at.map(|at| format!("expires {} UTC", format_utc(at).replace('T', " "))));
        if !self.models.is_empty() {
            lines.push(format!("models: {}", join(&self.models)));
        }
        if self.management {
            lines.push("may manage models".into());
        }
        if self.topology {
            lines.push("may see which backend answers".into());
        }
        lines.extend(self.num_ctx.map(|tokens| format!("num_ctx at most {}", number(tokens.into()))));
        lines.extend(self.num_predict.map(|tokens| format!("num_predict at most {}", number(tokens.into()))));
        lines.extend(self.keep_alive_s.map(|seconds| format!("keep_alive at most {} s", number(seconds.into()))));
        if !self.networks.is_empty() {
            lines.push(format!("only from {}", self.networks.to_string().replace('\n', ", ")));
        }
        lines
    }
}

/// The summary in one line.
impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.summary();
        if lines.is_empty() { f.write_str("no restrictions") } else { f.write_str(&lines.join("; ")) }
    }
}

fn join<T: fmt::Display>(items: &[T]) -> String {
    items.iter().map(T::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Networks;

    #[test]
    fn every_part_has_its_line() {
        assert_eq!(Policy::default().to_string(), "no restrictions");
        let policy = Policy {
            concurrent: Some(1),
            tokens_per_minute: Some(1_000),
            tokens_per_day: Some(1_234_567),
            tokens_per_month: Some(12),
            gpu_seconds_per_day: Some(3_600),
            expires_at: Some(1_795_343_400_000),
            models: vec!["llama3.2".parse().unwrap(), "qwen*".parse().unwrap()],
            management: true,
            topology: true,
            num_ctx: Some(8_192),
            num_predict: Some(100),
            keep_alive_s: Some(300),
            networks: Networks::parse("10.0.0.0/8\n::1").unwrap(),
        };
        assert_eq!(
            policy.summary(),
            [
                "at most 1 request at once",
                "1,000 tokens a minute",
                "1,234,567 tokens a day",
                "12 tokens a month",
                "3,600 GPU seconds a day",
                "expires 2026-11-22 10:30 UTC",
                "models: llama3.2:latest, qwen*",
                "may manage models",
                "may see which backend answers",
                "num_ctx at most 8,192",
                "num_predict at most 100",
                "keep_alive at most 300 s",
                "only from 10.0.0.0/8, ::1",
            ]
        );
    }
}
