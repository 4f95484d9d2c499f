//! Where a key and its user stand against what limits them, kept live by the user's own event stream.

use domain::{
    key::KeyStanding,
    policy::{Meter, PartyStanding, WindowStanding},
    settings::RedisStatus,
};
use leptos::prelude::*;
use serde::Deserialize;

use crate::{
    format::number,
    pages::{
        dashboard::feed::{self, Feed},
        redis_state::RedisNews,
    },
};

/// What this page reads of the stream.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Status {
    redis: RedisStatus,
    standings: Vec<KeyStanding>,
}

/// The standings of a user's keys: as read with the page, then as the stream says.
pub(super) fn follow(id: &str, read: Memo<Vec<KeyStanding>>) -> Signal<Vec<KeyStanding>> {
    let Feed { status, .. } = feed::follow_at(Status::default(), format!("/admin/live?user={id}"));
    let latest = RwSignal::new(read.get_untracked());
    Effect::new(move |_| latest.set(read.get()));
    Effect::new(move |_| {
        let (standings, redis) = status.with(|status| (status.standings.clone(), status.redis.clone()));
        if !standings.is_empty() {
            latest.set(standings);
            RedisNews::tell(redis);
        }
    });
    latest.into()
}

/// Of one key, or of all keys of a user together, which has no window.
#[component]
pub(super) fn Meters(
    label: &'static str,
    #[prop(into)] standing: Signal<Option<(Option<WindowStanding>, PartyStanding)>>,
) -> impl IntoView {
    let bars = move || {
        standing.get().map(|(window, party)| {
            let mut bars: Vec<_> = window.map(window_bar).into_iter().collect();
            let limits = meters(&party).into_iter();
            bars.extend(
                limits.filter_map(|(label, meter)| Some(bar(label, meter.used, meter.limit?, reserved(meter)))),
            );
            bars
        })
    };
    let any = move || {
        standing.with(|standing| standing.as_ref().is_some_and(|(window, party)| window.is_some() || limited(party)))
    };
    view! {
        <div class:hidden=move || !any()>
            <dl aria-label=label class="grid gap-x-6 gap-y-2 text-sm sm:grid-cols-2 lg:grid-cols-3">{bars}</dl>
        </div>
    }
    .into_any()
}

fn meters(party: &PartyStanding) -> [(&'static str, Meter); 5] {
    [
        ("At once", party.concurrent),
        ("Tokens, last minute", party.tokens_minute),
        ("Tokens today", party.tokens_day),
        ("Tokens this month", party.tokens_month),
        ("GPU seconds today", party.gpu_seconds_day),
    ]
}

fn limited(party: &PartyStanding) -> bool {
    meters(party).iter().any(|(_, meter)| meter.limit.is_some())
}

fn reserved(meter: Meter) -> Option<String> {
    (meter.reserved > 0).then(|| format!("{} more for running requests", number(meter.reserved)))
}

fn window_bar(WindowStanding { limit, used, reset_s, .. }: WindowStanding) -> AnyView {
    let minutes =
        if limit.minutes == 1 { "minute".to_owned() } else { format!("{} minutes", number(limit.minutes.into())) };
    let note = (used > 0).then(|| format!("in every {minutes}; some come back in {} s", number(reset_s)));
    bar("Requests", used.into(), limit.requests.into(), note.or_else(|| Some(format!("in every {minutes}"))))
}

fn bar(label: &'static str, used: u64, limit: u64, note: Option<String>) -> AnyView {
    let class = if used >= limit { "progress progress-error" } else { "progress progress-primary" };
    view! {
        <div class="flex flex-col gap-1">
            <dt class="text-muted">{label}</dt>
            <dd>
                <span class="tabular-nums">{format!("{} of {}", number(used), number(limit))}</span>
                {note.map(|note| view! { <span class="text-muted">" " {note}</span> })}
                <progress class=class value=used.min(limit).to_string() max=limit.to_string() aria-hidden="true"></progress>
            </dd>
        </div>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use domain::limit::RateLimit;

    use super::*;
    use crate::rendering::html;

    #[test]
    fn what_limits_is_shown_and_nothing_else() {
        let html = html(|| {
            let window = RateLimit::new(20, 5).map(|limit| WindowStanding { limit, used: 7, left: 13, reset_s: 42 });
            let tokens_day = Meter { used: 1_500, reserved: 20, limit: Some(1_000) };
            let key = PartyStanding { tokens_day, ..Default::default() };
            view! { <Meters label="Standing now" standing=Signal::stored(Some((window, key))) /> }
        });
        for text in
            ["7 of 20", "in every 5 minutes; some come back in 42 s", "1,500 of 1,000", "20 more", "progress-error"]
        {
            assert!(html.contains(text), "{text}: {html}");
        }
        assert!(!html.contains("GPU seconds") && !html.contains("At once"), "{html}");
    }
}
