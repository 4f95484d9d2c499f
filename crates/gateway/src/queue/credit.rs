//! What a key has saved in the queue, in tokens. It pays an estimate when its turn comes, and the difference to what the
//! request really used once that is known; until then it may look richer or poorer than it is. Knows no queue and no clock.

/// Tokens of one round.
pub(super) const QUANTUM: u64 = 1_024;
/// Every request costs so much, or a key whose requests use nothing would have all the turns.
pub(super) const LEAST: u64 = 256;
/// No estimate is higher: rounds that a key waits for its turn at most.
pub(crate) const MOST: u64 = 16 * QUANTUM;
/// Corrections bring nobody further from zero than so many rounds: one very long answer must not keep its key from every
/// turn until its other requests have waited too long, nor an estimate that was far too high give it all of them.
const BOUND: i64 = MOST as i64;

/// Negative where more was used than paid.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Credit(i64);

impl Credit {
    /// Rounds until so much can be paid.
    pub(super) fn rounds(self, cost: u64) -> u64 {
        let missing = tokens(cost).saturating_sub(self.0);
        u64::try_from(missing).unwrap_or(0).div_ceil(QUANTUM)
    }

    pub(super) fn earn(&mut self, rounds: u64) {
        self.0 = self.0.saturating_add(tokens(rounds.saturating_mul(QUANTUM)));
    }

    pub(super) fn pay(&mut self, cost: u64) {
        self.0 = self.0.saturating_sub(tokens(cost)).max(0);
    }

    /// What `paid` was paid for has used so many tokens.
    pub(super) fn settle(&mut self, paid: u64, used: u64) {
        let right = self.0.saturating_add(tokens(paid)).saturating_sub(tokens(used.max(LEAST)));
        // What lies beyond the bound for other reasons stays.
        self.0 = right.clamp(self.0.min(-BOUND), self.0.max(BOUND));
    }
}

fn tokens(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against plain sums: whoever paid an estimate and settled it has paid what was used.
        #[test]
        fn an_estimate_that_is_settled_costs_what_was_used(
            saved in 0_u64..4, costs in prop::collection::vec((1_u64..4_000, 0_u64..4_000), 1..4),
        ) {
            let (mut credit, mut sum) = (Credit::default(), 0_i64);
            credit.earn(saved);
            sum += (saved * QUANTUM) as i64;
            for (cost, used) in &costs {
                let rounds = credit.rounds(*cost);
                prop_assert!(sum + ((rounds * QUANTUM) as i64) >= *cost as i64);
                prop_assert!(rounds == 0 || sum + ((rounds - 1) * QUANTUM) as i64 <= *cost as i64);
                credit.earn(rounds);
                credit.pay(*cost);
                credit.settle(*cost, *used);
                sum += (rounds * QUANTUM) as i64 - (*used).max(LEAST) as i64;
                prop_assert_eq!(credit, Credit(sum));
            }
        }

        #[test]
        fn corrections_stay_within_their_bound_and_take_nothing_that_was_saved(
            saved in 0_u64..100, paid in 0_u64..1 << 40, used in 0_u64..1 << 40,
        ) {
            let mut credit = Credit::default();
            credit.earn(saved);
            let before = credit;
            credit.settle(paid, used);
            if paid >= used.max(LEAST) {
                prop_assert!(credit.0 >= before.0 && credit.0 <= before.0.max(BOUND), "{before:?} {credit:?}");
            } else {
                prop_assert!(credit.0 < before.0 && credit.0 >= -BOUND, "{before:?} {credit:?}");
            }
        }
    }
}
