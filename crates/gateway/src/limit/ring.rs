//! The counter of one key: a ring of 60 sub-buckets of a 60th of the window each, and the current one. A sub-bucket counts
//! in full until it has wholly left the window, so no interval of the window's length ever sees more than the limit; the
//! price is that a slot comes back at most one sub-bucket late.

use domain::limit::RateLimit;

const SLOTS: usize = 61;
/// Refused requests that turn a client into a hammering one, in multiples of its limit.
const HAMMERING: u64 = 10;

/// Admissions of one key. Times are monotonic milliseconds; a time before the last one counts as the last one.
pub(super) struct Ring {
    minutes: u32,
    /// Number of the current sub-bucket since time 0.
    slot: u64,
    counts: [u32; SLOTS],
    total: u64,
    last: u64,
    refused: u64,
    refused_since: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    /// `reset_ms` is when the oldest counted admission leaves the window.
    Admitted { remaining: u32, reset_ms: u64 },
    /// A client that is alone and waits `retry_ms` is admitted.
    Refused { retry_ms: u64, close: bool },
}

impl Ring {
    pub(super) fn new(minutes: u32, now: u64) -> Self {
        let minutes = minutes.max(1);
        Self {
            minutes,
            slot: now / slot_ms(minutes),
            counts: [0; SLOTS],
            total: 0,
            last: now,
            refused: 0,
            refused_since: now,
        }
    }

    pub(super) fn admit(&mut self, limit: RateLimit, now: u64) -> Decision {
        let now = now.max(self.last);
        self.last = now;
        self.advance(now);
        self.follow(limit.minutes, now);
        let allowed = u64::from(limit.requests);
        if self.total >= allowed {
            return Decision::Refused {
                retry_ms: self.free_at(self.total - allowed + 1).saturating_sub(now),
                close: self.hammers(allowed, now),
            };
        }
        self.counts[position(self.slot)] += 1;
        self.total += 1;
        let remaining = u32::try_from(allowed - self.total).unwrap_or(u32::MAX);
        Decision::Admitted { remaining, reset_ms: self.free_at(1).saturating_sub(now) }
    }

    /// Nothing is counted any more: a new ring would decide the same.
    pub(super) fn is_idle(&self, now: u64) -> bool {
        self.total == 0 || now / slot_ms(self.minutes) >= self.slot + SLOTS as u64
    }

    /// Empties the sub-buckets that have left the window.
    fn advance(&mut self, now: u64) {
        let slot = now / slot_ms(self.minutes);
        let gone = slot.saturating_sub(self.slot);
        if gone >= SLOTS as u64 {
            self.counts = [0; SLOTS];
            self.total = 0;
        } else {
            for passed in self.slot + 1..=slot {
                self.total -= u64::from(std::mem::take(&mut self.counts[position(passed)]));
            }
        }
        self.slot = self.slot.max(slot);
    }

    /// A changed window starts a new ring that holds the old one's count as if it had all come just now.
    fn follow(&mut self, minutes: u32, now: u64) {
        if minutes != self.minutes {
            let carried = self.total;
            *self = Self::new(minutes, now);
            self.counts[position(self.slot)] = u32::try_from(carried).unwrap_or(u32::MAX);
            self.total = u64::from(self.counts[position(self.slot)]);
        }
    }

    /// When the oldest `needed` admissions have left the window.
    fn free_at(&self, needed: u64) -> u64 {
        let mut left = 0;
        for age in (0..SLOTS as u64).rev() {
            let Some(slot) = self.slot.checked_sub(age) else { continue };
            left += u64::from(self.counts[position(slot)]);
            if left >= needed {
                return (slot + SLOTS as u64) * slot_ms(self.minutes);
            }
        }
        (self.slot + SLOTS as u64) * slot_ms(self.minutes)
    }

    fn hammers(&mut self, allowed: u64, now: u64) -> bool {
        if now - self.refused_since >= 60 * slot_ms(self.minutes) {
            (self.refused, self.refused_since) = (0, now);
        }
        self.refused += 1;
        self.refused > HAMMERING * allowed
    }
}

/// A 60th of the window: as many seconds as the window has minutes.
fn slot_ms(minutes: u32) -> u64 {
    u64::from(minutes) * 1_000
}

