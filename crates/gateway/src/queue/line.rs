//! The line itself, without lock or time: who is next. Deficit round robin: each round gives every key whose request could
//! be placed the same number of tokens, and a key is served when it has saved what its request costs (`credit`).

use std::collections::VecDeque;

use domain::id::KeyId;

use super::{Refused, Reply, Served, Turn, credit::Credit};
use crate::{
    balance::Picked,
    resolve::{Candidates, Choice, Kind},
};

pub(super) struct Waiter {
    pub(super) number: u64,
    pub(super) request_id: u64,
    pub(super) cost: u64,
    pub(super) since: u64,
    pub(super) candidates: Candidates,
    pub(super) reply: Reply,
}

struct OfKey {
    key: KeyId,
    /// Number of the first request, and so of this line among all that the key ever had.
    line: u64,
    credit: Credit,
    /// Oldest first.
    waiters: VecDeque<Waiter>,
}

/// What a request was charged when its turn came, while others waited too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Charge {
    line: u64,
    cost: u64,
}

/// Where a waiting request stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) request_id: u64,
    pub(crate) model: String,
    /// From 1: among those that wait for one of the same backends.
    pub(crate) position: usize,
    pub(crate) waited_ms: u64,
    /// `None` while nothing is known of how long requests take.
    pub(crate) expected_ms: Option<u64>,
}

/// A request's place and what it was charged, or why there is none.
type Found = Result<(Choice, Option<Charge>), Refused>;

/// All that wait. Keys in the order of their turns; the first one is next.
#[derive(Default)]
pub(super) struct Line {
    keys: VecDeque<OfKey>,
    length: usize,
    numbers: u64,
}

impl Line {
    pub(super) fn len(&self) -> usize {
        self.length
    }

    pub(super) fn push(&mut self, key: &KeyId, mut waiter: Waiter) -> u64 {
        self.numbers += 1;
        waiter.number = self.numbers;
        self.length += 1;
        match self.keys.iter_mut().find(|of| of.key == *key) {
            Some(of) => of.waiters.push_back(waiter),
            None => {
                let (line, credit) = (self.numbers, Credit::default());
                self.keys.push_back(OfKey { key: key.clone(), line, credit, waiters: VecDeque::from([waiter]) });
            }
        }
        self.numbers
    }

    /// The catalogue may have been built anew since the newest request of this key looked into it.
    pub(super) fn renew_last(&mut self, key: &KeyId) {
        let newest = self.keys.iter_mut().find(|of| of.key == *key).and_then(|of| of.waiters.back_mut());
        if let Some(waiter) = newest {
            waiter.candidates.renew();
        }
    }

    /// The catalogue was built anew: whoever waits may go where newcomers may.
    pub(super) fn renew(&mut self) {
        for waiter in self.keys.iter_mut().flat_map(|of| &mut of.waiters) {
            waiter.candidates.renew();
        }
    }

    /// A request has used so many tokens. Whose line ended meanwhile has a new one: neither debts nor savings outlive it.
    pub(super) fn settle(&mut self, charge: Charge, used: u64) {
        if let Some(of) = self.keys.iter_mut().find(|of| of.line == charge.line) {
            of.credit.settle(charge.cost, used);
        }
    }

    pub(super) fn remove(&mut self, number: u64) -> Option<Waiter> {
        let (index, at) = self.keys.iter().enumerate().find_map(|(index, of)| {
            of.waiters.iter().position(|waiter| waiter.number == number).map(|at| (index, at))
        })?;
        self.take(index, at)
    }

    /// The newest request of the key that has most of them.
    pub(super) fn longest_loses(&mut self) -> Option<Waiter> {
        // Of several the last in turn, so that a newcomer with as many as others is the one.
        let index = (0..self.keys.len()).max_by_key(|&index| self.keys[index].waiters.len())?;
        let last = self.keys[index].waiters.len().checked_sub(1)?;
        self.take(index, last)
    }

    fn take(&mut self, index: usize, at: usize) -> Option<Waiter> {
        let of = self.keys.get_mut(index)?;
        let waiter = of.waiters.remove(at)?;
        self.length -= 1;
        if of.waiters.is_empty() {
            // What was saved is lost with the turn, or keys could save up for a burst.
            self.keys.remove(index);
        }
        Some(waiter)
    }

