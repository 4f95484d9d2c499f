//! Sums on their way into a report, with their histograms, and percentiles out of these.

use domain::usage::{
    Outcome,
    report::{Percentiles, UsageFigures},
};
use store::row::{Counts, UsageSum};

/// Buckets there can be: bucket i holds durations in `[2^(i-1), 2^i)` milliseconds.
const BUCKETS: usize = 65;

/// Counts by bucket; made when something is counted.
#[derive(Clone, Default)]
struct Histogram(Vec<u64>);

impl Histogram {
    fn add(&mut self, counts: Counts<'_>) {
        for (bucket, count) in counts.iter().filter(|(bucket, _)| *bucket < BUCKETS) {
            if self.0.len() <= bucket {
                self.0.resize(bucket + 1, 0);
            }
            if let Some(sum) = self.0.get_mut(bucket) {
                *sum = sum.saturating_add(u64::from(count));
            }
        }
    }

    fn merge(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        self.0.iter_mut().zip(&other.0).for_each(|(sum, count)| *sum = sum.saturating_add(*count));
    }

    fn with(&self, other: &Self) -> Self {
        let mut both = self.clone();
        both.merge(other);
        both
    }

    fn percentiles(&self) -> Percentiles {
        Percentiles { p50: self.at(50), p95: self.at(95), p99: self.at(99) }
    }

    /// Milliseconds below which `percent` of the durations are, as if those of a bucket were spread evenly in it.
    fn at(&self, percent: u64) -> Option<u64> {
        let total = self.0.iter().fold(0_u64, |sum, count| sum.saturating_add(*count));
        if total == 0 {
            return None;
        }
        // The number of the duration that is looked for, counted from 1.
        let rank = u64::try_from((u128::from(total) * u128::from(percent)).div_ceil(100)).unwrap_or(u64::MAX).max(1);
        let mut before = 0_u64;
        for (bucket, &count) in self.0.iter().enumerate() {
            let reached = before.saturating_add(count);
            if count > 0 && reached >= rank {
                let low = if bucket == 0 { 0 } else { 1_u64 << (bucket - 1) };
                let width = if bucket == 0 { 1 } else { low };
                let within = u128::from(width) * u128::from(rank - before) / (u128::from(count) + 1);
                return Some(low.saturating_add(u64::try_from(within).unwrap_or(u64::MAX)));
            }
            before = reached;
        }
        None
    }
}

/// Figures that can be added to.
#[derive(Clone, Default)]
pub(super) struct Tally {
    sums: UsageFigures,
    total: Histogram,
    warm: Histogram,
    cold: Histogram,
    other: Histogram,
}

impl Tally {
    pub(super) fn add(&mut self, sum: &UsageSum<'_>) {
        let sums = &mut self.sums;
        add(&mut sums.requests, sum.requests);
        add(&mut sums.errors, errors(sum));
        add(&mut sums.prompt_tokens, sum.prompt_tokens);
        add(&mut sums.completion_tokens, sum.completion_tokens);
        add(&mut sums.gpu_us, sum.gpu_us);
        add(&mut sums.load_us, sum.load_us);
        add(&mut sums.queue_us, sum.queue_us);
        add(&mut sums.cold, sum.cold);
        add(&mut sums.bytes_in, sum.bytes_in);
        add(&mut sums.bytes_out, sum.bytes_out);
        self.total.add(sum.total);
        self.warm.add(sum.warm_ttft);
        self.cold.add(sum.cold_ttft);
        self.other.add(sum.other_ttft);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        let (sums, more) = (&mut self.sums, &other.sums);
        add(&mut sums.requests, more.requests);
        add(&mut sums.errors, more.errors);
        add(&mut sums.prompt_tokens, more.prompt_tokens);
        add(&mut sums.completion_tokens, more.completion_tokens);
        add(&mut sums.gpu_us, more.gpu_us);
        add(&mut sums.load_us, more.load_us);
        add(&mut sums.queue_us, more.queue_us);
        add(&mut sums.cold, more.cold);
        add(&mut sums.bytes_in, more.bytes_in);
        add(&mut sums.bytes_out, more.bytes_out);
        self.total.merge(&other.total);
        self.warm.merge(&other.warm);
        self.cold.merge(&other.cold);
        self.other.merge(&other.other);
    }

    pub(super) fn requests(&self) -> u64 {
        self.sums.requests
    }

    pub(super) fn figures(&self) -> UsageFigures {
        UsageFigures {
            latency: self.total.percentiles(),
            ttft: self.warm.with(&self.cold).with(&self.other).percentiles(),
            ttft_warm: self.warm.percentiles(),
            ttft_cold: self.cold.percentiles(),
            ..self.sums
        }
    }
}

fn add(sum: &mut u64, value: u64) {
    *sum = sum.saturating_add(value);
}

/// Like `UsageRecord::failed`, for many.
fn errors(sum: &UsageSum<'_>) -> u64 {
    if sum.outcome == Outcome::UpstreamFailed { sum.requests } else { sum.errors }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bucket(ms: u64) -> usize {
        (u64::BITS - ms.leading_zeros()) as usize
    }

    proptest! {
        #[test]
        fn a_percentile_lies_in_the_bucket_of_the_real_one(mut times in proptest::collection::vec(0_u64..10_000_000, 1..200), percent in 1_u64..100) {
            let mut histogram = Histogram(vec![0; BUCKETS]);
            times.iter().for_each(|&ms| histogram.0[bucket(ms)] += 1);
            times.sort_unstable();
            let rank = (times.len() as u64 * percent).div_ceil(100) as usize;
            let found = histogram.at(percent).unwrap();
            prop_assert_eq!(bucket(found), bucket(times[rank - 1]), "{} of {:?}", found, times);
        }
    }

    #[test]
    fn nothing_has_no_percentile_and_the_largest_does_not_overflow() {
        assert_eq!(Histogram::default().percentiles(), Percentiles::default());
        let mut largest = Histogram(vec![0; BUCKETS]);
        largest.0[64] = u64::MAX;
        largest.0[1] = u64::MAX;
        assert!(largest.at(99).is_some());
    }
}
