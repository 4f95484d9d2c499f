//! Charts over time, each with its numbers as a table, and as files.

use domain::usage::page::{ChartKind, UsageChart, UsageColumn};
use leptos::{html, prelude::*};

use super::tables::table;
use crate::{
    components::chart::{
        NumberSet, Sets, Tone, draw,
        palette::{Palette, use_palette},
        picture,
    },
    format::{number, visible},
    session::encode_query_value,
};

/// Colours of columns in their order; the last is that of all others.
const TONES: [Tone; 7] =
    [Tone::Primary, Tone::Secondary, Tone::Accent, Tone::Info, Tone::Success, Tone::Warning, Tone::Muted];

/// Most rows of a chart's table: five charts have one each.
const ROWS: usize = 400;

/// `csv` is the address of the report as a file, whose charts have their titles as names.
pub(in crate::pages) fn charts(charts: &[UsageChart], labels: &[String], csv: &str) -> AnyView {
    let palette = use_palette();
    let charts = charts
        .iter()
        .map(|chart| figure(chart, labels, format!("{csv}&chart={}", encode_query_value(&chart.title)), palette));
    view! { <div class="grid gap-3 lg:grid-cols-2">{charts.collect_view()}</div> }.into_any()
}

fn sets(chart: &UsageChart, labels: &[String]) -> Sets {
    let tone = |at: usize| if chart.kind == ChartKind::Errors { Tone::Error } else { TONES[at.min(TONES.len() - 1)] };
    let columns = chart.columns.iter().enumerate();
    let sets = columns.map(|(at, UsageColumn { label, values })| NumberSet {
        label: visible(label),
        tone: tone(at),
        values: values.clone(),
    });
    Sets { lines: chart.kind == ChartKind::Times, labels: labels.to_vec(), sets: sets.collect() }
}

fn figure(chart: &UsageChart, labels: &[String], csv: String, palette: Signal<Option<Palette>>) -> AnyView {
    let canvas = NodeRef::<html::Canvas>::new();
    let sets = sets(chart, labels);
    let head = ["From".to_owned()].into_iter().chain(sets.sets.iter().map(|set| set.label.clone())).collect();
    let left_out = labels.len().saturating_sub(ROWS);
    let rows = labels.iter().enumerate().skip(left_out).map(|(at, label)| {
        let numbers = chart.columns.iter().map(|column| match column.values.get(at) {
            Some(Some(value)) => number(*value),
            _ => "–".to_owned(),
        });
        [label.clone()].into_iter().chain(numbers).collect()
    });
    let numbers = table(&chart.title, head, rows.collect());
    let note = (left_out > 0).then(|| {
        let text = format!("The last {} of {}; the CSV has all.", number(ROWS as u64), number(labels.len() as u64));
        view! { <p class="text-sm text-muted">{text}</p> }.into_any()
    });
    let missing = draw(canvas, palette, move || sets.clone());
    let name = format!("{}.png", chart.title.to_lowercase().replace(|letter: char| !letter.is_alphanumeric(), "-"));
    let save = move |_| {
        if let (Some(canvas), Some(palette)) = (canvas.get_untracked(), palette.get_untracked()) {
            picture::save(&canvas, &palette.ground, &name);
        }
    };
    let title = chart.title.clone();
    view! {
        <figure class="card card-border min-w-0 border-base-300 bg-base-100 p-4 lg:last:odd:col-span-2" aria-label=title.clone()>
            <figcaption class="mb-2 flex flex-wrap items-center gap-2">
                <span class="grow font-semibold">{title.clone()}</span>
                // It keeps its place before scripts run.
                <button type="button" class="btn btn-xs" class:invisible=move || palette.with(Option::is_none) || missing.get() on:click=save>"PNG"</button>
                <a class="btn btn-xs" download="" href=csv>"CSV"</a>
            </figcaption>
            <div class="relative h-56 w-full noscript:hidden" class:hidden=missing>
                <canvas node_ref=canvas role="img" aria-label=format!("{title}: chart; its numbers are in the table below")></canvas>
            </div>
            <details class="mt-2">
                <summary class="cursor-pointer text-sm">"Numbers"</summary>
                <div class="max-h-72 overflow-auto" tabindex="0" role="region" aria-label=format!("{title}, numbers")>{note}{numbers}</div>
            </details>
        </figure>
    }
    .into_any()
}
