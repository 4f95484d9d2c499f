//! A conversation to a file of the browser's machine, and from one.

use std::time::Duration;

use leptos::{html, prelude::*};
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, HtmlAnchorElement, Url};

use super::{
    conversation::Chat,
    parts::{button, when},
    transcript::{self, LARGEST},
};

/// The buttons for that, and those that begin anew and go back.
#[component]
pub(super) fn Files(chat: Chat) -> impl IntoView {
    let chooser = NodeRef::<html::Input>::new();
    let is_empty = when(move || chat.turns.with(Vec::is_empty));
    let is_first = when(move || chat.before.with(Vec::is_empty));
    let chosen = move |_| {
        let Some(chooser) = chooser.get_untracked() else { return };
        let file = chooser.files().and_then(|files| files.get(0));
        // The same file may be chosen again.
        chooser.set_value("");
        let Some(file) = file else { return };
        if file.size() > LARGEST {
            return chat.refused.set(Some("the file is too large to be a conversation of this page".into()));
        }
        leptos::task::spawn_local(async move {
            let text = JsFuture::from(file.text()).await.ok().and_then(|text| text.as_string());
            let read = text.ok_or_else(|| "the file could not be read".to_owned());
            // The page may be gone by now.
            if chat.turns.try_with_untracked(|_| ()).is_some() {
                chat.refused.set(read.and_then(|text| transcript::read(chat, &text)).err());
            }
        });
    };
    let begin = move || {
        chat.replace(Vec::new());
        chat.go_on();
    };
    let back = move || {
        chat.bring_back();
        chat.go_on();
    };
    view! {
        {button("Bring the last one back", "btn btn-sm btn-ghost", is_first, false.into(), back)}
        {button("New conversation", "btn btn-sm", false.into(), is_empty, begin)}
        <label class="btn btn-sm focus-within:outline-2">
            "Import"
            <input type="file" class="sr-only" node_ref=chooser accept="application/json,.json" on:change=chosen/>
        </label>
        {button("Export", "btn btn-sm", false.into(), is_empty, move || save(&transcript::write(chat)).unwrap_or_default())}
    }
    .into_any()
}

/// Lets the browser save `text`.
fn save(text: &str) -> Option<()> {
    let blob = Blob::new_with_str_sequence(&js_sys::Array::of1(&text.into())).ok()?;
    let address = Url::create_object_url_with_blob(&blob).ok()?;
    let link: HtmlAnchorElement = document().create_element("a").ok()?.dyn_into().ok()?;
    link.set_href(&address);
    link.set_download("conversation.json");
    link.click();
    // Some browsers read it only after the click.
    set_timeout(move || Url::revoke_object_url(&address).unwrap_or_default(), Duration::from_secs(60));
    Some(())
}
