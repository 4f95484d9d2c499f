//! The drawing's stand-in on the server, which renders the canvas and never draws.

use leptos::web_sys::HtmlCanvasElement;

use super::{Sets, palette::Palette};

pub(super) struct Drawing;

impl Drawing {
    pub(super) fn new(_: &HtmlCanvasElement, _: &Sets, _: &Palette) -> Option<Self> {
        None
    }

    pub(super) fn update(&mut self, _: &Sets, _: &Palette) {}
}
