//! Who is chosen, by every strategy, and who never is.

use domain::id::KeyId;

use super::*;
use crate::backend::tests::backend_with;

/// What a test says of a member.
#[derive(Clone, Copy)]
struct Shape {
    parallel: Option<u32>,
    weight: u32,
    priority: u32,
}

const PLAIN: Shape = Shape { parallel: None, weight: 1, priority: 0 };

fn members(shapes: &[Shape]) -> Vec<Member> {
    (0..)
        .zip(shapes)
        .map(|(number, shape)| {
            let backend = backend_with(number, |entry| {
                (entry.parallel, entry.weight, entry.priority) = (shape.parallel, shape.weight, shape.priority);
            });
            Member { model: backend.model("a"), backend, native: true }
        })
        .collect()
}

fn ask(balance: Balance, turn: u64) -> Ask {
    Ask { balance, turn, affinity: turn, native_only: false, desperate: false }
}

fn index(picked: Picked) -> Option<usize> {
    match picked {
        Picked::Member(index, _) => Some(index),
        Picked::Full | Picked::Nobody => None,
    }
}

fn warm(member: &Member) {
    member.model.answered(0, true, &KeyId::new("kkkkkkkkkkkk").unwrap());
}

/// How often each is chosen in so many requests that end at once.
fn shares(members: &[Member], balance: Balance, requests: u64) -> Vec<usize> {
    let turn = Turn::default();
    let mut counts = vec![0; members.len()];
    for _ in 0..requests {
        let ask = ask(balance, turn.next());
        counts[index(pick(members, &Tried::default(), &ask, &turn, 0)).unwrap()] += 1;
    }
    counts
}

#[test]
fn round_robin_gives_everyone_the_same_in_turn() {
    let members = members(&[PLAIN; 3]);
    let turn = Turn::default();
    let chosen: Vec<_> = (0..6)
        .map(|_| index(pick(&members, &Tried::default(), &ask(Balance::RoundRobin, turn.next()), &turn, 0)).unwrap())
        .collect();
    assert_eq!(chosen, [0, 1, 2, 0, 1, 2]);
}

#[test]
fn an_idle_fleet_is_used_evenly_by_least_in_flight_and_warm_first() {
    for balance in [Balance::LeastInFlight, Balance::WarmFirst] {
        assert_eq!(shares(&members(&[PLAIN; 4]), balance, 400), [100; 4], "{balance}");
    }
}

#[test]
fn weighted_shares_follow_the_weights() {
    let weights = [1, 2, 5];
    let shapes = weights.map(|weight| Shape { weight, ..PLAIN });
    let counts = shares(&members(&shapes), Balance::Weighted, 8_000);
    for (count, weight) in counts.iter().zip(weights) {
        let expected = 1_000 * weight as usize;
        assert!(count.abs_diff(expected) < expected / 5, "{counts:?}");
    }
}

#[test]
fn least_in_flight_counts_by_weight() {
    let members = members(&[PLAIN, Shape { weight: 3, ..PLAIN }]);
    let turn = Turn::default();
    let mut held = Vec::new();
    for _ in 0..8 {
        let Picked::Member(_, slot) =
            pick(&members, &Tried::default(), &ask(Balance::LeastInFlight, turn.next()), &turn, 0)
        else {
            panic!("nobody")
        };
        held.push(slot);
    }
    assert_eq!(members.iter().map(|member| member.backend.load().in_flight()).collect::<Vec<_>>(), [2, 6]);
}

#[test]
fn a_warm_model_is_never_sent_to_a_cold_backend_while_a_warm_one_has_a_slot() {
    let members = members(&[PLAIN, Shape { parallel: Some(3), ..PLAIN }, PLAIN]);
    warm(&members[1]);
    let turn = Turn::default();
    let mut held = Vec::new();
    let chosen: Vec<_> = (0..4)
        .map(|_| match pick(&members, &Tried::default(), &ask(Balance::WarmFirst, turn.next()), &turn, 1) {
            Picked::Member(index, slot) => {
                held.push(slot);
                index
            }
            _ => panic!("nobody"),
        })
        .collect();
    assert_eq!(chosen[..3], [1; 3]);
    assert_ne!(chosen[3], 1, "it is full");
}

