use domain::error::FieldError;

use super::*;

fn line(name: &str, reason: &str) -> Line {
    let actor = AuditActor { name: name.into(), id: None, role: None, address: Some("10.0.0.1".into()) };
    Line { actor, action: "signed in", outcome: AuditOutcome::Refused, reason: Some(reason.into()) }
}

fn counts(inner: &Inner) -> Vec<(String, u64)> {
    inner.waiting.iter().map(|row| (row.actor.name.clone(), row.count)).collect()
}

#[test]
fn the_same_refusal_is_two_rows_a_minute_however_often_it_is_met() {
    let mut inner = Inner::default();
    inner.note(line("ada", "x"), true, MINUTE);
    inner.collect(false);
    for _ in 0..10_000 {
        inner.note(line("ada", "x"), true, MINUTE + 500);
        inner.collect(false);
    }
    assert_eq!(counts(&inner), [("ada".into(), 1)], "the first is told at once, the others when the minute is over");
    inner.turn(2 * MINUTE);
    assert_eq!(counts(&inner), [("ada".into(), 1), ("ada".into(), 10_000)]);
    assert_eq!(inner.waiting[1].at, MINUTE + 500);
}

#[test]
fn strangers_fill_so_many_rows_a_minute_and_an_hour_and_lock_nobody_else_out() {
    let mut inner = Inner::default();
    let mut written = 0;
    for minute in 0..60 {
        for number in 0..1_000 {
            inner.note(line(&format!("{minute} {number}"), "x"), true, minute * MINUTE + number);
        }
        inner.note(line("root", "no right"), false, minute * MINUTE + 1_000);
        inner.collect(false);
        assert!(inner.waiting.iter().any(|row| row.actor.name == "root"));
        assert!(inner.waiting.len() <= STRANGERS_A_MINUTE + 2, "{}", inner.waiting.len());
        written += inner.waiting.len();
        let told: u64 = inner.waiting.iter().map(|row| row.count).sum();
        assert_eq!(told, 1_001, "every one is counted");
        inner.waiting.clear();
    }
    assert!(written <= STRANGERS_AN_HOUR + 2 * 60, "{written}");
    inner.note(line("new", "x"), true, HOUR);
    inner.collect(false);
    assert_eq!(counts(&inner), [("new".into(), 1)], "the next hour begins anew");
}

#[test]
fn what_cannot_be_written_is_kept_up_to_a_bound_and_the_rest_is_counted() {
    let mut inner = Inner::default();
    for minute in 0..3 {
        for number in 0..SIGNED_IN_A_MINUTE as u64 {
            inner.note(line(&number.to_string(), "x"), false, minute * MINUTE);
        }
    }
    inner.turn(3 * MINUTE);
    assert_eq!((inner.waiting.len(), inner.lost), (WAITING, 3 * SIGNED_IN_A_MINUTE as u64 - WAITING as u64));
    inner.tell_loss(3 * MINUTE);
    assert_eq!(inner.waiting.len(), WAITING, "not while there is no room");
    inner.waiting.clear();
    inner.tell_loss(3 * MINUTE);
    assert_eq!((inner.waiting[0].action.as_str(), inner.waiting[0].count, inner.lost), ("audit rows lost", 800, 0));
}

#[test]
fn a_reason_repeats_nothing_that_was_typed() {
    let fields = vec![FieldError::new("url", "canary"), FieldError::new("a b", "canary"), FieldError::new("name", "x")];
    assert_eq!(reason(&AdminError::Invalid { fields }), "a value was not accepted: url, name");
    let internal = AdminError::Internal { message: "canary".into() };
    let full = AdminError::ReadOnly { message: "canary".into() };
    for error in [internal, full, AdminError::LoginRefused { message: "canary".into() }] {
        assert!(!reason(&error).contains("canary"));
    }
    assert_eq!(reason(&AdminError::Conflict { message: "é".repeat(300) }).chars().count(), REASON);
}

#[test]
fn strangers_are_told_by_the_network_that_counts() {
    for (address, told) in [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("::1", "::1"),
    ] {
        assert_eq!(stranger(STRANGER, address.parse().unwrap()).address.as_deref(), Some(told));
    }
}
