//! How each backend did lately: tokens of the last minute and first bytes of the last five, in memory only. What a record
//! means is `domain`'s, what is shown of it the live status's.

use std::collections::{HashMap, VecDeque};

use domain::{backend::Pace, id::BackendId, usage::UsageRecord};

/// Milliseconds of one part.
const PART: u64 = 5_000;
const MINUTE: u64 = 60_000;
const FIVE_MINUTES: u64 = 5 * MINUTE;

#[derive(Default)]
struct Part {
    /// When it began, Unix milliseconds.
    at: u64,
    tokens: u64,
    ttft_us: u64,
    answers: u64,
}

/// The last five minutes of every backend that had a request in them, oldest part first.
#[derive(Default)]
pub(super) struct Paces(HashMap<BackendId, VecDeque<Part>>);

impl Paces {
    /// A request that has just ended.
    pub fn add(&mut self, record: &UsageRecord, now: u64) {
        let Some(backend) = &record.backend else { return };
        let parts = self.0.entry(backend.clone()).or_default();
        let at = now - now % PART;
        if parts.back().is_none_or(|last| last.at < at) {
            parts.push_back(Part { at, ..Part::default() });
        }
        let Some(part) = parts.back_mut() else { return };
        part.tokens = part.tokens.saturating_add(record.completion_tokens.unwrap_or(0));
        if let Some(ttft) = record.ttft_us.filter(|_| record.streamed && record.status < 400) {
            part.ttft_us = part.ttft_us.saturating_add(ttft);
            part.answers += 1;
        }
    }

    /// Forgets what is too old to be told.
    pub fn prune(&mut self, now: u64) {
        self.0.retain(|_, parts| {
            while parts.front().is_some_and(|part| part.at + FIVE_MINUTES <= now) {
                parts.pop_front();
            }
            !parts.is_empty()
        });
    }

    pub fn of(&self, backend: &BackendId, now: u64) -> Pace {
        let parts = self.0.get(backend).into_iter().flatten();
        let (mut tokens, mut ttft, mut answers) = (0_u64, 0_u64, 0_u64);
        for part in parts.filter(|part| part.at + FIVE_MINUTES > now) {
            if part.at + MINUTE > now {
                tokens = tokens.saturating_add(part.tokens);
            }
            ttft = ttft.saturating_add(part.ttft_us);
            answers += part.answers;
        }
        Pace { tokens, ttft_ms: ttft.checked_div(answers).map(|mean| mean.div_ceil(1_000)) }
    }
}

#[cfg(test)]
mod tests {
    use domain::id::KeyId;

    use super::{super::tests::record, *};

    #[test]
    fn tokens_are_those_of_a_minute_and_first_bytes_those_of_five() {
        let (key, backend) = (KeyId::new("kkkkkkkkkkkk").unwrap(), BackendId::new("bbbbbbbbbbbb").unwrap());
        let of = |status, tokens, ttft_us| UsageRecord {
            backend: Some(backend.clone()),
            completion_tokens: tokens,
            ttft_us,
            streamed: true,
            ..record(&key, 0, status)
        };
        let mut paces = Paces::default();
        let now = 100 * MINUTE;
        assert_eq!(paces.of(&backend, now), Pace::default());
        paces.add(&of(200, Some(600), Some(30_000)), now);
        paces.add(&of(200, Some(60), Some(10_002)), now + 7_000);
        paces.add(&of(500, None, Some(900_000)), now + 8_000);
        paces.add(&UsageRecord { streamed: false, ..of(200, None, Some(900_000)) }, now + 8_000);
        paces.add(&UsageRecord { backend: None, ..of(200, Some(9), None) }, now + 8_000);
        assert_eq!(paces.of(&backend, now + 8_000), Pace { tokens: 660, ttft_ms: Some(21) });
        assert_eq!(paces.of(&backend, now + MINUTE + 1), Pace { tokens: 60, ttft_ms: Some(21) });
        assert_eq!(paces.of(&backend, now + 2 * MINUTE), Pace { tokens: 0, ttft_ms: Some(21) });
        paces.add(&of(200, Some(u64::MAX), Some(u64::MAX)), now + 9_000);
        paces.prune(now + FIVE_MINUTES);
        assert_eq!(paces.0[&backend].len(), 1);
        paces.prune(now + 2 * FIVE_MINUTES);
        assert!(paces.0.is_empty());
    }
}