#[test]
fn a_cold_model_is_not_loaded_twice_and_not_where_it_pushes_out_one_in_use() {
    let members = members(&[PLAIN; 3]);
    let other = members[0].backend.model("b");
    let _busy = members[0].backend.enter(&other, Default::default()).unwrap();
    let turn = Turn::default();
    let mut held = Vec::new();
    let mut chosen = Vec::new();
    for number in 0..4 {
        match pick(&members, &Tried::default(), &ask(Balance::WarmFirst, number), &turn, 0) {
            Picked::Member(index, slot) => {
                chosen.push(index);
                held.push(slot);
            }
            _ => panic!("nobody"),
        }
    }
    assert_ne!(chosen[0], 0, "another model is in use there");
    assert!(chosen.iter().all(|index| *index == chosen[0]), "it is being loaded there: {chosen:?}");
}

#[test]
fn a_higher_priority_goes_first_until_it_is_full() {
    for balance in Balance::ALL {
        let members = members(&[PLAIN, Shape { priority: 7, parallel: Some(2), ..PLAIN }]);
        let turn = Turn::default();
        let mut held = Vec::new();
        let chosen: Vec<_> = (0..3)
            .filter_map(|_| match pick(&members, &Tried::default(), &ask(balance, turn.next()), &turn, 0) {
                Picked::Member(index, slot) => {
                    held.push(slot);
                    Some(index)
                }
                _ => None,
            })
            .collect();
        assert_eq!(chosen, [1, 1, 0], "{balance}");
    }
}

#[test]
fn the_same_session_stays_where_it_is_and_only_an_overloaded_backend_loses_it() {
    let members = members(&[PLAIN; 4]);
    let turn = Turn::default();
    let pick_for = |affinity| {
        let ask = Ask { affinity, ..ask(Balance::Affinity, turn.next()) };
        pick(&members, &Tried::default(), &ask, &turn, 0)
    };
    let homes: Vec<_> = (0..400).map(|session| index(pick_for(session)).unwrap()).collect();
    let again: Vec<_> = (0..400).map(|session| index(pick_for(session)).unwrap()).collect();
    assert_eq!(homes, again);
    for backend in 0..4 {
        assert!(homes.iter().filter(|home| **home == backend).count() > 50, "sessions are spread: {homes:?}");
    }
    let mut held = Vec::new();
    for _ in 0..40 {
        match pick_for(7) {
            Picked::Member(_, slot) => held.push(slot),
            _ => panic!("nobody"),
        }
    }
    let loads: Vec<_> = members.iter().map(|member| member.backend.load().in_flight()).collect();
    assert!(loads.iter().all(|load| *load <= 14), "one session does not overload one backend: {loads:?}");
}

#[test]
fn a_backend_that_leaves_moves_only_its_own_sessions() {
    let all = members(&[PLAIN; 4]);
    let turn = Turn::default();
    let home = |session| {
        let ask = Ask { affinity: session, ..ask(Balance::Affinity, 0) };
        index(pick(&all, &Tried::default(), &ask, &turn, 0)).unwrap()
    };
    let before: Vec<_> = (0..200).map(home).collect();
    all[2].backend.load().configure(None, false);
    for (session, before) in before.into_iter().enumerate() {
        let now = home(session as u64);
        assert!(now == before || before == 2, "session {session} moved from {before} to {now}");
        assert_ne!(now, 2);
    }
}

