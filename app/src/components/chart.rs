//! Charts: any numbers as bars or lines, and the bar chart of the last hour, a bar a minute. The canvas is in the server's
//! markup; Chart.js draws on it in the browser, changes it in place, and is destroyed with the component. What the numbers
//! mean is told by the caller.

#[cfg_attr(not(feature = "hydrate"), path = "chart/absent.rs")]
mod drawing;
pub mod palette;
pub mod picture;

use domain::usage::MinutePoint;
use leptos::{html, prelude::*};

use self::{drawing::Drawing, palette::Palette};
use super::{
    rows::Rows,
    timestamp::{Timestamp, local_clock},
};

/// One set of bars; sets are stacked in the order given.
#[derive(Clone, Copy)]
pub struct Series {
    pub label: &'static str,
    pub tone: Tone,
    pub value: fn(&MinutePoint) -> u64,
}

/// A colour by its part in the theme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    Primary,
    Secondary,
    Error,
    Accent,
    Info,
    Success,
    Warning,
    Muted,
}

/// Numbers as Chart.js draws them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sets {
    /// Lines beside each other, and not bars on top of each other.
    pub lines: bool,
    pub labels: Vec<String>,
    pub sets: Vec<NumberSet>,
}

/// One set of bars, or one line with gaps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberSet {
    pub label: String,
    pub tone: Tone,
    pub values: Vec<Option<u64>>,
}

/// Draws on a canvas as long as its component lives. Says whether that cannot be done.
pub fn draw(
    canvas: NodeRef<html::Canvas>,
    palette: Signal<Option<Palette>>,
    sets: impl Fn() -> Sets + 'static,
) -> RwSignal<bool> {
    let missing = RwSignal::new(false);
    // The effect itself keeps the drawing: what belongs to the browser's one thread must not exist on the server.
    Effect::new(move |drawing: Option<Option<Drawing>>| {
        let mut drawing = drawing.flatten();
        let (Some(canvas), Some(palette)) = (canvas.get(), palette.get()) else { return drawing };
        match &mut drawing {
            Some(drawing) => drawing.update(&sets(), &palette),
            None => drawing = Drawing::new(&canvas, &sets(), &palette),
        }
        missing.set(drawing.is_none());
        drawing
    });
    missing
}

fn minute_by_minute(series: &[Series], minutes: &[MinutePoint]) -> Sets {
    let set = |series: &Series| NumberSet {
        label: series.label.to_owned(),
        tone: series.tone,
        values: minutes.iter().map(|minute| Some((series.value)(minute))).collect(),
    };
    Sets {
        lines: false,
        labels: minutes.iter().map(|minute| local_clock(minute.at)).collect(),
        sets: series.iter().map(set).collect(),
    }
}

/// A titled chart with the same numbers as a table for screen readers. Where scripts or Chart.js are missing the table shows.
#[component]
pub fn HourChart(
    title: &'static str,
    series: &'static [Series],
    #[prop(into)] minutes: Signal<Vec<MinutePoint>>,
    #[prop(into)] palette: Signal<Option<Palette>>,
) -> impl IntoView {
    let canvas = NodeRef::<html::Canvas>::new();
    let missing = draw(canvas, palette, move || minutes.with(|minutes| minute_by_minute(series, minutes)));
    view! {
        <figure class="card card-border min-w-0 border-base-300 bg-base-100 p-4">
            <figcaption class="mb-2 font-semibold">{title}</figcaption>
            <div class="relative h-56 w-full noscript:hidden" class:hidden=missing>
                <canvas node_ref=canvas role="img" aria-label=format!("{title}: bar chart of the last hour, minute by minute")></canvas>
            </div>
            <div class="relative max-h-56 overflow-auto" tabindex="-1">
                <div class="noscript:not-sr-only" class:sr-only=move || !missing.get()>
                    <NumbersTable title series minutes />
                </div>
            </div>
        </figure>
    }
    .into_any()
}

#[component]
fn NumbersTable(title: &'static str, series: &'static [Series], minutes: Signal<Vec<MinutePoint>>) -> impl IntoView {
    let newest_first =
        Signal::derive(move || minutes.with(|minutes| minutes.iter().rev().cloned().collect::<Vec<_>>()));
    let row = move |point: Signal<MinutePoint>| {
        let cells = series.iter().map(|series| view! { <td>{move || point.with(series.value)}</td> }).collect_view();
        view! {
            <tr>
                <th scope="row">
                    <Timestamp at=Signal::derive(move || point.with(|point| point.at)) />
                </th>
                {cells}
            </tr>
        }
    };
    view! {
        <table class="table table-xs">
            <caption class="sr-only">{title}</caption>
            <thead>
                <tr>
                    <th scope="col">"Minute"</th>
                    {series.iter().map(|series| view! { <th scope="col">{series.label}</th> }).collect_view()}
                </tr>
            </thead>
            <tbody>
                <Rows items=newest_first key=|point: &MinutePoint| point.at.to_string() row />
            </tbody>
        </table>
    }
    .into_any()
}
