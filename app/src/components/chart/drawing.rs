//! From minutes to bars: chart-js-rs builds Chart.js' configuration, `binding` hands it over. chart-js-rs itself would
//! evaluate a string on drawing, which the content security policy forbids, so its `render` is not used.

mod binding;

use std::collections::HashMap;

use chart_js_rs::{
    Animation, ChartExt, ChartInteraction, ChartOptions, ChartPlugins, ChartScale, Dataset, Grid, LegendLabel,
    PluginLegend, ScaleTicks, SinglePointDataset, bar::Bar,
};
use domain::usage::MinutePoint;
use leptos::web_sys::HtmlCanvasElement;

use self::binding::Chart;
use super::{Series, palette::Palette};
use crate::components::timestamp::local_clock;

/// A chart on a canvas; destroyed when dropped.
pub(super) struct Drawing {
    chart: Chart,
    palette: Palette,
}

impl Drawing {
    /// `None` where the page has no Chart.js.
    pub(super) fn new(
        canvas: &HtmlCanvasElement,
        series: &[Series],
        minutes: &[MinutePoint],
        palette: &Palette,
    ) -> Option<Self> {
        let config = bars(series, minutes, palette).into_json();
        let chart = Chart::new(canvas, &config).ok()?;
        Some(Self { chart, palette: palette.clone() })
    }

    /// Puts new numbers, and new colours if the theme changed, on the chart that is there.
    pub(super) fn update(&mut self, series: &[Series], minutes: &[MinutePoint], palette: &Palette) {
        let config = bars(series, minutes, palette).into_json();
        self.chart.take_over("data", &config);
        if self.palette != *palette {
            self.chart.take_over("options", &config);
            self.palette = palette.clone();
        }
        self.chart.update();
    }
}

impl Drop for Drawing {
    fn drop(&mut self) {
        self.chart.destroy();
    }
}

fn bars(series: &[Series], minutes: &[MinutePoint], palette: &Palette) -> Bar<Vec<SinglePointDataset>> {
    let sets: Vec<_> = series
        .iter()
        .map(|series| {
            let color = palette.tone(series.tone).to_owned();
            SinglePointDataset::new()
                .label(series.label)
                .data(minutes.iter().map(|minute| (series.value)(minute)).collect::<Vec<u64>>())
                .background_color(vec![color.clone()])
                .hover_background_color(color)
                .category_percentage(0.9)
                .stack("minutes")
        })
        .collect();
    let labels = minutes.iter().map(|minute| local_clock(minute.at));
    Bar::default().data(Dataset::new().labels(labels).datasets(sets)).options(options(palette))
}

fn options(palette: &Palette) -> ChartOptions {
    let axis = |ticks: ScaleTicks| {
        ChartScale::new()
            .stacked(true)
            .ticks(ticks.color(palette.text.clone()))
            .grid(Grid::new().color(palette.grid.clone()))
    };
    let legend =
        PluginLegend::new().position("bottom").labels(LegendLabel::new().color(palette.text.clone()).box_width(12_u32));
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