fn position(slot: u64) -> usize {
    (slot % SLOTS as u64) as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn limit(requests: u32, minutes: u32) -> RateLimit {
        RateLimit { requests, minutes }
    }

    fn admitted(decision: Decision) -> bool {
        matches!(decision, Decision::Admitted { .. })
    }

    /// Gaps of all sizes that matter: inside a sub-bucket, across some, across the window.
    fn gaps() -> impl Strategy<Value = Vec<u64>> {
        prop::collection::vec(
            prop_oneof![4 => 0_u64..50, 3 => 0_u64..2_000, 2 => 0_u64..20_000, 1 => 0_u64..130_000],
            1..60,
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn no_interval_of_the_window_sees_more_than_the_limit(start in 0_u64..1_000_000, gaps in gaps(), requests in 1_u32..20, minutes in 1_u32..3) {
            let (mut ring, mut now) = (Ring::new(minutes, start), start);
            let mut times = Vec::new();
            for gap in gaps {
                now += gap;
                if admitted(ring.admit(limit(requests, minutes), now)) {
                    times.push(now);
                }
            }
            let window = u64::from(minutes) * 60_000;
            for (first, &time) in times.iter().enumerate() {
                let inside = times[first..].iter().take_while(|&&other| other - time <= window).count();
                prop_assert!(inside <= requests as usize, "{inside} of {requests} from {time}");
            }
        }

        #[test]
        fn with_quota_left_the_next_is_admitted(gaps in gaps(), requests in 1_u32..20) {
            let (mut ring, mut now) = (Ring::new(1, 0), 0);
            let mut times: Vec<u64> = Vec::new();
            for gap in gaps {
                now += gap;
                let recent = times.iter().filter(|&&time| now - time <= 61_000).count();
                let decision = ring.admit(limit(requests, 1), now);
                if recent < requests as usize {
                    prop_assert!(admitted(decision), "refused with {recent} of {requests}");
                }
                if admitted(decision) {
                    times.push(now);
                }
            }
        }

        #[test]
        fn remaining_falls_by_one_inside_a_sub_bucket_and_grows_only_between_them(gaps in gaps(), requests in 1_u32..20) {
            let (mut ring, mut now) = (Ring::new(1, 0), 0);
            let mut before: Option<(u64, u32)> = None;
            for gap in gaps {
                now += gap;
                if let Decision::Admitted { remaining, reset_ms } = ring.admit(limit(requests, 1), now) {
                    prop_assert!(remaining < requests && reset_ms <= 61_000);
                    if let Some((slot, rest)) = before && slot == now / 1_000 {
                        prop_assert_eq!(remaining + 1, rest);
                    }
                    before = Some((now / 1_000, remaining));
                } else if let Some((slot, rest)) = before && slot == now / 1_000 {
                    prop_assert_eq!(rest, 0);
                }
            }
        }

        #[test]
        fn a_client_that_waits_as_told_is_admitted(gaps in gaps(), requests in 1_u32..20, minutes in 1_u32..3) {
            let (mut ring, mut now) = (Ring::new(minutes, 0), 0);
            for gap in gaps {
                now += gap;
                if let Decision::Refused { retry_ms, .. } = ring.admit(limit(requests, minutes), now) {
                    prop_assert!(retry_ms <= u64::from(minutes) * 61_000);
                    now += retry_ms;
                    prop_assert!(admitted(ring.admit(limit(requests, minutes), now)));
                }
            }
        }

        #[test]
        fn a_clock_that_goes_back_never_admits_more(gaps in gaps(), back in prop::collection::vec(0_u64..200_000, 60), requests in 1_u32..20) {
            let (mut steady, mut jumping, mut now) = (Ring::new(1, 0), Ring::new(1, 0), 0);
            for (gap, back) in gaps.into_iter().zip(back) {
                now += gap;
                let steady = steady.admit(limit(requests, 1), now);
                let jumped = jumping.admit(limit(requests, 1), now);
                prop_assert_eq!(admitted(steady), admitted(jumped));
                if !admitted(jumped) {
                    prop_assert!(!admitted(jumping.admit(limit(requests, 1), now.saturating_sub(back))));
                }
            }
        }

        #[test]
        fn changes_of_the_policy_never_grant_a_second_quota(gaps in gaps(), policies in prop::collection::vec((1_u32..10, 1_u32..4), 60)) {
            let (mut ring, mut now) = (Ring::new(1, 0), 0);
            let mut times: Vec<u64> = Vec::new();
            for (gap, (requests, minutes)) in gaps.into_iter().zip(policies) {
                now += gap;
                let recent = times.iter().filter(|&&time| now - time <= 60_000).count();
                if admitted(ring.admit(limit(requests, minutes), now)) {
                    prop_assert!(recent < requests as usize, "every policy covers at least the last minute");
                    times.push(now);
                }
            }
        }
    }

    #[test]
    fn a_new_number_applies_to_the_present_count() {
        let mut ring = Ring::new(1, 0);
        for _ in 0..5 {
            assert!(admitted(ring.admit(limit(5, 1), 10)));
        }
        assert!(!admitted(ring.admit(limit(3, 1), 20)));
        assert_eq!(ring.admit(limit(7, 1), 20), Decision::Admitted { remaining: 1, reset_ms: 61_000 - 20 });
    }

    #[test]
    fn a_new_window_keeps_the_count() {
        let mut ring = Ring::new(1, 0);
        for _ in 0..5 {
            ring.admit(limit(5, 1), 10);
        }
        assert!(!admitted(ring.admit(limit(5, 2), 20)));
        assert!(!admitted(ring.admit(limit(5, 2), 100_000)));
        assert!(admitted(ring.admit(limit(5, 2), 122_000)));
    }

    #[test]
    fn a_hammering_client_is_told_apart() {
        let mut ring = Ring::new(1, 0);
        ring.admit(limit(1, 1), 0);
        for _ in 0..10 {
            assert!(matches!(ring.admit(limit(1, 1), 5), Decision::Refused { close: false, .. }));
        }
        assert!(matches!(ring.admit(limit(1, 1), 5), Decision::Refused { close: true, .. }));
    }
}
