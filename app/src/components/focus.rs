//! Moving the keyboard's focus to something that is only about to be seen.

use leptos::prelude::*;
use web_sys::HtmlElement;

/// A second of frames: longer than any transition of ours.
const FRAMES: u8 = 60;

/// Focuses what `find` finds, as soon as the browser lets it have the focus.
pub fn focus_soon(find: impl Fn() -> Option<HtmlElement> + 'static) {
    within(find, FRAMES);
}

fn within(find: impl Fn() -> Option<HtmlElement> + 'static, frames: u8) {
    request_animation_frame(move || {
        let Some(element) = find() else { return };
        let _ = element.focus();
        let focused = document().active_element().is_some_and(|active| active == *element);
        if !focused && frames > 0 {
            within(find, frames - 1);
        }
    });
}
