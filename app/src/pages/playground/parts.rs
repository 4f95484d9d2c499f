//! What the views of this page are made of. Leptos makes code anew for every type of closure in a view: here there is one of
//! each, and the browser fetches it once.

use leptos::{ev::MouseEvent, prelude::*};

/// Whether something is so.
pub(super) fn when(is: impl Fn() -> bool + Send + Sync + 'static) -> Signal<bool> {
    Signal::derive(is)
}

/// A text that changes; without one its element is empty.
pub(super) fn said(text: impl Fn() -> Option<String> + Send + Sync + 'static) -> Signal<Option<String>> {
    Signal::derive(text)
}

/// A part of a view that changes.
pub(super) fn part(draw: impl Fn() -> AnyView + Send + Sync + 'static) -> AnyView {
    let draw: Box<dyn Fn() -> AnyView + Send + Sync> = Box::new(draw);
    draw.into_any()
}

/// Views by their ids; one that is there stays as it is.
pub(super) fn keyed(
    ids: impl Fn() -> Vec<u32> + Send + Sync + 'static,
    draw: impl Fn(u32) -> AnyView + Send + Sync + 'static,
) -> AnyView {
    let draw = StoredValue::new(Box::new(draw) as Box<dyn Fn(u32) -> AnyView + Send + Sync>);
    let ids = Signal::derive(ids);
    view! { <For each=move || ids.get() key=|id| *id let:id>{draw.with_value(|draw| draw(id))}</For> }.into_any()
}

/// A button that does something here and sends nothing.
pub(super) fn button(
    label: &'static str,
    class: &'static str,
    hidden: Signal<bool>,
    disabled: Signal<bool>,
    mut act: impl FnMut() + 'static,
) -> AnyView {
    let press: Box<dyn FnMut(MouseEvent)> = Box::new(move |_| act());
    view! { <button type="button" class=class class:hidden=hidden disabled=disabled on:click=press>{label}</button> }
        .into_any()
}

/// A number with so many places behind the point.
pub(super) fn fixed(value: f64, places: u32) -> String {
    let scale = 10_u64.pow(places);
    let all = (value.abs() * scale as f64 + 0.5) as u64;
    let sign = if value < 0.0 && all > 0 { "-" } else { "" };
    match places {
        0 => format!("{sign}{all}"),
        _ => format!("{sign}{}.{:0width$}", all / scale, all % scale, width = places as usize),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_places() {
        for (value, places, text) in [
            (0.0, 2, "0.00"),
            (1.0, 2, "1.00"),
            (-0.456, 2, "-0.46"),
            (-0.001, 2, "0.00"),
            (12.06, 1, "12.1"),
            (640.4, 0, "640"),
        ] {
            assert_eq!(fixed(value, places), text);
        }
    }
}
