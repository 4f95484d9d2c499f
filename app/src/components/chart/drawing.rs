//! From minutes to bars. Chart.js' configuration is built with chart-js-rs when the app is compiled (`build.rs`); here the
//! theme's colours and the numbers are put in, and `binding` hands it over.

mod binding;

use domain::usage::MinutePoint;
use js_sys::{Array, JSON, Reflect};
use leptos::web_sys::HtmlCanvasElement;
use wasm_bindgen::JsValue;

use self::binding::Chart;
use super::{Series, palette::Palette};
use crate::components::timestamp::local_clock;

/// The configuration without colours and sets of bars.
const BARS: &str = include_str!(concat!(env!("OUT_DIR"), "/chart.json"));
/// One set of bars without its colour, label and numbers.
const SET: &str = include_str!(concat!(env!("OUT_DIR"), "/chart-set.json"));

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
        let chart = Chart::new(canvas, &bars(series, minutes, palette).ok()?).ok()?;
        Some(Self { chart, palette: palette.clone() })
    }

    /// Puts new numbers, and new colours if the theme changed, on the chart that is there.
    pub(super) fn update(&mut self, series: &[Series], minutes: &[MinutePoint], palette: &Palette) {
        let Ok(config) = bars(series, minutes, palette) else { return };
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

fn bars(series: &[Series], minutes: &[MinutePoint], palette: &Palette) -> Result<JsValue, JsValue> {
    let config = parse(BARS, &[("$text", &palette.text), ("$grid", &palette.grid)])?;
    let data = Reflect::get(&config, &"data".into())?;
    let labels: Array = minutes.iter().map(|minute| JsValue::from(local_clock(minute.at))).collect();
    put(&data, "labels", &labels)?;
    let sets = Array::new();
    for series in series {
        let set = parse(SET, &[("$tone", palette.tone(series.tone))])?;
        // Counts of a minute are far below what a double holds exactly.
        let numbers: Array = minutes.iter().map(|minute| JsValue::from((series.value)(minute) as f64)).collect();
        put(&set, "label", &series.label.into())?;
        put(&set, "data", &numbers)?;
        sets.push(&set);
    }
    put(&data, "datasets", &sets)?;
    Ok(config)
}

/// JSON with texts put in for words.
fn parse(template: &str, words: &[(&str, &str)]) -> Result<JsValue, JsValue> {
    let mut text = template.to_owned();
    for (word, value) in words {
        let value = JSON::stringify(&JsValue::from_str(value))?;
        text = text.replace(&format!("\"{word}\""), &String::from(value));
    }
    JSON::parse(&text)
}

fn put(object: &JsValue, member: &str, value: &JsValue) -> Result<(), JsValue> {
    Reflect::set(object, &member.into(), value).map(drop)
}
