//! What was found: what it is of, totals, charts, groups, the hours of the week, and what loading cost.

use domain::usage::{
    page::{AskUsage, UsageShown},
    report::{ColdTax, GroupBy, Named, Step, UsageFigures},
};
use leptos::{html, prelude::*};

use super::{
    Found, HERE,
    charts::charts,
    links::{address, file, requests},
    tables::{Link, linked},
};
use crate::{
    components::page::Empty,
    format::{number, plural, visible},
};

const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
/// Grounds of the hours of the week, from nothing to the most.
const HEAT: [&str; 5] = ["", "bg-primary/10", "bg-primary/20", "bg-primary/30", "bg-primary/45"];

#[component]
pub(super) fn Shown(asked: Memo<AskUsage>, found: Found) -> impl IntoView {
    let place = NodeRef::<html::Div>::new();
    let followed = StoredValue::new(false);
    Effect::new(move |_| {
        found.track();
        // A link in what was shown is gone with it: the keyboard goes on from here.
        if followed.try_update_value(std::mem::take) == Some(true)
            && document().active_element().is_none_or(|active| active.tag_name() == "BODY")
            && let Some(place) = place.get_untracked()
        {
            let _ = place.focus();
        }
    });
    let shown = move || found.get()?.ok()?.shown.map(|shown| whole(&asked.get_untracked(), &shown));
    view! { <div node_ref=place tabindex="-1" class="flex flex-col gap-6 outline-none" on:click=move |_| followed.set_value(true)>{shown}</div> }.into_any()
}

fn whole(asked: &AskUsage, shown: &UsageShown) -> AnyView {
    let rest = if shown.total.requests == 0 {
        nothing(asked)
    } else {
        view! {
            {totals(&shown.total)}
            {charts(&shown.charts, &shown.labels, &file(&shown.query, "csv"))}
            {groups(asked, shown)}
            {peak(shown)}
            {tax(asked, shown)}
            {inexact(shown)}
        }
        .into_any()
    };
    view! {
        {about(asked, shown)}
        {rest}
    }
    .into_any()
}

/// What the numbers are of.
fn about(asked: &AskUsage, shown: &UsageShown) -> AnyView {
    let (first, last) = (shown.labels.first(), shown.labels.last());
    let first = first.cloned().unwrap_or_default();
    let last = last.filter(|last| **last != first).map(|last| format!(" to {last}")).unwrap_or_default();
    let step = match shown.query.step {
        Step::Hour => "hour by hour",
        Step::Day => "day by day",
        Step::Week => "week by week from Mondays",
    };
    let mut notes = vec![format!("{first}{last}, {step}, in the time zone {}.", shown.zone)];
    if shown.utc_days {
        notes.push("So long a time is told by days of UTC.".to_owned());
    }
    let filters = shown.chosen.iter().map(|chosen| {
        let removed = if chosen.of.removed { ", removed" } else { "" };
        let text = format!("{} {}{removed}", chosen.field, visible(&chosen.of.name));
        let href = address(&asked.with(&chosen.field, ""));
        view! {
            <li class="badge badge-ghost h-auto gap-2 py-1"><span class="break-all">"Only " {text.clone()}</span><a class="link" href=href>"Remove"<span class="sr-only">{format!(" the filter {text}")}</span></a></li>
        }
        .into_any()
    });
    let filters: Vec<_> = filters.collect();
    let filters = (!filters.is_empty())
        .then(|| view! { <ul aria-label="Filters in force" class="mt-2 flex flex-wrap gap-2">{filters}</ul> });
    view! { <div><p class="text-muted">{notes.join(" ")}</p>{filters}</div> }.into_any()
}

/// Last, because it comes with the viewer's zone: nothing jumps then.
fn inexact(shown: &UsageShown) -> Option<AnyView> {
    let text = "Hours of this zone begin within hours of UTC: each hour of UTC counts where it begins.";
    (!shown.exact).then(|| view! { <p class="text-sm text-muted">{text}</p> }.into_any())
}