#[test]
fn full_drained_busy_tried_and_foreign_backends_are_left_out() {
    let members = members(&[PLAIN; 5]);
    members[0].backend.load().configure(Some(1), true);
    let _held = members[0].backend.enter(&members[0].model, Default::default()).unwrap();
    members[1].backend.load().configure(None, false);
    members[2].backend.load().busy(0);
    let mut foreign = members;
    foreign[3].native = false;
    let turn = Turn::default();
    let ask = Ask { native_only: true, ..ask(Balance::WarmFirst, 0) };
    assert_eq!(index(pick(&foreign, &Tried::default(), &ask, &turn, 1)), Some(4));
    let mut tried = Tried::default();
    tried.add(4);
    assert!(matches!(pick(&foreign, &tried, &ask, &turn, 1), Picked::Full), "two may do later");
    assert_eq!(index(pick(&foreign, &tried, &ask, &turn, 1_000)), Some(2), "it was left alone long enough");
}

fn eject(member: &Member, now: u64) {
    while !member.model.breaker.fail(now, 0) {}
}

#[test]
fn traffic_ejects_at_most_half_and_the_unreachable_do_not_count() {
    let members = members(&[PLAIN; 4]);
    let turn = Turn::default();
    let chosen = |now| index(pick(&members, &Tried::default(), &ask(Balance::RoundRobin, turn.next()), &turn, now));
    eject(&members[0], 0);
    eject(&members[1], 0);
    assert!((0..20).all(|_| chosen(1).is_some_and(|index| index > 1)));
    eject(&members[2], 0);
    eject(&members[3], 0);
    assert!((0..20).all(|_| chosen(1).is_some()), "more than half is not out");
    for member in &members {
        while !member.backend.breaker().fail(0, 0) {}
    }
    assert_eq!((0..20).filter(|_| chosen(1).is_some()).count(), 1, "nobody can be reached: one request a second tries");
    assert_eq!((0..20).filter(|_| chosen(1_001).is_some()).count(), 1);
}

#[test]
fn the_only_backend_is_ejected_too_and_tried_once_a_second() {
    let members = members(&[PLAIN]);
    let turn = Turn::default();
    let chosen = |now| index(pick(&members, &Tried::default(), &ask(Balance::WarmFirst, 0), &turn, now)).is_some();
    eject(&members[0], 0);
    let tried: Vec<_> = (1..4_000).filter(|now| chosen(*now)).collect();
    assert_eq!(tried, [1, 1_001, 2_001, 3_001]);
}

#[test]
fn the_request_of_the_second_may_try_everyone_that_is_out() {
    let members = members(&[PLAIN; 3]);
    let turn = Turn::default();
    for member in &members {
        while !member.backend.breaker().fail(0, 0) {}
    }
    let (mut tried, mut order) = (Tried::default(), Vec::new());
    let mut ask = ask(Balance::WarmFirst, 0);
    while let Some(index) = index(pick(&members, &tried, &ask, &turn, 1)) {
        order.push(index);
        tried.add(index);
        ask.desperate = true;
    }
    assert_eq!(order, [0, 1, 2]);
}

#[test]
fn who_recovers_gets_its_part_of_the_turns_and_no_more() {
    let members = members(&[PLAIN; 2]);
    eject(&members[0], 0);
    members[0].model.breaker.revive(1_000);
    let turn = Turn::default();
    let share = |now| {
        (0..1_000)
            .filter(|_| {
                index(pick(&members, &Tried::default(), &ask(Balance::RoundRobin, turn.next()), &turn, now)) == Some(0)
            })
            .count()
    };
    let (early, middle, late) = (share(1_000), share(16_000), share(31_000));
    assert!((20..=90).contains(&early), "{early}: a tenth of its half");
    assert!(early < middle && middle < 400, "{middle}");
    assert_eq!(late, 500);
}

#[test]
fn who_recovers_has_its_weight_cut_once() {
    let members = members(&[PLAIN; 2]);
    eject(&members[0], 0);
    members[0].model.breaker.revive(0);
    // A tenth of its weight beside a whole one.
    let counts = shares(&members, Balance::Weighted, 11_000);
    assert!((800..1_200).contains(&counts[0]), "{counts:?}");
}
