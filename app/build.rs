//! Writes what the charts of the dashboard and of the usage have in common as Chart.js' configuration, built with chart-js-rs, for the browser's
//! half to carry as text: the library itself is larger there than everything else on the page.
//!
//! Where the browser puts something in, there is a word with `$`: colours of the theme, which are known there only.

use std::{collections::HashMap, env, error::Error, fs, path::Path};

use chart_js_rs::{
    Animation, ChartExt, ChartInteraction, ChartOptions, ChartPlugins, ChartScale, Dataset, Grid, LegendLabel,
    PluginLegend, ScaleTicks, SinglePointDataset, bar::Bar,
};

const TEXT: &str = "$text";
const GRID: &str = "$grid";
const TONE: &str = "$tone";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let out = env::var_os("OUT_DIR").ok_or("cargo names no folder for what is built")?;
    let chart = |stacked| Bar::<Vec<SinglePointDataset>>::default().data(Dataset::new()).options(options(stacked));
    // The library has no chart of lines over words; it differs from one of bars by its type.
    let mut lines = serde_json::to_value(chart(false))?;
    if let Some(kind) = lines.get_mut("type") {
        *kind = "line".into();
    }
    for (name, mut value) in [
        ("chart.json", serde_json::to_value(chart(true))?),
        ("chart-set.json", serde_json::to_value(set().category_percentage(0.9).stack("minutes"))?),
        ("lines.json", lines),
        ("lines-set.json", serde_json::to_value(set().border_color(TONE))?),
    ] {
        // Words on their side cannot be read, nor such that touch; the library has no members for it.
        if let Some(ticks) = value.pointer_mut("/options/scales/x/ticks").and_then(|ticks| ticks.as_object_mut()) {
            ticks.insert("maxRotation".to_owned(), 0.into());
            ticks.insert("autoSkipPadding".to_owned(), 12.into());
        }
        // The same text in every build.
        value.sort_all_objects();
        fs::write(Path::new(&out).join(name), value.to_string())?;
    }
    Ok(())
}

/// One set of bars or points, without its numbers.
fn set() -> SinglePointDataset {
    SinglePointDataset::new().background_color(vec![TONE.to_owned()]).hover_background_color(TONE)
}

fn options(stacked: bool) -> ChartOptions {
    let axis =
        |ticks: ScaleTicks| ChartScale::new().stacked(stacked).ticks(ticks.color(TEXT)).grid(Grid::new().color(GRID));
    let legend = PluginLegend::new().position("bottom").labels(LegendLabel::new().color(TEXT).box_width(12_u32));
    ChartOptions::new()
        .responsive(true)
        .maintain_aspect_ratio(false)
        .animation(Animation::new().duration(0))
        .interaction(ChartInteraction::new().mode("index").intersect(false))
        .plugins(ChartPlugins::new().legend(legend))
        .scales(HashMap::from([
            ("x".to_owned(), axis(ScaleTicks::new().max_ticks_limit(7))),
            (
                "y".to_owned(),
                axis(ScaleTicks::new().precision(0).max_ticks_limit(6)).begin_at_zero(true).suggested_max(4),
            ),
        ]))
}
