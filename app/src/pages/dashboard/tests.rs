//! The dashboard as the server draws it.

use domain::{
    backend::{BackendView, BreakerState, BreakerView},
    live::LiveStatus,
    usage::MinutePoint,
};
use leptos::prelude::*;

use super::Dashboard;
use crate::rendering::html;

fn dashboard(change: fn(&mut LiveStatus)) -> String {
    let minute =
        |at: u64| MinutePoint { at: at * 60_000, requests: 30, errors: 2, prompt_tokens: 1000, completion_tokens: 500 };
    let mut status = LiveStatus { minutes: (0..60).map(minute).collect(), in_flight: 7, ..LiveStatus::default() };
    change(&mut status);
    html(move || view! { <Dashboard first=status /> })
}

#[test]
fn the_first_picture_has_the_numbers_and_the_charts_as_tables() {
    let page = dashboard(|_| ());
    for text in
        ["1,800", "120 errors", "90,000", "No backend yet", "Answered", "Completion tokens", "1970-01-01T00:59Z"]
    {
        assert!(page.contains(text), "{text} is missing in {page}");
    }
    assert_eq!(page.matches("<canvas").count(), 2);
    assert_eq!(page.matches(r#"role="alert""#).count(), 0);
}

#[test]
fn what_waits_and_how_much_a_backend_takes_are_shown() {
    let page = dashboard(|status| {
        let id = domain::id::BackendId::new("0123456789ab").unwrap();
        let backend = BackendView::new(id, "gpu-1".into(), "http://gpu-1".into());
        let breaker = BreakerView { model: None, state: BreakerState::HalfOpen, until: 0 };
        status.backends = vec![BackendView { in_flight: 3, limit: Some(4), breakers: vec![breaker], ..backend }];
        status.waiting = 12;
    });
    for text in ["12 waiting for a slot", "3 of 4", "Ejected, being tried again"] {
        assert!(page.contains(text), "{text} is missing in {page}");
    }
    assert!(dashboard(|_| ()).contains("requests right now"));
}

#[test]
fn a_full_disk_and_dropped_records_are_said_above_everything() {
    let page = dashboard(|status| {
        status.read_only = Some("the disk is full".into());
        status.usage_dropped = 3;
    });
    assert_eq!(page.matches(r#"role="alert""#).count(), 2);
    assert!(page.contains("The disk is full.") && page.contains("3 usage records"), "{page}");
}
