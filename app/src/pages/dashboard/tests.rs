//! The dashboard as the server draws it.

use domain::{
    backend::{BackendView, BreakerState, BreakerView, Pace, WarmModel},
    live::{Attention, LimitInUse, LiveStatus},
    usage::{MinutePoint, SlowRequest},
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
        let warm = WarmModel { name: "qwen3:latest".into(), text: "5.2 GB in VRAM, 4 min left".into() };
        status.backends = vec![BackendView {
            in_flight: 3,
            limit: Some(4),
            breakers: vec![breaker],
            warm: vec![warm],
            warm_all: 3,
            pace: Pace { tokens: 75, ttft_ms: Some(1_250) },
            ..backend
        }];
        status.waiting = 12;
    });
    for text in [
        "12 waiting for a slot",
        "3 of 4",
        "Ejected, being tried again",
        r#"href="/admin/backends/0123456789ab""#,
        "qwen3:latest",
        "5.2 GB in VRAM, 4 min left",
        "and 2 more",
        "1.3",
        "1.2 s",
    ] {
        assert!(page.contains(text), "{text} is missing in {page}");
    }
    assert!(dashboard(|_| ()).contains("requests right now"));
}

#[test]
fn a_slow_request_has_its_reason_and_without_one_there_is_no_such_list() {
    let page = dashboard(|status| {
        let why = "18 s: 14 s loading qwen3 on gpu-7, evicted by key ci".to_owned();
        let (request_id, key, model) = ("00000000000000ff".into(), Some("laptop".into()), Some("qwen3:latest".into()));
        status.slow = vec![SlowRequest { request_id, at: 60_000, key, model, why }];
    });
    for text in [
        "18 s: 14 s loading qwen3 on gpu-7, evicted by key ci.",
        "key laptop, qwen3:latest, ",
        r#"href="/admin/requests/00000000000000ff?at=60000""#,
    ] {
        assert!(page.contains(text), "{text} is missing in {page}");
    }
    let hidden = |page: &str| page.contains(r#"<section aria-labelledby="slow" class="hidden""#);
    assert!(!hidden(&page) && hidden(&dashboard(|_| ())));
}

#[test]
fn what_needs_attention_is_said_above_everything_and_calm_is_one_line() {
    let item = |key: &str, urgent, text: &str| Attention {
        key: key.into(),
        urgent,
        text: text.into(),
        link: "/admin/backends".into(),
        action: "See the backends".into(),
    };
    let page = html(move || {
        let attention = vec![item("down", true, "gpu-<b>1\u{202e} is down."), item("queue", false, "2 requests wait.")];
        view! { <Dashboard first=LiveStatus { attention, ..LiveStatus::default() } /> }
    });
    for text in [
        "gpu-&lt;b&gt;1\\u{202e} is down.",
        "2 requests wait.",
        r#"<a href="/admin/backends" class="link text-sm">See the backends"#,
    ] {
        assert!(page.contains(text), "{text} is missing in {page}");
    }
    assert!(page.find("2 requests wait") < page.find("requests right now"), "{page}");
    let hidden = |page: &str| page.contains(r#"<p class="text-sm text-muted hidden">"#);
    assert!(hidden(&page), "{page}");
    assert!(!hidden(&dashboard(|_| ())) && dashboard(|_| ()).contains("Nothing needs your attention."));
}

#[test]
fn limits_in_use_lead_to_whose_they_are_and_a_warm_model_can_be_let_go() {
    let page = dashboard(|status| {
        let id = domain::id::BackendId::new("0123456789ab").unwrap();
        let warm = WarmModel { name: "qwen3:latest".into(), text: "5.2 GB in VRAM".into() };
        let backend = BackendView::new(id, "gpu-1".into(), "http://gpu-1".into());
        status.backends = vec![BackendView { warm: vec![warm], warm_all: 1, ..backend }];
        status.limits = vec![LimitInUse {
            id: "k".into(),
            who: "Key laptop of ada".into(),
            text: "18 of 20 requests in every 5 minutes".into(),
            percent: 90,
            link: "/admin/users/abc".into(),
        }];
    });
    for text in [
        "Limits in use",
        r#"href="/admin/users/abc""#,
        "18 of 20 requests in every 5 minutes",
        "progress-warning",
        r#"action="/admin/fn/models/keep""#,
        r#"value="unload""#,
        " qwen3:latest on gpu-1",
    ] {
        assert!(page.contains(text), "{text} is missing in {page}");
    }
}
