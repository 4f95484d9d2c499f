//! What of a backend is left out for a while after faults, and when it is tried again.

use std::time::Duration;

use domain::backend::{BackendView, BreakerState, BreakerView};
use leptos::prelude::*;

use crate::format::{time_of_day, visible};

/// One line for each breaker that is not closed; nothing where all is well.
#[component]
pub fn Breakers(backend: Signal<BackendView>) -> impl IntoView {
    let breakers = Memo::new(move |_| backend.with(|backend| backend.breakers.clone()));
    let is_empty = Memo::new(move |_| breakers.with(Vec::is_empty));
    // The browser's clock, once it has taken over and while there is something to count down.
    let now = RwSignal::new(None);
    Effect::new(move |_| {
        if is_empty.get() {
            return;
        }
        let tick = move || {
            now.try_set(Some(js_sys::Date::now() as u64));
        };
        tick();
        if let Ok(ticking) = set_interval_with_handle(tick, Duration::from_secs(1)) {
            on_cleanup(move || ticking.clear());
        }
    });
    view! {
        <ul class="flex flex-wrap gap-2 text-sm" aria-label="Left out after faults" class:hidden=move || is_empty.get()>
            {move || {
                let now = now.get();
                breakers
                    .get()
                    .iter()
                    .map(|breaker| view! { <li class="badge badge-soft badge-warning h-auto text-left break-all">{told(breaker, now)}</li> })
                    .collect_view()
            }}
        </ul>
    }
    .into_any()
}

/// `now` is unknown to the server, which says the time of day.
fn told(breaker: &BreakerView, now: Option<u64>) -> String {
    let what = breaker.model.as_deref().map(|model| format!("{} ejected", visible(model)));
    let what = what.unwrap_or_else(|| "Ejected".to_owned());
    let again = match (breaker.state, now) {
        (BreakerState::HalfOpen, _) => "being tried again".to_owned(),
        (BreakerState::Open, None) => format!("tried again at {} UTC", time_of_day(breaker.until)),
        (BreakerState::Open, Some(now)) => match breaker.until.saturating_sub(now).div_ceil(1_000) {
            0 => "tried again with the next request".to_owned(),
            seconds => format!("tried again in {seconds} s"),
        },
    };
    format!("{what}, {again}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ejection_says_what_it_is_about_and_when_it_ends() {
        let open = BreakerView { model: None, state: BreakerState::Open, until: 65_100 };
        assert_eq!(told(&open, Some(53_200)), "Ejected, tried again in 12 s");
        assert_eq!(told(&open, Some(65_100)), "Ejected, tried again with the next request");
        assert_eq!(told(&open, None), "Ejected, tried again at 00:01 UTC");
        let model = BreakerView { model: Some("qwen3:4b".into()), ..open };
        assert_eq!(told(&model, Some(65_000)), "qwen3:4b ejected, tried again in 1 s");
        let trial = BreakerView { state: BreakerState::HalfOpen, ..model };
        assert_eq!(told(&trial, Some(0)), "qwen3:4b ejected, being tried again");
    }
}
