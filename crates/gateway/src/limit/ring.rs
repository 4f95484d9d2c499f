//! The counter of one key: a ring of 60 sub-buckets of a 60th of the window each, and the current one. A sub-bucket counts
//! in full until it has wholly left the window, so no interval of the window's length ever sees more than the limit; the
//! price is that a slot comes back at most one sub-bucket late. `shared/admit.lua` is the same in Redis.

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
    /// Of `counts`, what Redis does not know of yet; never made without Redis.
    owed: Option<Box<[u32; SLOTS]>>,
    /// Until then something counts that Redis did not decide.
    alone_until: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    /// `reset_ms` is when the oldest counted admission leaves the window.
    Admitted { remaining: u32, reset_ms: u64 },
    /// A client that is alone and waits `retry_ms` is admitted.
    Refused { retry_ms: u64, close: bool },
}

/// Admissions that Redis does not know of, by sub-bucket of the local clock, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Debt {
    pub(super) minutes: u32,
    pub(super) buckets: Vec<(u64, u32)>,
}

impl Debt {
    /// The buckets by the clock of Redis, which is `offset` milliseconds ahead. A bucket goes where its last moment goes,
    /// so that it never leaves the window early.
    pub(super) fn at(&self, offset: i64) -> impl Iterator<Item = (u64, u32)> + '_ {
        let size = slot_ms(self.minutes);
        self.buckets.iter().map(move |&(slot, count)| {
            let last = (slot + 1).saturating_mul(size).saturating_sub(1);
            (last.saturating_add_signed(offset) / size, count)
        })
    }
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
            owed: None,
            alone_until: 0,
        }
    }

    pub(super) fn admit(&mut self, limit: RateLimit, now: u64) -> Decision {
        let now = self.turn(limit.minutes, now);
        let allowed = u64::from(limit.requests);
        if self.total >= allowed {
            return self.refuse(allowed, now);
        }
        self.count();
        let remaining = u32::try_from(allowed - self.total).unwrap_or(u32::MAX);
        Decision::Admitted { remaining, reset_ms: self.free_at(1).saturating_sub(now) }
    }

    /// Decides while Redis does not, and keeps in mind that Redis has to be told.
    pub(super) fn admit_alone(&mut self, limit: RateLimit, now: u64) -> Decision {
        let decision = self.admit(limit, now);
        if matches!(decision, Decision::Admitted { .. }) {
            self.owe(self.slot, 1);
        }
        decision
    }

    /// How many admissions count now, and in how many milliseconds the first of them leaves the window.
    pub(super) fn standing(&mut self, minutes: u32, now: u64) -> (u32, u64) {
        let now = self.turn(minutes, now);
        let reset = if self.total == 0 { 0 } else { self.free_at(1).saturating_sub(now) };
        (u32::try_from(self.total).unwrap_or(u32::MAX), reset)
    }

    /// Redis has admitted one. It is counted here too, unless this gateway alone admitted more than an honest Redis that
    /// knows of everything could have let pass: then the refusal is here.
    pub(super) fn confirm(&mut self, limit: RateLimit, now: u64, owe: bool) -> Result<(), Decision> {
        let now = self.turn(limit.minutes, now);
        let allowed = u64::from(limit.requests);
        // What Redis decided is counted here a moment after it is counted there, perhaps one sub-bucket later.
        let oldest: u64 = (59..SLOTS as u64).map(|age| self.counted(age)).sum();
        let counted = if now < self.alone_until { self.total } else { self.total - oldest };
        if counted >= allowed {
            return Err(self.refuse(allowed, now));
        }
        self.count();
        if owe {
            self.owe(self.slot, 1);
        }
        Ok(())
    }

    /// Redis has refused one: whether the client hammers.
    pub(super) fn refused(&mut self, limit: RateLimit, now: u64) -> bool {
        let now = self.turn(limit.minutes, now);
        self.hammers(u64::from(limit.requests), now)
    }

    /// Everything counted is to be told to Redis, which knows of nothing.
    pub(super) fn owe_all(&mut self, now: u64) {
        let _ = self.turn(self.minutes, now);
        if self.total > 0 {
            self.owed = Some(Box::new(self.counts));
            self.alone_until = (self.slot + SLOTS as u64) * slot_ms(self.minutes);
        }
    }

    /// Takes what Redis has to be told before it is asked. Whoever fails to tell it gives it back.
    pub(super) fn take_debt(&mut self, minutes: u32, now: u64) -> Option<Debt> {
        self.owed.as_ref()?;
        let _ = self.turn(minutes, now);
        let owed = self.owed.take()?;
        let slots = (0..SLOTS as u64).rev().filter_map(|age| self.slot.checked_sub(age));
        let buckets: Vec<_> = slots.map(|slot| (slot, owed[position(slot)])).filter(|(_, count)| *count > 0).collect();
        (!buckets.is_empty()).then_some(Debt { minutes: self.minutes, buckets })
    }

    pub(super) fn give_back(&mut self, debt: &Debt, now: u64) {
        let _ = self.turn(self.minutes, now);
        for &(slot, count) in &debt.buckets {
            match debt.minutes == self.minutes {
                true if slot + (SLOTS as u64) <= self.slot => {}
                true => self.owe(slot.min(self.slot), count),
                false => self.owe(self.slot, count),
            }
        }
    }

    /// What `admit.lua` does with what a gateway owes.
    #[cfg(test)]
    pub(super) fn merge(&mut self, minutes: u32, buckets: impl Iterator<Item = (u64, u32)>, now: u64) {
        let _ = self.turn(minutes, now);
        for (slot, count) in buckets {
            let slot = slot.min(self.slot);
            if slot + SLOTS as u64 > self.slot {
                self.counts[position(slot)] += count;
                self.total += u64::from(count);
            }
        }
    }

    /// The window of what is counted.
    pub(super) fn minutes(&self) -> u32 {
        self.minutes
    }

    /// Nothing is counted any more: a new ring would decide the same.
    pub(super) fn is_idle(&self, now: u64) -> bool {
        self.total == 0 || now / slot_ms(self.minutes) >= self.slot + SLOTS as u64
    }

    /// Brings the ring to `now` and to the policy's window; the time that counts.
    fn turn(&mut self, minutes: u32, now: u64) -> u64 {
        let now = now.max(self.last);
        self.last = now;
        self.advance(now);
        self.follow(minutes, now);
        now
    }

    fn count(&mut self) {
        self.counts[position(self.slot)] += 1;
        self.total += 1;
    }

    fn counted(&self, age: u64) -> u64 {
        self.slot.checked_sub(age).map_or(0, |slot| self.counts[position(slot)].into())
    }

    fn owe(&mut self, slot: u64, count: u32) {
        let owed = self.owed.get_or_insert_with(|| Box::new([0; SLOTS]));
        // More than is counted is not owed, whatever was given back late.
        let counted = self.counts[position(slot)];
        owed[position(slot)] = owed[position(slot)].saturating_add(count).min(counted);
        self.alone_until = self.alone_until.max((slot + SLOTS as u64) * slot_ms(self.minutes));
    }

    fn refuse(&mut self, allowed: u64, now: u64) -> Decision {
        let needed = (self.total + 1).saturating_sub(allowed).max(1);
        Decision::Refused { retry_ms: self.free_at(needed).saturating_sub(now), close: self.hammers(allowed, now) }
    }

    /// Empties the sub-buckets that have left the window.
    fn advance(&mut self, now: u64) {
        let slot = now / slot_ms(self.minutes);
        let gone = slot.saturating_sub(self.slot);
        if gone >= SLOTS as u64 {
            self.counts = [0; SLOTS];
            self.total = 0;
            self.owed = None;
        } else {
            for passed in self.slot + 1..=slot {
                self.total -= u64::from(std::mem::take(&mut self.counts[position(passed)]));
                if let Some(owed) = &mut self.owed {
                    owed[position(passed)] = 0;
                }
            }
        }
        self.slot = self.slot.max(slot);
    }

    /// A changed window starts a new ring that holds the old one's count as if it had all come just now.
    fn follow(&mut self, minutes: u32, now: u64) {
        if minutes != self.minutes {
            let carried = self.total;
            let owed: u32 = self.owed.take().map_or(0, |owed| owed.iter().sum());
            let alone = now < self.alone_until;
            *self = Self::new(minutes, now);
            self.counts[position(self.slot)] = u32::try_from(carried).unwrap_or(u32::MAX);
            self.total = u64::from(self.counts[position(self.slot)]);
            if alone {
                self.alone_until = (self.slot + SLOTS as u64) * slot_ms(self.minutes);
            }
            if owed > 0 {
                self.owe(self.slot, owed);
            }
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
mod tests;
