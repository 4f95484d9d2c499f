//! Properties of the ring in virtual time.

use proptest::prelude::*;

use super::{super::gaps::gap, *};

fn limit(requests: u32, minutes: u32) -> RateLimit {
    RateLimit { requests, minutes }
}

fn admitted(decision: Decision) -> bool {
    matches!(decision, Decision::Admitted { .. })
}

fn gaps() -> impl Strategy<Value = Vec<u64>> {
    prop::collection::vec(gap(), 1..60)
}

/// Ten thousand where nobody waits for them.
fn cases() -> u32 {
    if std::env::var_os("CI").is_some() { 10_000 } else { 1_000 }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

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

/// A group of gateways over one Redis, in virtual time. Redis is a ring of its own, since both decide alike (`shared`'s
/// tests hold that). Its clock is ahead of the gateways' by something that fits no sub-bucket.
struct Group {
    redis: Ring,
    gates: Vec<Gate>,
    replicas: u32,
}

struct Gate {
    ring: Ring,
    connected: bool,
}

const AHEAD: i64 = 1_700_000_123_457;

impl Group {
    fn new(gates: usize, replicas: u32) -> Self {
        let gate = || Gate { ring: Ring::new(1, 0), connected: true };
        Self { redis: Ring::new(1, AHEAD as u64), gates: (0..gates).map(|_| gate()).collect(), replicas }
    }

    fn request(&mut self, gate: usize, limit: RateLimit, now: u64) -> bool {
        let Gate { ring, connected } = &mut self.gates[gate];
        if !*connected {
            let share = RateLimit { requests: limit.requests.div_ceil(self.replicas), ..limit };
            return admitted(ring.admit_alone(share, now));
        }
        let there = now + AHEAD as u64;
        if let Some(debt) = ring.take_debt(limit.minutes, now) {
            self.redis.merge(debt.minutes, debt.at(AHEAD), there);
        }
        admitted(self.redis.admit(limit, there)) && ring.confirm(limit, now, false).is_ok()
    }

    /// Redis is back for a gateway; `wiped` when it has forgotten everything meanwhile.
    fn reconnect(&mut self, gate: usize, wiped: bool, now: u64) {
        let Gate { ring, connected } = &mut self.gates[gate];
        *connected = true;
        if wiped {
            ring.owe_all(now);
        }
        if let Some(debt) = ring.take_debt(1, now) {
            self.redis.merge(debt.minutes, debt.at(AHEAD), now + AHEAD as u64);
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Event {
    Request(usize),
    Lost(usize),
    Back(usize),
    /// Redis restarts empty; all gateways notice.
    Restart,
}

fn events(gates: usize) -> impl Strategy<Value = Vec<(u64, Event)>> {
    let event = (0_u8..23, 0..gates).prop_map(|(kind, gate)| match kind {
        0..20 => Event::Request(gate),
        20 => Event::Lost(gate),
        21 => Event::Back(gate),
        _ => Event::Restart,
    });
    let gap = (0_u8..9, 0_u64..70_000).prop_map(|(size, gap)| match size {
        0..6 => gap % 700,
        6 | 7 => gap % 5_000,
        _ => gap,
    });
    prop::collection::vec((gap, event), 1..150)
}

/// The most that any interval of a minute saw, over all gateways.
fn busiest(gates: usize, replicas: u32, limit: RateLimit, events: Vec<(u64, Event)>) -> usize {
    let (mut group, mut now) = (Group::new(gates, replicas), 5_000);
    let mut times: Vec<u64> = Vec::new();
    for (gap, event) in events {
        now += gap;
        match event {
            Event::Request(gate) => {
                if group.request(gate, limit, now) {
                    times.push(now);
                }
            }
            Event::Lost(gate) => group.gates[gate].connected = false,
            Event::Back(gate) => {
                if !group.gates[gate].connected {
                    group.reconnect(gate, false, now);
                }
            }
            Event::Restart => {
                group.redis = Ring::new(1, now + AHEAD as u64);
                for gate in 0..gates {
                    group.reconnect(gate, true, now);
                }
            }
        }
    }
    // They are in order.
    let window = |(first, &time): (usize, &u64)| times.partition_point(|&other| other <= time + 60_000) - first;
    times.iter().enumerate().map(window).max().unwrap_or(0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    #[test]
    fn one_gateway_keeps_the_limit_while_redis_comes_and_goes_and_forgets(events in events(1), requests in 1_u32..20) {
        let most = busiest(1, 1, limit(requests, 1), events);
        prop_assert!(most <= requests as usize, "{most} of {requests}");
    }

    #[test]
    fn without_a_hint_every_gateway_admits_at_most_the_limit(gates in 1_usize..4, events in events(3), requests in 1_u32..20) {
        let events = events.into_iter().map(|(gap, event)| (gap, within(event, gates))).collect();
        let most = busiest(gates, 1, limit(requests, 1), events);
        prop_assert!(most <= gates * requests as usize, "{most} of {requests} by {gates}");
    }

    #[test]
    fn with_a_hint_steady_fall_back_admits_the_limit_and_one_for_each_gateway_at_most(gates in 1_usize..4, events in events(3), requests in 1_u32..20) {
        let lost = (0..gates).map(|gate| (0, Event::Lost(gate)));
        let asked = events.into_iter().filter(|(_, event)| matches!(event, Event::Request(_)));
        let events = lost.chain(asked.map(|(gap, event)| (gap, within(event, gates)))).collect();
        let most = busiest(gates, gates as u32, limit(requests, 1), events);
        prop_assert!(most <= requests as usize + gates, "{most} of {requests} by {gates}");
    }

    #[test]
    fn with_a_hint_a_window_over_one_switch_sees_less_than_two_limits(gates in 2_usize..4, before in events(3), after in events(3), requests in 9_u32..40) {
        let asked = |events: Vec<(u64, Event)>| events.into_iter().filter(|(_, event)| matches!(event, Event::Request(_)));
        let lost = (0..gates).map(|gate| (0, Event::Lost(gate)));
        let events = asked(before).chain(lost).chain(asked(after)).map(|(gap, event)| (gap, within(event, gates)));
        let most = busiest(gates, gates as u32, limit(requests, 1), events.collect());
        prop_assert!(most < 2 * requests as usize, "{most} of {requests} by {gates}");
    }

    #[test]
    fn the_return_of_redis_grants_no_second_quota(gates in 1_usize..4, requests in 1_u32..20, split in prop::collection::vec(0_usize..3, 1..60), wiped: bool) {
        let limit = limit(requests, 1);
        let (mut group, now) = (Group::new(gates, gates as u32), 90_000);
        let before = split.iter().filter(|&&gate| group.request(gate % gates, limit, now)).count();
        (0..gates).for_each(|gate| group.gates[gate].connected = false);
        let alone = split.iter().filter(|&&gate| group.request(gate % gates, limit, now + 10)).count();
        if wiped {
            group.redis = Ring::new(1, now + AHEAD as u64);
        }
        (0..gates).for_each(|gate| group.reconnect(gate, wiped, now + 1_500));
        let after = (0..100).filter(|turn| group.request(turn % gates, limit, now + 1_600)).count();
        let total = before + alone;
        prop_assert_eq!(after, (requests as usize).saturating_sub(total), "before {}, alone {}", before, alone);
    }

    #[test]
    fn a_redis_that_always_says_yes_grants_hardly_more_than_the_limit(gaps in gaps(), requests in 1_u32..20) {
        let (mut ring, mut now) = (Ring::new(1, 0), 0);
        let mut times: Vec<u64> = Vec::new();
        for gap in gaps {
            now += gap;
            if ring.confirm(limit(requests, 1), now, false).is_ok() {
                times.push(now);
            }
        }
        for &time in &times {
            let inside = times.iter().filter(|&&other| (time..time + 58_000).contains(&other)).count();
            prop_assert!(inside <= requests as usize, "{inside} of {requests}");
        }
    }
}

fn within(event: Event, gates: usize) -> Event {
    match event {
        Event::Request(gate) => Event::Request(gate % gates),
        Event::Lost(gate) => Event::Lost(gate % gates),
        Event::Back(gate) => Event::Back(gate % gates),
        Event::Restart => Event::Restart,
    }
}

#[test]
fn what_is_lent_comes_back_once() {
    let mut ring = Ring::new(1, 0);
    for _ in 0..3 {
        ring.admit_alone(limit(5, 1), 10);
    }
    let debt = ring.take_debt(1, 20).unwrap();
    assert_eq!((debt.minutes, debt.buckets.as_slice()), (1, [(0, 3)].as_slice()));
    assert_eq!(ring.take_debt(1, 20), None, "it is on its way");
    ring.give_back(&debt, 30);
    ring.give_back(&debt, 30);
    assert_eq!(ring.take_debt(1, 40), Some(debt));
}

#[test]
fn a_debt_leaves_with_its_window_and_follows_a_changed_one() {
    let mut ring = Ring::new(1, 0);
    ring.admit_alone(limit(5, 1), 10);
    ring.admit_alone(limit(5, 1), 30_000);
    assert_eq!(ring.take_debt(2, 61_500).unwrap(), Debt { minutes: 2, buckets: vec![(30, 1)] });
    let mut ring = Ring::new(1, 0);
    ring.admit_alone(limit(5, 1), 10);
    assert_eq!(ring.take_debt(1, 61_000), None);
}

#[test]
fn a_bucket_goes_where_its_last_moment_goes() {
    let debt = Debt { minutes: 1, buckets: vec![(5, 2)] };
    for (offset, slot) in [(0, 5), (1, 6), (1_000, 6), (1_001, 7), (-1_000, 4), (-999, 5)] {
        assert_eq!(debt.at(offset).collect::<Vec<_>>(), [(slot, 2)], "{offset}");
    }
}
