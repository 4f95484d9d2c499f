//! A chart as a PNG file, made in the browser from what its canvas shows.

use js_sys::{Array, Function, Reflect};
use leptos::{
    prelude::*,
    web_sys::{HtmlCanvasElement, HtmlElement},
};
use wasm_bindgen::{JsCast, JsValue};

/// Hands what is drawn on a canvas to the browser as a file called `name`, on an opaque ground.
pub fn save(canvas: &HtmlCanvasElement, ground: &str, name: &str) {
    if let Err(fault) = try_save(canvas, ground, name) {
        leptos::logging::warn!("the chart could not be saved: {fault:?}");
    }
}

fn try_save(canvas: &HtmlCanvasElement, ground: &str, name: &str) -> Result<(), JsValue> {
    if let Some(context) = canvas.get_context("2d")? {
        // Behind what is drawn. The next drawing begins with an empty canvas.
        put(&context, "globalCompositeOperation", "destination-over")?;
        put(&context, "fillStyle", ground)?;
        let size = [0.0, 0.0, f64::from(canvas.width()), f64::from(canvas.height())];
        let area: Array = size.into_iter().map(JsValue::from_f64).collect();
        Reflect::get(&context, &"fillRect".into())?.dyn_into::<Function>()?.apply(&context, &area)?;
        put(&context, "globalCompositeOperation", "source-over")?;
    }
    let link: HtmlElement = document().create_element("a")?.dyn_into().map_err(JsValue::from)?;
    link.set_attribute("href", &canvas.to_data_url()?)?;
    link.set_attribute("download", name)?;
    link.click();
    Ok(())
}

fn put(object: &JsValue, member: &str, value: &str) -> Result<(), JsValue> {
    Reflect::set(object, &member.into(), &value.into()).map(drop)
}
