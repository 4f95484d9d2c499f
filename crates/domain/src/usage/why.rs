//! Why a request was slow, as one sentence out of its record. Names of backends and keys are the caller's, because records
//! hold ids.

use super::UsageRecord;

/// Below this many microseconds to the first byte nothing was slow.
const SLOW: u64 = 2_000_000;
/// Shorter parts of the wait are not told.
const TELLING: u64 = 1_000_000;

impl UsageRecord {
    /// Microseconds until something came: the first byte, or the end where none did.
    pub fn wait_us(&self) -> u64 {
        self.ttft_us.unwrap_or(self.total_us)
    }

    /// Whether it was kept waiting by more than the making of an answer that is given whole.
    pub fn was_kept_waiting(&self) -> bool {
        let kept = self.streamed || self.queue_us >= TELLING || self.load_us >= TELLING || self.retries > 0;
        kept && self.wait_us() >= SLOW
    }

    /// What the wait was made of, without full stop: `18 s: 14 s loading qwen3 on gpu-7, evicted by key ci`. `None` for a
    /// request that did not wait. `backend` and `evictor` are names; `evictor` is of the key in `evicted_by`.
    pub fn why_slow(&self, backend: Option<&str>, evictor: Option<&str>) -> Option<String> {
        let wait = self.wait_us();
        if wait < SLOW {
            return None;
        }
        let on = backend.map(|name| format!(" on {name}")).unwrap_or_default();
        let mut parts = Vec::new();
        if self.queue_us >= TELLING {
            parts.push(format!("{} waiting for a slot", seconds(self.queue_us)));
        }
        let loading = self.load_us >= TELLING;
        if loading {
            let model = self.model.as_deref().unwrap_or("the model");
            let mut part = format!("{} loading {model}{on}", seconds(self.load_us));
            if let Some(key) = evictor {
                part.push_str(&format!(", evicted by key {key}"));
            }
            parts.push(part);
        }
        let rest = wait.saturating_sub(self.queue_us).saturating_sub(self.load_us);
        // What is left is told where it is the most of it: otherwise the sentence has its reason already.
        if rest >= TELLING && rest > wait / 2 {
            let what = match (self.warm, loading) {
                (Some(false), false) => "loading or reading the prompt",
                _ if self.ttft_us.is_none() => "without an answer",
                // Not streamed: the first byte came when all was done.
                _ if self.total_us.saturating_sub(wait) < wait / 20 => "reading the prompt and answering",
                _ => "reading the prompt",
            };
            parts.push(format!("{} {what}{on}", seconds(rest)));
        }
        match self.retries {
            0 => {}
            1 => parts.push("after another backend failed".to_owned()),
            count => parts.push(format!("after {count} other backends failed")),
        }
        (!parts.is_empty()).then(|| format!("{}: {}", seconds(wait), parts.join("; ")))
    }
}

/// Whole seconds, or minutes and seconds.
fn seconds(us: u64) -> String {
    let seconds = us.saturating_add(500_000) / 1_000_000;
    match (seconds / 60, seconds % 60) {
        (0, seconds) => format!("{seconds} s"),
        (minutes, 0) => format!("{minutes} min"),
        (minutes, seconds) => format!("{minutes} min {seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        endpoint::Endpoint,
        id::{KeyId, UserId},
    };

    const S: u64 = 1_000_000;

    fn record(queue: u64, load: u64, first: Option<u64>, total: u64) -> UsageRecord {
        let (user, key) = (UserId::new("uuuuuuuuuuuu").unwrap(), KeyId::new("kkkkkkkkkkkk").unwrap());
        UsageRecord {
            model: Some("qwen3".into()),
            queue_us: queue,
            load_us: load,
            ttft_us: first,
            total_us: total,
            warm: Some(load == 0),
            ..UsageRecord::new(1, 1, user, key, Endpoint::Chat)
        }
    }

    #[test]
    fn a_wait_is_told_by_what_it_was_made_of() {
        let why = |record: &UsageRecord| record.why_slow(Some("gpu-7"), record.evicted_by.as_ref().map(|_| "ci"));
        let loading = record(0, 14 * S, Some(18 * S), 80 * S);
        assert_eq!(why(&loading).as_deref(), Some("18 s: 14 s loading qwen3 on gpu-7"));
        let evicted = UsageRecord { evicted_by: Some(loading.key.clone()), ..loading.clone() };
        assert_eq!(why(&evicted).as_deref(), Some("18 s: 14 s loading qwen3 on gpu-7, evicted by key ci"));
        assert_eq!(why(&record(5 * S, 0, Some(6 * S), 7 * S)).as_deref(), Some("6 s: 5 s waiting for a slot"));
        let both = record(5 * S, 70 * S, Some(75 * S), 80 * S);
        assert_eq!(
            why(&both).as_deref(),
            Some("1 min 15 s: 5 s waiting for a slot; 1 min 10 s loading qwen3 on gpu-7")
        );
        let prompt = record(0, 0, Some(9 * S), 10 * S);
        assert_eq!(why(&prompt).as_deref(), Some("9 s: 9 s reading the prompt on gpu-7"));
        let whole = record(0, 0, Some(9 * S), 9 * S);
        assert_eq!(why(&whole).as_deref(), Some("9 s: 9 s reading the prompt and answering on gpu-7"));
        let silent = UsageRecord { retries: 2, ..record(0, 0, None, 120 * S) };
        assert_eq!(
            why(&silent).as_deref(),
            Some("2 min: 2 min without an answer on gpu-7; after 2 other backends failed")
        );
        let unknown = UsageRecord { model: None, retries: 1, ..loading };
        assert_eq!(
            unknown.why_slow(None, None).as_deref(),
            Some("18 s: 14 s loading the model; after another backend failed")
        );
    }

    #[test]
    fn a_fast_beginning_needs_no_reason_however_long_the_answer_is() {
        assert_eq!(record(0, 0, Some(S), 300 * S).why_slow(Some("gpu-7"), None), None);
        assert_eq!(record(0, 0, None, S).why_slow(Some("gpu-7"), None), None);
        assert_eq!(record(S, S, Some(2 * S - 1), 9 * S).why_slow(None, None), None);
    }
}
