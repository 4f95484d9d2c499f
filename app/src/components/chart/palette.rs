//! The theme's colours as a canvas needs them, followed while the theme changes: a canvas does not know CSS variables.

use leptos::{
    prelude::*,
    web_sys::{Element, MediaQueryList, MutationObserver, MutationObserverInit},
};
use wasm_bindgen::{JsCast, closure::Closure};

use super::Tone;

/// The names of tones, in their order, with colours that can be seen on light and dark.
const TONES: [(&str, &str); 8] = [
    ("--color-primary", "#6366f1"),
    ("--color-secondary", "#f59e0b"),
    ("--color-error", "#ef4444"),
    ("--color-accent", "#14b8a6"),
    ("--color-info", "#0ea5e9"),
    ("--color-success", "#22c55e"),
    ("--color-warning", "#eab308"),
    // Between text and ground in every theme; none of them has such a colour.
    ("", "#808080"),
];

/// Colours in the theme's own notation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Palette {
    pub text: String,
    pub grid: String,
    /// What charts stand on.
    pub ground: String,
    tones: Vec<String>,
}

impl Palette {
    pub fn tone(&self, tone: Tone) -> &str {
        self.tones.get(tone as usize).map_or("", String::as_str)
    }

    /// Reads the document's colours of now; the fallbacks are readable on light and dark.
    fn read(root: &Element) -> Self {
        let style = window().get_computed_style(root).ok().flatten();
        let color = |name: &str, fallback: &str| {
            let value = style.as_ref().and_then(|style| style.get_property_value(name).ok()).unwrap_or_default();
            if value.trim().is_empty() { fallback.to_owned() } else { value.trim().to_owned() }
        };
        Self {
            text: color("--color-base-content", "#808080"),
            grid: color("--color-base-300", "#80808040"),
            ground: color("--color-base-100", "#ffffff"),
            tones: TONES.iter().map(|(name, fallback)| color(name, fallback)).collect(),
        }
    }
}

/// The palette, `None` until the browser has taken over. Follows `data-theme` and the system's preference.
pub fn use_palette() -> Signal<Option<Palette>> {
    let palette = RwSignal::new(None);
    Effect::new(move |_: Option<Option<ThemeWatch>>| {
        let root = document().document_element()?;
        palette.set(Some(Palette::read(&root)));
        ThemeWatch::new(root, move |root| {
            palette.try_set(Some(Palette::read(root)));
        })
    });
    palette.into()
}

/// Calls back on every change of the theme until dropped.
struct ThemeWatch {
    callback: Closure<dyn FnMut()>,
    observer: MutationObserver,
    dark: Option<MediaQueryList>,
}

impl ThemeWatch {
    fn new(root: Element, changed: impl Fn(&Element) + 'static) -> Option<Self> {
        let watched = root.clone();
        let callback = Closure::<dyn FnMut()>::new(move || changed(&root));
        let observer = MutationObserver::new(callback.as_ref().unchecked_ref()).ok()?;
        let options = MutationObserverInit::new();
        options.set_attributes(true);
        observer.observe_with_options(&watched, &options).ok()?;
        let dark = window().match_media("(prefers-color-scheme: dark)").ok().flatten();
        if let Some(dark) = &dark {
            dark.add_event_listener_with_callback("change", callback.as_ref().unchecked_ref()).ok()?;
        }
        Some(Self { callback, observer, dark })
    }
}

impl Drop for ThemeWatch {
    fn drop(&mut self) {
        self.observer.disconnect();
        if let Some(dark) = &self.dark {
            // The listener dies with the closure anyway; this only spares a call into nothing.
            let _ = dark.remove_event_listener_with_callback("change", self.callback.as_ref().unchecked_ref());
        }
    }
}
