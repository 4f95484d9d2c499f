//! What is asked, and how: one model or two, the system prompt, the options.

use leptos::prelude::*;

use super::{
    conversation::Chat,
    file::Files,
    options::{COUNT, OPTIONS},
    parts::{part, said, when},
};
use crate::format::{sentence, visible};

/// Names that can be chosen.
pub(super) type Known = StoredValue<Vec<String>>;

#[component]
pub(super) fn Setup(chat: Chat, known: Known) -> impl IntoView {
    let [first, second] = chat.models;
    let any_fault = when(move || chat.faults.with(|faults| faults.iter().any(Option::is_some)));
    view! {
        <section aria-label="Model and options" class="flex flex-col gap-4 rounded-box border border-base-300 bg-base-100 p-4">
            <div class="grid gap-4 md:grid-cols-2">
                <Model label="Model" id="model" model=first known />
                <div class:hidden=when(move || !chat.both.get())><Model label="Second model" id="model-2" model=second known /></div>
            </div>
            <div class="flex flex-wrap items-center justify-between gap-3">
                <label class="flex w-fit items-center gap-2 text-sm">
                    <input type="checkbox" class="checkbox checkbox-sm" prop:checked=chat.both on:change=move |event| chat.both.set(event_target_checked(&event))/>
                    "Ask two models side by side"
                </label>
                <div class="flex flex-wrap gap-2"><Files chat /></div>
            </div>
            <p role="alert" class="text-sm text-error empty:hidden">{said(move || chat.refused.get().map(|why| sentence(&why)))}</p>
            <details open=any_fault>
                <summary class="w-fit cursor-pointer text-sm font-medium">"System prompt and options"</summary>
                <div class="mt-4 flex flex-col gap-4">
                    <div class="flex flex-col gap-1">
                        <label class="text-sm font-medium" for="system">"System prompt"</label>
                        <textarea
                            id="system" class="textarea w-full" rows="3" prop:value=chat.system
                            on:input=move |event| chat.system.set(event_target_value(&event))
                        ></textarea>
                    </div>
                    <div class="grid gap-4 sm:grid-cols-2 lg:grid-cols-3">{(0..COUNT).map(|at| one(chat, at)).collect_view()}</div>
                </div>
            </details>
        </section>
    }
    .into_any()
}

/// A choice among what the fleet has. What was asked for in the address or stands in a file may be gone: it stays a choice.
#[component]
pub(super) fn Model(label: &'static str, id: &'static str, model: RwSignal<String>, known: Known) -> impl IntoView {
    let options = move || {
        let chosen = model.get();
        known.with_value(|known| {
            let option = |name: &String, text: String| {
                let is_chosen = *name == chosen;
                view! { <option value=name.clone() prop:selected=is_chosen>{text}</option> }.into_any()
            };
            let missing = (!known.contains(&chosen)).then(|| {
                let text = if chosen.is_empty() {
                    "Choose a model".into()
                } else {
                    format!("{} (not in the list)", visible(&chosen))
                };
                option(&chosen, text)
            });
            missing
                .into_iter()
                .chain(known.iter().map(|name| option(name, visible(name))))
                .collect::<Vec<_>>()
                .into_any()
        })
    };
    view! {
        <div class="flex flex-col gap-1">
            <label class="text-sm font-medium" for=id>{label}</label>
            <select id=id class="select w-full" autocomplete="off" on:change=move |event| model.set(event_target_value(&event))>{part(options)}</select>
        </div>
    }
    .into_any()
}

/// One option.
fn one(chat: Chat, at: usize) -> AnyView {
    let (name, label, hint) = OPTIONS[at];
    let id = format!("option-{name}");
    let note = format!("{id}-note");
    let fault = move || chat.faults.with(|faults| faults[at]);
    let wrong = when(move || fault().is_some());
    view! {
        <div class="flex flex-col gap-1">
            <label class="text-sm font-medium" for=id.clone()>{label}</label>
            <input
                id=id class="input w-full" autocomplete="off" autocapitalize="none" spellcheck="false"
                class:input-error=wrong aria-invalid=move || fault().map(|_| "true") aria-describedby=note.clone()
                prop:value=move || chat.options.with(|typed| typed[at].clone())
                on:input=move |event| chat.options.update(|typed| typed[at] = event_target_value(&event))
            />
            <p id=note class="text-sm" class:text-error=wrong class:text-muted=when(move || !wrong.get())>
                {said(move || Some(sentence(fault().unwrap_or(hint))))}
            </p>
        </div>
    }
    .into_any()
}
