//! The rows as the server draws them, and how new ones come to their places.

use domain::{
    endpoint::Endpoint,
    usage::{
        Outcome,
        asked::{FOLLOWED, LogNews},
        log::LogRow,
        report::Named,
    },
};
use leptos::prelude::*;

use super::{Asked, address, follow::add, row::Row, words};
use crate::rendering::html;

pub(in crate::pages) fn named(name: &str, removed: bool) -> Named {
    Named { id: format!("id of {name}"), name: name.into(), removed }
}

pub(in crate::pages) fn row(at: u64, request: &str) -> LogRow {
    LogRow {
        request: request.into(),
        at,
        user: named("ada", false),
        key: named("laptop", true),
        model: Some("qwen3:4b".into()),
        unresolved: false,
        backend: Some(named("gpu-7", false)),
        endpoint: Endpoint::Chat,
        status: 200,
        outcome: Outcome::Complete,
        prompt_tokens: Some(1_234),
        completion_tokens: Some(7),
        tokens_estimated: true,
        queue_us: 2_000_000,
        load_us: 5_000_000,
        gpu_us: 6_000_000,
        ttft_us: Some(8_000_000),
        total_us: 10_000_000,
        bytes_in: 12,
        bytes_out: 3_456,
        retries: 2,
        warm: Some(false),
    }
}

#[test]
fn a_row_leads_to_its_request_and_says_what_is_gone() {
    let page = html(|| {
        let row = row(1_795_343_405_007, "00000000000000ff");
        view! { <Row row local=signal(false).0 /> }
    });
    for text in [
        r#"href="/admin/requests/00000000000000ff?at=1795343405007""#,
        "2026-11-22 10:30:05 UTC",
        "laptop (removed)",
        "~1,234 → 7",
        "8.0 s",
    ] {
        assert!(page.contains(text), "{text} is missing in {page}");
    }
}

#[test]
fn how_it_ended_is_its_status_and_what_the_status_does_not_say() {
    let of = |status, outcome| words::ended(&LogRow { status, outcome, ..row(1, "") });
    assert_eq!(of(200, Outcome::Complete), ("200".into(), "status status-success"));
    assert_eq!(of(404, Outcome::Complete), ("404".into(), "status status-warning"));
    assert_eq!(of(503, Outcome::Refused), ("503 Refused".into(), "status status-error"));
    assert_eq!(of(200, Outcome::UpstreamFailed), ("200 Backend failed".into(), "status status-error"));
    assert_eq!(of(200, Outcome::ClientGone), ("200 Client gone".into(), "status status-neutral"));
}

#[test]
fn durations_are_as_exact_as_people_want_them() {
    let cases =
        [(0, "<1 ms"), (80_999, "80 ms"), (2_499_999, "2.4 s"), (185_000_000, "3 min 5 s"), (60_000_000, "1 min 0 s")];
    for (us, text) in cases {
        assert_eq!(words::duration(us), text);
    }
}

#[test]
fn an_address_carries_what_is_asked_and_whether_it_is_followed() {
    let mut asked = Asked::default();
    assert_eq!(
        (address(&asked.log, false), address(&asked.log, true)),
        ("/admin/requests".into(), "/admin/requests?live=1".into())
    );
    asked.log.key = "a b&c".into();
    assert_eq!(address(&asked.log, true), "/admin/requests?key=a%20b%26c&live=1");
}

fn ids(rows: &[LogRow]) -> Vec<&str> {
    rows.iter().map(|row| row.request.as_str()).collect()
}

#[test]
fn new_rows_come_to_their_places_once_and_the_oldest_go() {
    let mut rows = vec![row(5, "b"), row(3, "a")];
    let news = |rows: Vec<LogRow>, whole| LogNews { rows, whole, missed: 0 };
    add(&mut rows, news(vec![row(9, "d"), row(5, "c"), row(5, "b")], false));
    assert_eq!(ids(&rows), ["d", "c", "b", "a"]);
    // What was told in full leaves no gap above what was there before.
    add(&mut rows, news(vec![row(9, "d"), row(8, "x")], true));
    assert_eq!(ids(&rows), ["d", "x"]);
    add(&mut rows, news(vec![], true));
    assert_eq!(ids(&rows), ["d", "x"]);
    add(&mut rows, news((0..300).map(|at| row(100 + at, "n")).collect(), false));
    assert_eq!((rows.len(), rows[0].at, rows[FOLLOWED - 1].at), (FOLLOWED, 399, 200));
}
