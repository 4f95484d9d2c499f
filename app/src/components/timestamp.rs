//! Points in time on a page. The server knows no reader's time zone, so markup says UTC and the browser changes it to
//! local time once it has taken over.

use leptos::prelude::*;
use wasm_bindgen::JsValue;

use crate::format::date_time;

/// A point in time, given in Unix milliseconds.
#[component]
pub fn Timestamp(#[prop(into)] at: Signal<u64>) -> impl IntoView {
    let local = RwSignal::new(None);
    Effect::new(move |_| local.set(Some(local_time(at.get()))));
    view! {
        <time class="whitespace-nowrap" datetime=move || machine_readable(at.get()) title=move || date_time(at.get())>
            {move || local.get().unwrap_or_else(|| date_time(at.get()))}
        </time>
    }
    .into_any()
}

/// A point in time, or `never`.
#[component]
pub fn LastTime(#[prop(into)] at: Signal<Option<u64>>) -> impl IntoView {
    move || match at.get() {
        Some(at) => view! { <Timestamp at /> }.into_any(),
        None => "never".into_any(),
    }
}

/// Hour and minute in the time zone of the browser, where alone it may be called.
pub(super) fn local_clock(at: u64) -> String {
    let date = date(at);
    format!("{:02}:{:02}", date.get_hours(), date.get_minutes())
}

fn local_time(at: u64) -> String {
    let date = date(at);
    let (year, month, day) = (date.get_full_year(), date.get_month() + 1, date.get_date());
    format!("{year}-{month:02}-{day:02} {}", local_clock(at))
}

fn date(at: u64) -> js_sys::Date {
    js_sys::Date::new(&JsValue::from_f64(at as f64))
}

/// `2026-11-22T07:05Z`
fn machine_readable(at: u64) -> String {
    date_time(at).replacen(' ', "T", 1).replace(" UTC", "Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_carries_the_time_in_the_form_html_asks_for() {
        assert_eq!(machine_readable(1_795_331_100_000), "2026-11-22T07:05Z");
    }
}
