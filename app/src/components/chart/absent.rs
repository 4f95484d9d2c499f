//! The drawing's stand-in on the server, which renders the canvas and never draws.

use domain::usage::MinutePoint;
use leptos::web_sys::HtmlCanvasElement;

use super::{Series, palette::Palette};

pub(super) struct Drawing;

impl Drawing {
    pub(super) fn new(_: &HtmlCanvasElement, _: &[Series], _: &[MinutePoint], _: &Palette) -> Option<Self> {
        None
    }

    pub(super) fn update(&mut self, _: &[Series], _: &[MinutePoint], _: &Palette) {}
}
