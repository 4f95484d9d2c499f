//! The switch between light and dark. The choice is kept in a cookie, so that the server draws the next page in it.

use leptos::prelude::*;
use wasm_bindgen::JsCast;

use crate::visit::Theme;

/// A year in seconds.
const KEPT: u32 = 31_536_000;

/// Appears once the page is alive, because it does nothing before.
#[component]
pub fn ThemeToggle() -> impl IntoView {
    let alive = RwSignal::new(false);
    Effect::new(move |_| alive.set(true));
    view! {
        <button type="button" class="btn btn-ghost btn-sm" class:hidden=move || !alive.get() on:click=move |_| toggle()>
            "Light / dark"
        </button>
    }
}

/// Goes to the other of light and dark, starting from what is seen now.
fn toggle() {
    let Some(root) = document().document_element() else { return };
    let dark = match root.get_attribute("data-theme") {
        Some(theme) => theme == "dark",
        None => {
            window().match_media("(prefers-color-scheme: dark)").ok().flatten().is_some_and(|query| query.matches())
        }
    };
    let theme = if dark { Theme::Light } else { Theme::Dark };
    let Some(name) = theme.name() else { return };
    let _ = root.set_attribute("data-theme", name);
    let cookie = format!("{}={name}; Path=/admin; SameSite=Strict; Max-Age={KEPT}", Theme::COOKIE);
    let _ = document().unchecked_ref::<web_sys::HtmlDocument>().set_cookie(&cookie);
}
