//! The form that says which models to show. It is a GET form: the address it leads to is the page with these models.

use domain::{
    models::{AskModels, MAX_SEARCH, SHOWS, SORTS},
    usage::page::Choice,
};
use leptos::prelude::*;
use leptos_router::components::Form;

use super::{Found, HERE};
use crate::format::{sentence, visible};

#[component]
pub(super) fn FilterForm(asked: Memo<AskModels>, found: Found) -> impl IntoView {
    let fault = move |name: &'static str| {
        Signal::derive(move || {
            found.with(|found| {
                let faults = &found.as_ref()?.as_ref().ok()?.faults;
                faults.iter().find(|fault| fault.field == name).map(|fault| sentence(&fault.message))
            })
        })
    };
    let words = |words: [(&'static str, &'static str); 4]| {
        let choices = words.map(|(id, name)| Choice { id: id.to_owned(), name: name.to_owned() });
        Signal::stored(choices.to_vec())
    };
    let backends = Signal::derive(move || {
        let all = Choice { id: String::new(), name: "All backends".to_owned() };
        let known = found.with(|found| Some(found.as_ref()?.as_ref().ok()?.backends.clone()));
        [all].into_iter().chain(known.unwrap_or_default()).collect::<Vec<_>>()
    });
    let value = move |of: fn(&AskModels) -> &String| Memo::new(move |_| asked.with(|asked| of(asked).clone()));
    let search = value(|asked| &asked.search);
    view! {
        <section aria-label="Filter" class="card card-border mb-6 border-base-300 bg-base-100">
            <div class="card-body p-4">
                <Form method="GET" action=HERE>
                    <div class="grid grid-cols-2 gap-x-4 gap-y-2 lg:grid-cols-[2fr_1fr_1fr_1fr_auto]">
                        <div class="col-span-2 flex min-w-0 flex-col gap-1 lg:col-span-1">
                            <label class="text-sm font-medium" for="models-search">"Name"</label>
                            // The attribute is for the first page, the property follows the address.
                            <input
                                class="input w-full" id="models-search" name="search" type="search" maxlength=MAX_SEARCH.to_string()
                                value=search.get_untracked() prop:value=search placeholder="A part of it, as llama"
                                autocomplete="off" autocapitalize="none" spellcheck="false"
                            />
                            <Fault text=fault("search") />
                        </div>
                        {pick("backend", "Backend", value(|asked| &asked.backend), backends, fault("backend"))}
                        {pick("show", "Which", value(|asked| &asked.show), words(SHOWS), fault("show"))}
                        {pick("sort", "Order", value(|asked| &asked.sort), words(SORTS), fault("sort"))}
                        <div class="flex items-start lg:pt-6"><button type="submit" class="btn btn-primary">"Show"</button></div>
                    </div>
                    <Fault text=fault("page") />
                </Form>
            </div>
        </section>
    }
    .into_any()
}

#[component]
fn Fault(text: Signal<Option<String>>) -> impl IntoView {
    view! { <p class="text-sm text-error">{move || text.get()}</p> }
}

fn pick(
    name: &'static str,
    label: &'static str,
    value: Memo<String>,
    choices: Signal<Vec<Choice>>,
    fault: Signal<Option<String>>,
) -> AnyView {
    let id = format!("models-{name}");
    let of = id.clone();
    // Made anew when what is chosen changes: a browser keeps what was chosen by hand.
    let list = move || {
        let (value, mut choices) = (value.get(), choices.get());
        // Whatever the address says stays to be seen, and to be put right.
        if !choices.iter().any(|choice| choice.id == value) {
            choices.push(Choice { id: value.clone(), name: value.clone() });
        }
        let options = choices.into_iter().map(|Choice { id, name }| {
            let (name, selected) = (visible(&name), id == value);
            view! { <option value=id selected=selected>{name}</option> }.into_any()
        });
        let invalid = move || fault.with(Option::is_some).then_some("true");
        view! { <select id=id.clone() name=name class="select w-full" aria-invalid=invalid>{options.collect_view()}</select> }
            .into_any()
    };
    view! {
        <div class="flex min-w-0 flex-col gap-1">
            <label class="text-sm font-medium" for=of>{label}</label>
            {list}
            <Fault text=fault />
        </div>
    }
    .into_any()
}
