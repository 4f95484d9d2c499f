//! The few calls of Chart.js that are needed, on the global `Chart` its script leaves behind. Made by reflection: a
//! `wasm_bindgen` extern block expands to unsafe code, which this workspace forbids.

use js_sys::{Array, Function, Reflect};
use leptos::web_sys::HtmlCanvasElement;
use wasm_bindgen::{JsCast, JsValue};

/// A live chart.
pub(super) struct Chart(JsValue);

impl Chart {
    /// `new Chart(canvas, config)`; fails where the script is missing.
    pub(super) fn new(canvas: &HtmlCanvasElement, config: &JsValue) -> Result<Self, JsValue> {
        let constructor = Reflect::get(&js_sys::global(), &"Chart".into())?.dyn_into::<Function>()?;
        Reflect::construct(&constructor, &Array::of2(canvas, config)).map(Self)
    }

    /// `chart[member] = config[member]`
    pub(super) fn take_over(&self, member: &str, config: &JsValue) {
        let member = JsValue::from_str(member);
        if let Ok(value) = Reflect::get(config, &member) {
            // Setting a member of an object that is not frozen cannot fail.
            let _ = Reflect::set(&self.0, &member, &value);
        }
    }

    /// `chart.update('none')`: redraws at once, without animation.
    pub(super) fn update(&self) {
        self.call("update", &Array::of1(&"none".into()));
    }

    /// `chart.destroy()`: lets go of the canvas and every listener.
    pub(super) fn destroy(&self) {
        self.call("destroy", &Array::new());
    }

    fn call(&self, method: &str, arguments: &Array) {
        let method = Reflect::get(&self.0, &method.into()).and_then(JsCast::dyn_into::<Function>);
        if let Err(fault) = method.and_then(|method| method.apply(&self.0, arguments)) {
            leptos::logging::warn!("the chart could not be changed: {fault:?}");
        }
    }
}
