//! Whether two kinds of work take the same time: samples in turns, and Welch's t-test over them. What is measured, and
//! which t is too large, belongs to the tests.

/// The usual threshold of leakage tests.
pub const SUSPICIOUS: f64 = 4.5;

/// Orders in which to take one sample of each of `N` kinds, each order as likely as the others: what comes always behind
/// the same other kind would find the processor as that one left it.
pub struct Turns<const N: usize> {
    random: u64,
    order: [usize; N],
}

impl<const N: usize> Default for Turns<N> {
    fn default() -> Self {
        Self { random: 0x9e37_79b9_7f4a_7c15, order: std::array::from_fn(|kind| kind) }
    }
}

impl<const N: usize> Turns<N> {
    /// The order of the next round (xorshift, Fisher-Yates).
    pub fn shuffled(&mut self) -> [usize; N] {
        for at in (1..N).rev() {
            self.random ^= self.random << 13;
            self.random ^= self.random >> 7;
            self.random ^= self.random << 17;
            self.order.swap(at, (self.random % (at as u64 + 1)) as usize);
        }
        self.order
    }
}

/// How far apart two samples are.
#[derive(Debug, Clone, Copy)]
pub struct Apart {
    /// Welch's t.
    pub t: f64,
    /// Difference of the means, as a part of the second.
    pub part: f64,
}

/// Compares two samples without their slowest tenths: those are the machine's, not ours. Sorts them.
pub fn welch(one: &mut [f64], two: &mut [f64]) -> Apart {
    let moments = |sample: &mut [f64]| {
        sample.sort_by(f64::total_cmp);
        let kept = &sample[..sample.len() * 9 / 10];
        let count = kept.len() as f64;
        let mean = kept.iter().sum::<f64>() / count;
        let variance = kept.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0);
        (mean, variance / count)
    };
    let ((mean, error), (other_mean, other_error)) = (moments(one), moments(two));
    let difference = mean - other_mean;
    Apart { t: difference / (error + other_error).sqrt(), part: difference / other_mean }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_order_of_turns_comes_about_as_often() {
        let mut turns = Turns::<3>::default();
        let mut seen = std::collections::HashMap::new();
        for _ in 0..6_000 {
            *seen.entry(turns.shuffled()).or_insert(0) += 1;
        }
        assert!(seen.len() == 6 && seen.values().all(|count| (900..1_100).contains(count)), "{seen:?}");
    }

    #[test]
    fn a_difference_shows_and_the_same_numbers_show_none() {
        let sample = |shift: f64| (0..1_000).map(|at| f64::from(at % 10) + shift).collect::<Vec<_>>();
        assert!(welch(&mut sample(0.0), &mut sample(0.0)).t.abs() < 0.001);
        let apart = welch(&mut sample(0.0), &mut sample(1.0));
        assert!(apart.t < -SUSPICIOUS && (-0.3..-0.1).contains(&apart.part), "{apart:?}");
    }
}
