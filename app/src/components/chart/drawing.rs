//! From numbers to bars and lines. Chart.js' configuration is built with chart-js-rs when the app is compiled (`build.rs`); here the
//! theme's colours and the numbers are put in, and `binding` hands it over.

mod binding;

use js_sys::{Array, JSON, Reflect};
use leptos::web_sys::HtmlCanvasElement;
use wasm_bindgen::JsValue;

use self::binding::Chart;
use super::{Sets, palette::Palette};

/// The configuration without colours and sets of bars.
const BARS: &str = include_str!(concat!(env!("OUT_DIR"), "/chart.json"));
/// One set of bars without its colour, label and numbers.
const SET: &str = include_str!(concat!(env!("OUT_DIR"), "/chart-set.json"));

/// The same of lines.
const LINES: &str = include_str!(concat!(env!("OUT_DIR"), "/lines.json"));
const LINE_SET: &str = include_str!(concat!(env!("OUT_DIR"), "/lines-set.json"));

/// A chart on a canvas; destroyed when dropped.
pub(super) struct Drawing {
    chart: Chart,
    palette: Palette,
}

impl Drawing {
    /// `None` where the page has no Chart.js.
    pub(super) fn new(canvas: &HtmlCanvasElement, sets: &Sets, palette: &Palette) -> Option<Self> {
        let chart = Chart::new(canvas, &configuration(sets, palette).ok()?).ok()?;
        Some(Self { chart, palette: palette.clone() })
    }

    /// Puts new numbers, and new colours if the theme changed, on the chart that is there.
    pub(super) fn update(&mut self, sets: &Sets, palette: &Palette) {
        let Ok(config) = configuration(sets, palette) else { return };
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

fn configuration(sets: &Sets, palette: &Palette) -> Result<JsValue, JsValue> {
    let (whole, one) = if sets.lines { (LINES, LINE_SET) } else { (BARS, SET) };
    let config = parse(whole, &[("$text", &palette.text), ("$grid", &palette.grid)])?;
    let data = Reflect::get(&config, &"data".into())?;
    let labels: Array = sets.labels.iter().map(|label| JsValue::from_str(label)).collect();
    put(&data, "labels", &labels)?;
    let all = Array::new();
    for numbers in &sets.sets {
        let set = parse(one, &[("$tone", palette.tone(numbers.tone))])?;
        // Counts and times are far below what a double holds exactly.
        let values =
            numbers.values.iter().map(|value| value.map_or(JsValue::NULL, |value| JsValue::from(value as f64)));
        put(&set, "label", &numbers.label.as_str().into())?;
        put(&set, "data", &values.collect::<Array>())?;
        all.push(&set);
    }
    put(&data, "datasets", &all)?;
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