fn nothing(asked: &AskUsage) -> AnyView {
    let narrow = asked.is_narrow();
    let text = match narrow {
        true => "No request of this kind in this time. Choose a longer range, or leave filters away.",
        false => {
            "No request in this time. Choose a longer range; or add a user and hand out a key, and the first request shows here a second after it ended."
        }
    };
    let link = if narrow { (HERE, "Show all usage") } else { ("/admin/users", "Users and keys") };
    view! {
        <Empty text />
        <p class="text-center"><a class="link" href=link.0>{link.1}</a></p>
    }
    .into_any()
}

/// Microseconds as seconds: of little time thousandths.
fn seconds(us: u64) -> String {
    match us {
        0..10_000_000 => format!("{}.{:03}", us / 1_000_000, us / 1_000 % 1_000),
        _ => format!("{}.{}", number(us / 1_000_000), us / 100_000 % 10),
    }
}

fn ms(value: Option<u64>) -> String {
    value.map_or_else(|| "–".to_owned(), |ms| format!("{} ms", number(ms)))
}

fn totals(total: &UsageFigures) -> AnyView {
    let share = match total.requests {
        0 => 0,
        requests => u128::from(total.errors) * 1_000 / u128::from(requests),
    };
    let facts = [
        (
            "Requests",
            number(total.requests),
            format!("{}, {}.{} %", plural(total.errors, "error"), share / 10, share % 10),
        ),
        ("Prompt tokens", number(total.prompt_tokens), "read by models".to_owned()),
        ("Completion tokens", number(total.completion_tokens), "written by models".to_owned()),
        ("GPU-seconds", seconds(total.gpu_us), format!("{} s waited for slots", seconds(total.queue_us))),
        ("Latency", ms(total.latency.p50), format!("half within; 95 % within {}", ms(total.latency.p95))),
        ("First byte, warm", ms(total.ttft_warm.p50), format!("half within; 95 % within {}", ms(total.ttft_warm.p95))),
        ("First byte, cold", ms(total.ttft_cold.p50), format!("half within; {}", plural(total.cold, "cold start"))),
        ("Loading", format!("{} s", seconds(total.load_us)), "lost to cold starts".to_owned()),
    ];
    let facts = facts.map(|(title, value, note)| {
        view! {
            <div class="rounded-box border border-base-300 bg-base-100 p-4">
                <dt class="text-sm text-muted">{title}</dt>
                <dd class="text-xl font-semibold break-words tabular-nums">{value}</dd>
                <dd class="text-sm text-muted">{note}</dd>
            </div>
        }
        .into_any()
    });
    view! { <dl class="grid grid-cols-2 gap-3 md:grid-cols-4">{facts.into_iter().collect_view()}</dl> }.into_any()
}

/// A titled part with a table that may be wider than the page.
fn part(title: String, note: String, table: AnyView) -> AnyView {
    let (label, region) = (title.clone(), format!("{title}, table"));
    view! {
        <section class="card card-border min-w-0 border-base-300 bg-base-100 p-4" aria-label=label>
            <h2 class="font-semibold">{title}</h2>
            <p class="mb-2 text-sm text-muted">{note}</p>
            <div class="overflow-x-auto" tabindex="0" role="region" aria-label=region>{table}</div>
        </section>
    }
    .into_any()
}

fn name(of: &Named) -> String {
    let removed = if of.removed { " (removed)" } else { "" };
    format!("{}{removed}", visible(&of.name))
}

/// Links that narrow the page to what a row is of, and to its requests. What has no name cannot be asked for.
fn links(asked: &AskUsage, shown: &UsageShown, field: &str, of: &Named) -> Vec<Link> {
    if of.id.is_empty() {
        return Vec::new();
    }
    let heard = format!(" {field} {}", visible(&of.name));
    vec![
        ("Only this", heard.clone(), address(&asked.with(field, &of.id))),
        ("Requests", heard, requests(&shown.query, field, &of.id)),
    ]
}

