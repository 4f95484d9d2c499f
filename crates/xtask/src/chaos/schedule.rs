//! Who fails when and how, from a seed alone: the same seed is the same schedule.

use std::time::Duration;

/// How a backend behaves; the words are those of `bench chaos-backend`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Well,
    /// Killed; not told but done.
    Dead,
    Hang,
    Frozen,
    Stall,
    Reset,
    Drop,
    Busy,
    Fail,
    Garbage,
    Mangle,
}

/// What goes wrong, and how often beside the others.
const FAULTS: [(Mode, u64); 10] = [
    (Mode::Dead, 5),
    (Mode::Hang, 2),
    (Mode::Frozen, 1),
    (Mode::Stall, 2),
    (Mode::Reset, 3),
    (Mode::Drop, 2),
    (Mode::Busy, 2),
    (Mode::Fail, 2),
    (Mode::Garbage, 2),
    (Mode::Mangle, 2),
];
/// A fault lasts, and a backend is well between two of them, from so many to so many milliseconds.
const FAULT: (u64, u64) = (1_500, 6_000);
const WELL: (u64, u64) = (3_000, 10_000);

impl Mode {
    pub fn name(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::Dead => "dead",
            Self::Hang => "hang",
            Self::Frozen => "frozen",
            Self::Stall => "stall",
            Self::Reset => "reset",
            Self::Drop => "drop",
            Self::Busy => "busy",
            Self::Fail => "fail",
            Self::Garbage => "garbage",
            Self::Mangle => "mangle",
        }
    }
}

/// From a moment of the run on, a backend behaves so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub at: Duration,
    pub backend: usize,
    pub mode: Mode,
}

/// Every backend by itself, so that at times several are at fault, and now and then all. Ordered by time, and at the end
/// all are well.
pub fn plan(seed: u64, backends: usize, length: Duration) -> Vec<Step> {
    let mut random = Random(seed);
    let end = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
    let mut steps = Vec::new();
    for backend in 0..backends {
        let mut at = random.between((500, WELL.0));
        while at < end {
            let until = (at + random.between(FAULT)).min(end);
            for (at, mode) in [(at, random.fault()), (until, Mode::Well)] {
                steps.push(Step { at: Duration::from_millis(at), backend, mode });
            }
            at = until + random.between(WELL);
        }
    }
    steps.sort_by_key(|step| step.at);
    steps
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let word = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    fn between(&mut self, (from, to): (u64, u64)) -> u64 {
        from + self.next() % (to - from)
    }

    fn fault(&mut self) -> Mode {
        let all: u64 = FAULTS.iter().map(|(_, weight)| weight).sum();
        let mut left = self.next() % all;
        for (mode, weight) in FAULTS {
            if left < weight {
                return mode;
            }
            left -= weight;
        }
        Mode::Dead
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::root;

    #[test]
    fn backends_know_every_word_they_are_told_and_are_told_every_word_they_know() {
        let backend = std::fs::read_to_string(root().join("crates/bench/src/chaos/backend.rs")).unwrap();
        let faults = FAULTS.iter().map(|(mode, _)| *mode);
        let told: Vec<Mode> = faults.filter(|mode| *mode != Mode::Dead).chain([Mode::Well]).collect();
        for mode in &told {
            assert!(backend.contains(&format!("{:?} => Self::{mode:?},", mode.name())), "{mode:?}");
        }
        assert_eq!(backend.matches("\" => Self::").count(), told.len());
    }

    #[test]
    fn a_seed_is_a_schedule_in_which_every_fault_ends_and_every_kind_has_its_turn() {
        let length = Duration::from_secs(3_600);
        let steps = plan(7, 4, length);
        assert_eq!(steps, plan(7, 4, length));
        assert_ne!(steps, plan(8, 4, length));
        assert!(steps.is_sorted_by_key(|step| step.at) && steps.iter().all(|step| step.at <= length));
        for backend in 0..4 {
            let modes: Vec<Mode> = steps.iter().filter(|step| step.backend == backend).map(|step| step.mode).collect();
            for pair in modes.chunks(2) {
                assert!(pair[0] != Mode::Well && pair[1] == Mode::Well);
            }
            assert!(FAULTS.iter().all(|(mode, _)| modes.contains(mode)));
        }
    }
}
