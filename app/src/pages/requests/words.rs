//! Parts of a request in the words of the pages.

use domain::usage::{Outcome, log::LogRow, report::Named};
use leptos::prelude::*;
use wasm_bindgen::JsValue;

use crate::format::{date_time, number, visible};

/// How it ended, in a word or two.
pub(in crate::pages) fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Complete => "Complete",
        Outcome::ClientGone => "Client gone",
        Outcome::UpstreamFailed => "Backend failed",
        Outcome::Refused => "Refused",
        Outcome::ShutDown => "Shut down",
    }
}

/// Status and, where there is more to say, how it ended; and the classes of the dot beside it.
pub(in crate::pages) fn ended(row: &LogRow) -> (String, &'static str) {
    let dot = match row.outcome {
        Outcome::Complete | Outcome::Refused if row.status >= 500 => "status status-error",
        Outcome::Complete if row.status < 400 => "status status-success",
        Outcome::Complete | Outcome::Refused => "status status-warning",
        Outcome::UpstreamFailed => "status status-error",
        Outcome::ClientGone | Outcome::ShutDown => "status status-neutral",
    };
    let text = match row.outcome {
        Outcome::Complete => row.status.to_string(),
        other => format!("{} {}", row.status, outcome(other)),
    };
    (text, dot)
}

/// A name, and that it is gone.
pub(in crate::pages) fn name(of: &Named) -> String {
    let name = visible(&of.name);
    if of.removed { format!("{name} (removed)") } else { name }
}

/// Microseconds as `80 ms`, `2.4 s` or `3 min 5 s`.
pub(in crate::pages) fn duration(us: u64) -> String {
    let tenths = us / 100_000;
    match us {
        0..1_000 => "<1 ms".to_owned(),
        1_000..1_000_000 => format!("{} ms", us / 1_000),
        1_000_000..60_000_000 => format!("{}.{} s", tenths / 10, tenths % 10),
        _ => format!("{} min {} s", number(us / 60_000_000), us / 1_000_000 % 60),
    }
}

/// Tokens in and out, `~` before those that the gateway counted.
pub(in crate::pages) fn tokens(row: &LogRow) -> String {
    let one = |count: Option<u64>| count.map_or_else(|| "–".to_owned(), number);
    if row.prompt_tokens.is_none() && row.completion_tokens.is_none() {
        return "–".to_owned();
    }
    let about = if row.tokens_estimated { "~" } else { "" };
    format!("{about}{} → {}", one(row.prompt_tokens), one(row.completion_tokens))
}

/// Whether times are told in the browser's time zone: not before the page is alive.
pub(in crate::pages) fn local() -> ReadSignal<bool> {
    let (local, set_local) = signal(false);
    Effect::new(move |_| set_local.set(true));
    local
}

/// A point in time to the second.
pub(in crate::pages) fn moment(at: u64, local: bool) -> String {
    if local {
        let date = js_sys::Date::new(&JsValue::from_f64(at as f64));
        let (month, seconds) = (date.get_month() + 1, date.get_seconds());
        let clock = format!("{:02}:{:02}:{seconds:02}", date.get_hours(), date.get_minutes());
        return format!("{}-{month:02}-{:02} {clock}", date.get_full_year(), date.get_date());
    }
    date_time(at).replace(" UTC", &format!(":{:02} UTC", at / 1_000 % 60))
}
