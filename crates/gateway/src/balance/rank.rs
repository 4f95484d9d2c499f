//! The strategies: each puts the members that could take a request into an order. Lower comes first.

use domain::balance::Balance;

use super::{Among, Ask, Member};
use crate::{
    breaker::{Breaker, State},
    hash,
};

/// A member may have so much more than its part, in percent, before affinity looks for another.
const BOUNDED_LOAD: u64 = 125;

/// Finds the best of those that are considered.
pub(super) struct Ranking<'m> {
    members: &'m [Member],
    ask: &'m Ask,
    now: u64,
    best: Option<(u128, usize)>,
    /// How many were considered, and whether their priorities differ.
    considered: u16,
    priorities: bool,
    /// Of all members, for shares: only what the strategy needs.
    weight: u64,
    in_flight: u64,
}

impl<'m> Ranking<'m> {
    pub(super) fn new(members: &'m [Member], ask: &'m Ask, now: u64) -> Self {
        let mut ranking =
            Self { members, ask, now, best: None, considered: 0, priorities: false, weight: 0, in_flight: 0 };
        if ask.balance == Balance::Affinity && members.len() > 1 {
            for member in members {
                ranking.weight += weight(member, now);
                ranking.in_flight += u64::from(member.backend.load().in_flight());
            }
        }
        ranking
    }

    pub(super) fn consider(&mut self, index: usize) {
        // One of one needs no comparison, which is the usual case.
        let rank = if self.members.len() == 1 { 0 } else { self.rank(index) };
        self.considered = self.considered.saturating_add(1);
        self.priorities |= self.best.is_some_and(|(best, _)| best >> 96 != rank >> 96);
        if self.best.is_none_or(|(best, _)| rank < best) {
            self.best = Some((rank, index));
        }
    }

    pub(super) fn best(&self) -> Option<usize> {
        self.best.map(|(_, index)| index)
    }

    /// Among whom the best one was found.
    pub(super) fn among(&self) -> Among {
        Among { ready: self.considered, by_priority: self.priorities }
    }

    /// From the highest: priority, the strategy's own judgement, the turn.
    fn rank(&self, index: usize) -> u128 {
        let member = &self.members[index];
        let (ask, now) = (self.ask, self.now);
        let priority = u128::from(u32::MAX - member.backend.priority());
        let own: u64 = match ask.balance {
            Balance::WarmFirst => {
                let warm = !member.native || member.model.is_warm_or_loading(now);
                let others = member.backend.load().in_flight().saturating_sub(member.model.in_flight());
                let disturbs = !warm && others > 0;
                u64::from(!warm) << 63 | u64::from(disturbs) << 62 | load(member, now).min(u64::MAX >> 2)
            }
            Balance::LeastInFlight => load(member, now),
            Balance::RoundRobin => u64::from(self.holds_back(index)),
            Balance::Weighted => exponential(mix(ask.turn, index as u64), weight(member, now)),
            Balance::Affinity => {
                let part = (self.in_flight + 1) * weight(member, now) * BOUNDED_LOAD;
                let over = u64::from(member.backend.load().in_flight()) * self.weight.max(1) * 100 >= part.max(1)
                    && member.backend.load().in_flight() > 0;
                let same = mix(ask.affinity, member.backend.hash());
                u64::from(over) << 63 | exponential(same, weight(member, now)) >> 1
            }
        };
        let count = self.members.len() as u64;
        let turn = (index as u64 + count - ask.turn % count) % count;
        priority << 96 | u128::from(own) << 32 | u128::from(turn.min(u64::from(u32::MAX)))
    }

    /// A member that recovers gets its part of the turns only.
    fn holds_back(&self, index: usize) -> bool {
        let share = share(&self.members[index], self.now);
        share < 1_000 && mix(self.ask.turn, index as u64) % 1_000 >= u64::from(share)
    }
}

/// Requests in flight with this one, by weight.
fn load(member: &Member, now: u64) -> u64 {
    (u64::from(member.backend.load().in_flight()) + 1) * 1_000_000_000 / weight(member, now).max(1)
}

/// In thousandths, smaller while it recovers.
fn weight(member: &Member, now: u64) -> u64 {
    u64::from(member.backend.weight()) * u64::from(share(member, now))
}

fn share(member: &Member, now: u64) -> u32 {
    let of = |breaker: &Breaker| match breaker.state(now) {
        // Its one request at a time is bound enough.
        State::HalfOpen => 1_000,
        _ => breaker.share(now),
    };
    of(member.backend.breaker()).min(of(&member.model.breaker))
}

/// An exponentially distributed number whose rate is `weight`, made of a hash: the smallest of several is each one's as
/// often as its part of all weights, and adding or removing one moves nothing between the others.
fn exponential(hash: u64, weight: u64) -> u64 {
    // 53 bits, never 0.
    let uniform = ((hash >> 11) as f64 + 1.0) / (1_u64 << 53) as f64;
    let value = -uniform.ln() / weight.max(1) as f64;
    (value * 1e15).min(u64::MAX as f64 / 2.0) as u64
}

/// One hash of both: the same on every gateway of a group, so that they agree where a session belongs.
fn mix(a: u64, b: u64) -> u64 {
    hash::scramble(a.wrapping_mul(hash::GOLDEN) ^ b.rotate_left(32))
}