    /// Since when the request waits that has waited longest.
    pub(super) fn oldest(&self) -> Option<u64> {
        self.keys.iter().filter_map(|of| of.waiters.front()).map(|waiter| waiter.since).min()
    }

    /// Gives out every slot that can be had now, each to whose turn it is.
    pub(super) fn serve(&mut self, now: u64) -> Served {
        let mut served = Vec::new();
        // What has no slot now: everybody else who waits for the same need not be asked.
        let mut full = Vec::new();
        while let Some((index, at, answer)) = self.next(now, &mut full) {
            if let Some(Waiter { candidates, reply, .. }) = self.take(index, at) {
                served.push((reply, answer.map(|(choice, charge)| Turn { choice, candidates, charge })));
            }
        }
        Served(served)
    }

    /// The next request that gets an answer now, and the answer.
    fn next(&mut self, now: u64, full: &mut Vec<Kind>) -> Option<(usize, usize, Found)> {
        loop {
            // The first request of each key that might be placed, with the rounds until the key has saved enough.
            let ready = self.keys.iter().enumerate().filter_map(|(index, of)| {
                let at = of.waiters.iter().position(|waiter| !full.contains(&waiter.candidates.kind()))?;
                Some((of.credit.rounds(of.waiters[at].cost), index, at))
            });
            let (rounds, index, at) = ready.min()?;
            let waiter = self.keys.get_mut(index)?.waiters.get_mut(at)?;
            let kind = waiter.candidates.kind();
            match waiter.candidates.pick(now) {
                Picked::Full => full.push(kind),
                Picked::Nobody => return Some((index, at, Err(Refused::Nobody))),
                Picked::Member(member, slot) => {
                    let choice = waiter.candidates.chosen(member, slot, now);
                    let cost = waiter.cost;
                    let charge = self.charge(index, cost, rounds, full);
                    return Some((self.turn(index), at, Ok((choice, charge))));
                }
            }
        }
    }

    /// So many rounds go by for everybody who could have been served, and one is served. Where nobody else waits, nobody is
    /// owed anything afterwards.
    fn charge(&mut self, index: usize, cost: u64, rounds: u64, full: &[Kind]) -> Option<Charge> {
        let able = |of: &OfKey| of.waiters.iter().any(|waiter| !full.contains(&waiter.candidates.kind()));
        for of in self.keys.iter_mut().filter(|of| able(of)) {
            of.credit.earn(rounds);
        }
        let others = self.keys.len() > 1;
        let of = self.keys.get_mut(index)?;
        of.credit.pay(cost);
        others.then_some(Charge { line: of.line, cost })
    }

    /// Moves a key that was served behind the others; returns where it is now.
    fn turn(&mut self, index: usize) -> usize {
        if let Some(of) = self.keys.remove(index) {
            self.keys.push_back(of);
        }
        self.keys.len().saturating_sub(1)
    }

    /// Where a key's requests stand, as if every slot that gets free suited everybody who waits for one of the same backends.
    pub(super) fn places(&self, key: &KeyId, now: u64) -> Vec<Place> {
        // The order in which all would be served: by the round in which each can be paid, then by turn.
        let mut order: Vec<(u64, usize, &Waiter, bool)> = Vec::with_capacity(self.length);
        for (index, of) in self.keys.iter().enumerate() {
            let mut cost: u64 = 0;
            for waiter in &of.waiters {
                cost = cost.saturating_add(waiter.cost);
                let rounds = of.credit.rounds(cost);
                order.push((rounds, index, waiter, of.key == *key));
            }
        }
        order.sort_by_key(|(rounds, index, waiter, _)| (*rounds, *index, waiter.number));
        let place = |(at, (_, _, waiter, _)): (usize, &(u64, usize, &Waiter, bool))| {
            let own = &waiter.candidates;
            let position = 1 + order[..at].iter().filter(|(_, _, other, _)| own.overlaps(&other.candidates)).count();
            Place {
                request_id: waiter.request_id,
                model: own.model().to_owned(),
                position,
                waited_ms: now.saturating_sub(waiter.since),
                expected_ms: own.expected_ms(position),
            }
        };
        order.iter().enumerate().filter(|(_, (.., own))| *own).map(place).collect()
    }
}
