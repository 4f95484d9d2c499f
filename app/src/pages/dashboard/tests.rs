//! The dashboard as the server draws it.

use domain::{live::LiveStatus, usage::MinutePoint};
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
fn a_full_disk_and_dropped_records_are_said_above_everything() {
    let page = dashboard(|status| {
        status.read_only = Some("the disk is full".into());
        status.usage_dropped = 3;
    });
    assert_eq!(page.matches(r#"role="alert""#).count(), 2);
    assert!(page.contains("The disk is full.") && page.contains("3 usage records"), "{page}");
}
