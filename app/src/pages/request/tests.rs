//! One request as the server draws it.

use domain::usage::log::LogEntry;
use leptos::prelude::*;

use super::{Entry, NotShown, life::percent};
use crate::{
    components::refresh::Refresh,
    error::AppError,
    pages::requests::tests::{named, row},
    rendering::html,
};

fn entry(change: fn(&mut LogEntry)) -> String {
    let row = row(1_795_343_405_007, "00000000000000ff");
    let mut entry = LogEntry { timeline: row.timeline(), row, why: None, evicted_by: None, reason: None, error: None };
    change(&mut entry);
    html(move || view! { <Entry entry /> })
}

#[test]
fn its_life_is_drawn_in_proportion_and_told_in_words() {
    let page = entry(|_| ());
    for text in [
        "2026-11-22 10:30:05 UTC",
        "Queued for a slot",
        "Loading the model",
        "Waiting for the first token",
        "Answering",
        // 2 s, 5 s, 1 s, 2 s of ten.
        r#"x="20.0%" width="50.0%""#,
        r#"x="80.0%" width="20.0%""#,
        "5.0 s",
        "10.0 s",
        "3.5 tokens a second",
        "2 other backends before",
        "not loaded yet",
    ] {
        assert!(page.contains(text), "{text} is missing in {page}");
    }
    for absent in ["The caller was told", "Why this backend", "Evicted", "Why it was slow"] {
        assert!(!page.contains(absent), "{absent}: {page}");
    }
}

#[test]
fn what_is_known_of_its_reasons_is_told() {
    let page = entry(|entry| {
        entry.why = Some("8 s: 5 s loading qwen3 on gpu-7".into());
        entry.reason = Some("it had the model warm".into());
        entry.error = Some("model \u{202e}not found <b>".into());
        entry.evicted_by = Some(named("ci", true));
    });
    for text in [
        "8 s: 5 s loading qwen3 on gpu-7.",
        "It had the model warm.",
        "model \\u{202e}not found &lt;b&gt;",
        "a model of key ci (removed)",
    ] {
        assert!(page.contains(text), "{text} is missing in {page}");
    }
}

#[test]
fn a_request_that_is_gone_is_said_to_be_gone() {
    let page = html(|| {
        let error = AppError(domain::error::AdminError::NotFound { what: "request".into() });
        view! { <NotShown error id="a&b".into() refresh=Refresh::new() /> }
    });
    assert!(page.contains("no such request") && page.contains("request=a%26b"), "{page}");
}

#[test]
fn lengths_are_parts_of_the_whole_and_never_beyond_it() {
    assert_eq!(
        (percent(1, 8, 0), percent(0, 0, 0), percent(9, 3, 0)),
        ("12.5%".into(), "0.0%".into(), "100.0%".into())
    );
    assert_eq!(percent(1, u64::MAX, 4), "0.4%");
}
