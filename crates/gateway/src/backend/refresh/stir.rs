//! When a backend is looked at because its memory changed: not before others have made room, and never too often, however
//! many of its requests go cold. Knows no clock and no backend.

use std::time::Duration;

use tokio::time::Instant;

/// After a request went to a model that is not loaded, and after its answer began: by then others have made room, and have
/// not been asked for since by many.
const ROOM: Duration = Duration::from_millis(100);
/// From the end of one look to the next: where every request goes cold, looks would be a load of their own.
const APART: Duration = Duration::from_millis(250);

/// A change of its memory that no look has shown yet.
#[derive(Debug, Default)]
pub(super) struct Stir(Option<Instant>);

impl Stir {
    /// None is waited for, so that the next one is news.
    pub(super) fn is_settled(&self) -> bool {
        self.0.is_none()
    }

    /// Something changes. Whatever follows before the look is told after it, so that the look is not put off.
    pub(super) fn begins(&mut self, now: Instant) {
        self.0.get_or_insert(now);
    }

    /// When to look, where the last look ended at `looked`.
    pub(super) fn due(&self, looked: Instant) -> Option<Instant> {
        self.0.map(|stirred| (stirred + ROOM).max(looked + APART))
    }

    /// A look begins, for whatever reason. One that comes too early shows nothing yet.
    pub(super) fn looks(&mut self, now: Instant) {
        self.0 = self.0.filter(|stirred| now < *stirred + ROOM);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_look_comes_when_there_is_room_and_not_too_soon_after_the_last() {
        let looked = Instant::now();
        let after = |ms| looked + Duration::from_millis(ms);
        for (stirred, expected) in [(0, 250), (149, 250), (150, 250), (151, 251), (5_000, 5_100)] {
            let mut stir = Stir::default();
            assert_eq!(stir.due(looked), None);
            stir.begins(after(stirred));
            assert_eq!(stir.due(looked), Some(after(expected)), "stirred after {stirred} ms");
        }
    }

    #[test]
    fn a_look_for_another_reason_that_comes_too_early_does_not_settle_a_stir() {
        let stirred = Instant::now();
        let mut stir = Stir::default();
        stir.begins(stirred);
        let early = stirred + ROOM - Duration::from_millis(1);
        stir.looks(early);
        assert_eq!(stir.due(early), Some(early + APART));
        stir.looks(stirred + ROOM);
        assert!(stir.is_settled());
    }

    proptest! {
        /// However often it is stirred, and whatever else has it looked at.
        #[test]
        fn every_stir_is_followed_by_a_look_with_room_and_stirs_alone_never_make_two_in_a_quarter_second(
            stirs in prop::collection::btree_set(0_u64..3_000, 1..200),
            others in prop::collection::btree_set(0_u64..3_000, 0..8),
            takes in 0_u64..40,
        ) {
            let start = Instant::now();
            let at = |ms| start + Duration::from_millis(ms);
            // As the watcher does it: what comes while one stir is waited for, or during a look, is one token.
            let (mut stir, mut token, mut looked, mut looks) = (Stir::default(), false, at(0), Vec::new());
            let mut busy_until = 0;
            for now in 0..4_000 {
                token |= stirs.contains(&now);
                if now < busy_until {
                    continue;
                }
                if now == busy_until {
                    looked = at(now);
                }
                if token && stir.is_settled() {
                    stir.begins(at(now));
                    token = false;
                }
                let due = stir.due(looked).is_some_and(|due| at(now) >= due);
                if due || others.contains(&now) {
                    if due && !others.contains(&now) && busy_until > 0 {
                        prop_assert!(now >= busy_until + 250, "at {now} after {busy_until}");
                    }
                    stir.looks(at(now));
                    looks.push(now);
                    busy_until = now + takes;
                    if takes == 0 {
                        looked = at(now);
                    }
                }
            }
            for stirred in stirs {
                prop_assert!(looks.iter().any(|look| *look >= stirred + 100), "{stirred} {looks:?}");
            }
        }
    }
}