fn groups(asked: &AskUsage, shown: &UsageShown) -> AnyView {
    let by = shown.query.by.as_str();
    // One group says nothing by itself: what it consists of does.
    let inside = asked.with("by", if shown.query.by == GroupBy::Model { "user" } else { "" });
    let cells = |name: String, figures: &UsageFigures| {
        vec![
            name,
            number(figures.requests),
            number(figures.errors),
            number(figures.prompt_tokens),
            number(figures.completion_tokens),
            seconds(figures.gpu_us),
            ms(figures.latency.p50),
            ms(figures.ttft_warm.p50),
            ms(figures.ttft_cold.p50),
        ]
    };
    let mut rows: Vec<_> = shown
        .groups
        .iter()
        .map(|group| (cells(name(&group.of), &group.figures), links(&inside, shown, by, &group.of)))
        .collect();
    rows.extend(
        shown
            .others
            .iter()
            .map(|others| (cells(format!("{} others", number(others.count)), &others.figures), Vec::new())),
    );
    let head = [
        by,
        "Requests",
        "Errors",
        "Prompt tokens",
        "Completion tokens",
        "GPU-seconds",
        "Latency",
        "First byte, warm",
        "First byte, cold",
    ];
    let mut head = head.map(str::to_owned).to_vec();
    head[0] = head[0][..1].to_uppercase() + &head[0][1..];
    let title = format!("By {by}");
    let table = linked(&title, head, rows);
    part(title, "Most requests first. Times are those within which half of the requests were.".to_owned(), table)
}

/// Counts in four letters.
fn short(count: u64) -> String {
    match count {
        0..1_000 => count.to_string(),
        1_000..1_000_000 => format!("{}k", count / 1_000),
        _ => format!("{}M", count / 1_000_000),
    }
}

fn peak(shown: &UsageShown) -> Option<AnyView> {
    let peak = shown.peak.as_ref()?;
    let most = peak.iter().flatten().copied().max().unwrap_or_default().max(1);
    let heat = |count: u64| {
        let level = u128::from(count) * 4;
        HEAT[usize::try_from(level.div_ceil(u128::from(most))).unwrap_or(4).min(4)]
    };
    let head = (0..24)
        .map(|hour| view! { <th scope="col" class="p-1 text-center text-xs">{format!("{hour:02}")}</th> }.into_any())
        .collect_view();
    let rows = peak.iter().zip(DAYS).map(|(hours, day)| {
        let cells = hours.iter().map(|&count| {
            let text = if count == 0 { "·".to_owned() } else { short(count) };
            view! { <td class=format!("p-1 text-center tabular-nums {}", heat(count)) title=number(count)>{text}</td> }
                .into_any()
        });
        let cells = cells.collect_view();
        view! { <tr><th scope="row" class="p-1 font-normal">{day}</th>{cells}</tr> }.into_any()
    });
    let rows = rows.collect_view();
    let table = view! {
        <table class="table table-xs">
            <caption class="sr-only">"Requests by weekday and hour"</caption>
            <thead><tr><th scope="col" class="p-1 text-xs">"Day"</th>{head}</tr></thead>
            <tbody>{rows}</tbody>
        </table>
    };
    let note = format!("Requests by weekday and hour in the time zone {}.", shown.zone);
    Some(part("Peak hours".to_owned(), note, table.into_any()))
}

/// What cold starts cost, of models and of keys.
fn tax(asked: &AskUsage, shown: &UsageShown) -> AnyView {
    if shown.tax_by_model.is_empty() && shown.tax_by_key.is_empty() {
        let text = "No time was lost to loading models.".to_owned();
        return view! { <p class="text-muted">{text}</p> }.into_any();
    }
    let one = |field: &str, taxes: &[ColdTax]| {
        let title = format!("Cold-start tax by {field}");
        let rows = taxes.iter().map(|tax| {
            let cells = vec![name(&tax.of), seconds(tax.load_us), number(tax.cold)];
            (cells, links(asked, shown, field, &tax.of))
        });
        let head = [field[..1].to_uppercase() + &field[1..], "Seconds of loading".to_owned(), "Cold starts".to_owned()];
        let table = linked(&title, head.to_vec(), rows.collect());
        part(title, "Time that requests waited for models to be loaded, most first.".to_owned(), table)
    };
    view! {
        <div class="grid gap-3 lg:grid-cols-2">
            {one("model", &shown.tax_by_model)}
            {one("key", &shown.tax_by_key)}
        </div>
    }
    .into_any()
}
