//! A text in PEM: pasted, or read from a file by the browser. The file itself is never sent.

use js_sys::{Function, Promise, Reflect};
use leptos::{ev::Event, html, prelude::*, task::spawn_local};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

use crate::{
    api::network::StorePair,
    components::{action::FormAction, fault::field_fault, field::input_name},
    format::sentence,
};

/// Longest file that is read, in bytes: far more than any pair has.
const MAX_FILE: f64 = 1_000_000.0;

/// `file` is the name of the chooser.
#[component]
pub(super) fn Pem(
    store: FormAction<StorePair>,
    label: &'static str,
    name: &'static str,
    file: &'static str,
) -> impl IntoView {
    let fault = field_fault(store, name);
    let (id, note) = (format!("tls-{name}"), format!("tls-{name}-note"));
    let area = NodeRef::<html::Textarea>::new();
    let unread = RwSignal::new(false);
    let choose = move |event: Event| {
        let input: JsValue = event_target::<web_sys::HtmlInputElement>(&event).into();
        spawn_local(async move {
            let text = read(&input).await;
            // The page may have gone meanwhile.
            let _ = unread.try_set(text.is_none());
            if let (Some(text), Some(area)) = (text, area.try_get_untracked().flatten()) {
                area.set_value(&text);
            }
        });
    };
    let told = move || {
        let unread = unread.get().then(|| "This file could not be read as text.".to_owned());
        unread.or_else(|| fault.get().map(|fault| sentence(&fault)))
    };
    view! {
        <div class="flex flex-col gap-1">
            <label class="text-sm font-medium" for=id.clone()>{label}</label>
            // Only a script can read it, and it has no name, so that nothing of it is sent.
            <input type="file" class="file-input file-input-sm w-full max-w-md noscript:hidden" aria-label=file on:change=choose />
            <textarea
                class="textarea w-full font-mono text-xs"
                class:textarea-error=move || fault.get().is_some()
                id=id
                node_ref=area
                name=input_name(name)
                rows="5"
                autocapitalize="none"
                autocomplete="off"
                spellcheck="false"
                aria-invalid=move || fault.get().is_some().then_some("true")
                aria-describedby=note.clone()
            ></textarea>
            <p id=note class="text-sm text-error" aria-live="polite">{told}</p>
        </div>
    }
    .into_any()
}

/// The text of the first file of a chooser. `None` where it is too large or no text, as a key in DER is. Empty where no
/// file is chosen any more.
async fn read(input: &JsValue) -> Option<String> {
    let get = |of: &JsValue, name: &str| Reflect::get(of, &name.into()).ok();
    let file = Reflect::get_u32(&get(input, "files")?, 0).ok()?;
    if file.is_undefined() || file.is_null() {
        return Some(String::new());
    }
    if get(&file, "size")?.as_f64()? > MAX_FILE {
        return None;
    }
    let text: Promise = get(&file, "text")?.dyn_into::<Function>().ok()?.call0(&file).ok()?.dyn_into().ok()?;
    // What is not UTF-8 comes with replacement characters.
    JsFuture::from(text).await.ok()?.as_string().filter(|text| !text.contains([char::REPLACEMENT_CHARACTER, '\0']))
}
