//! A button that copies a text, also where browsers hide the clipboard from pages: on a LAN without TLS.

use leptos::prelude::*;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;

/// Copies `text`. Appears once the page is alive, because it does nothing before.
#[component]
pub fn CopyButton(
    #[prop(into)] text: Signal<String>,
    #[prop(default = "btn btn-sm")] class: &'static str,
) -> impl IntoView {
    let alive = RwSignal::new(false);
    Effect::new(move |_| alive.set(true));
    let state = RwSignal::new("Copy");
    let copy = move |_| {
        let text = text.get_untracked();
        leptos::task::spawn_local(async move {
            state.set(if copy(&text).await { "Copied" } else { "Press Ctrl+C" });
            set_timeout(move || state.set("Copy"), std::time::Duration::from_secs(2));
        });
    };
    view! {
        <button type="button" class=class class:hidden=move || !alive.get() on:click=copy>
            <span aria-live="polite">{move || state.get()}</span>
        </button>
    }
}

/// Says whether the text is on the clipboard now.
async fn copy(text: &str) -> bool {
    let window = window();
    if window.is_secure_context() && JsFuture::from(window.navigator().clipboard().write_text(text)).await.is_ok() {
        return true;
    }
    copy_by_selection(text).unwrap_or(false)
}

/// The way without the clipboard API: select the text in a field out of sight and let the browser copy the selection.
/// Inside an open dialog only the dialog's own content can be selected, so the field goes beside the focused element.
fn copy_by_selection(text: &str) -> Option<bool> {
    let document = document();
    let field: web_sys::HtmlTextAreaElement = document.create_element("textarea").ok()?.dyn_into().ok()?;
    field.set_value(text);
    field.set_read_only(true);
    field.set_class_name("sr-only");
    let focused = document.active_element();
    let place =
        focused.as_ref().and_then(|element| element.parent_element()).or_else(|| document.body().map(Into::into))?;
    place.append_child(&field).ok()?;
    field.select();
    let copied = document.unchecked_ref::<web_sys::HtmlDocument>().exec_command("copy");
    field.remove();
    if let Some(focused) = focused.and_then(|element| element.dyn_into::<web_sys::HtmlElement>().ok()) {
        let _ = focused.focus();
    }
    Some(copied.unwrap_or(false))
}
