//! The logo: the one in force, another from a file, and none again. A form of its own, because a file is chosen and not typed.

use domain::{admin::Role, look::Logo, settings::guide};
use js_sys::{Function, Promise, Reflect, Uint8Array};
use leptos::{ev::Event, html, prelude::*, task::spawn_local};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

use crate::{
    api::settings::{DropLogo, StoreLogo},
    components::{
        action::{ActionForm, FormAction, SubmitButton},
        allowed::may,
        fault::{FormFault, field_fault},
        field::input_name,
    },
    format::sentence,
};

/// Words that the search finds it by.
const WORDS: [&str; 3] = ["Logo", "Look", "image PNG JPEG WebP favicon icon"];
/// Longest file that is read, in bytes: more than a logo may have, so that the server says what it may have.
const MAX_FILE: f64 = 350_000.0;

/// Whether the search shows it.
pub(super) fn is_found(query: &str) -> bool {
    guide::matches(query, &WORDS)
}

#[component]
pub(super) fn LogoSetting(
    logo: Option<Logo>,
    query: RwSignal<String>,
    store: FormAction<StoreLogo>,
    remove: FormAction<DropLogo>,
) -> impl IntoView {
    let now = match logo.clone() {
        Some(Logo { address, width, height }) => {
            let words = format!("The logo in force, {width} × {height} pixels");
            view! {
                <img src=address width=width.to_string() height=height.to_string() alt=words class="h-16 w-auto max-w-full object-contain"/>
            }
            .into_any()
        }
        None => view! { <p class="text-sm text-muted">"There is none: pages show the title alone."</p> }.into_any(),
    };
    let forms = may(Role::Owner).then(|| {
        let removal = logo.is_some().then(|| {
            view! {
                <ActionForm action=remove>
                    <FormFault action=remove />
                    <SubmitButton label="Remove the logo" pending=remove.pending() class="btn btn-sm" />
                </ActionForm>
            }
        });
        view! { <Upload store />{removal} }
    });
    view! {
        <section
            id="logo" aria-labelledby="logo-title" tabindex="-1" class="card card-border mt-6 scroll-mt-16 border-base-300 bg-base-100 p-6 outline-none lg:scroll-mt-8"
            class:hidden=move || query.with(|query| !is_found(query))
        >
            <h2 id="logo-title" class="mb-3 font-semibold">"Logo"</h2>
            <div class="flex flex-col items-start gap-4">{now}{forms}</div>
        </section>
    }
    .into_any()
}

#[component]
fn Upload(store: FormAction<StoreLogo>) -> impl IntoView {
    let fault = field_fault(store, "logo");
    let area = NodeRef::<html::Textarea>::new();
    let (preview, unread) = (RwSignal::new(String::new()), RwSignal::new(false));
    let choose = move |event: Event| {
        let input: JsValue = event_target::<web_sys::HtmlInputElement>(&event).into();
        spawn_local(async move {
            let file = read(&input).await;
            // The page may have gone meanwhile.
            let _ = unread.try_set(file.is_none());
            let file = file.unwrap_or_default();
            if let Some(area) = area.try_get_untracked().flatten() {
                area.set_value(&file);
            }
            let _ = preview.try_set(file);
        });
    };
    let told = move || {
        let unread = unread.get().then(|| "This file could not be read, or is larger than 256 KB.".to_owned());
        unread.or_else(|| fault.get().map(|fault| sentence(&fault)))
    };
    let chosen = move || {
        // What is no image shows nothing; the server says why.
        preview.with(|address| (!address.is_empty()).then(|| address.clone())).map(|address| {
            view! { <img src=address alt="The chosen file" class="max-h-16 max-w-full self-start object-contain"/> }
        })
    };
    view! {
        <ActionForm action=store>
            <div class="flex flex-col items-start gap-2">
                <FormFault action=store fields=&["logo"] />
                <label class="text-sm font-medium noscript:hidden" for="logo-file">"Another logo"</label>
                // Only a script can read it, and it has no name, so that nothing of it is sent.
                <input
                    id="logo-file" type="file" accept="image/png,image/jpeg,image/webp" class="file-input w-full max-w-md noscript:hidden"
                    aria-describedby="logo-note logo-fault" on:change=choose
                />
                <label class="hidden text-sm font-medium noscript:block" for="logo-text">"Another logo: its file in base64, as base64 FILE prints it"</label>
                <textarea
                    id="logo-text" node_ref=area name=input_name("logo") rows="4" class="textarea hidden w-full max-w-md font-mono text-xs noscript:block"
                    autocapitalize="none" autocomplete="off" spellcheck="false" aria-describedby="logo-note logo-fault"
                ></textarea>
                {chosen}
                <p id="logo-note" class="max-w-prose text-sm text-muted">
                    "PNG, JPEG or WebP, at most 256 KB, 16 to 1024 pixels wide and high. It stands beside the title, on the sign-in page and in the browser\u{2019}s tab; pages that are open show it once they are loaded again."
                </p>
                <p id="logo-fault" class="text-sm text-error" aria-live="polite">{told}</p>
                <SubmitButton label="Save the logo" pending=store.pending() class="btn btn-primary btn-sm" />
            </div>
        </ActionForm>
    }
    .into_any()
}

/// The first file of a chooser as a `data:` address. `None` where it is too large or cannot be read; empty where no file is
/// chosen any more.
async fn read(input: &JsValue) -> Option<String> {
    let get = |of: &JsValue, name: &str| Reflect::get(of, &name.into()).ok();
    let file = Reflect::get_u32(&get(input, "files")?, 0).ok()?;
    if file.is_undefined() || file.is_null() {
        return Some(String::new());
    }
    if get(&file, "size")?.as_f64()? > MAX_FILE {
        return None;
    }
    let content: Promise =
        get(&file, "arrayBuffer")?.dyn_into::<Function>().ok()?.call0(&file).ok()?.dyn_into().ok()?;
    let bytes = Uint8Array::new(&JsFuture::from(content).await.ok()?).to_vec();
    let letters: String = bytes.iter().map(|byte| char::from(*byte)).collect();
    let kind = get(&file, "type")?.as_string().unwrap_or_default();
    Some(format!("data:{kind};base64,{}", window().btoa(&letters).ok()?))
}
