//! Asking for a model.

use domain::pull::{PullPlace, StartPull};
use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use super::{Boxes, Wrong};
use crate::{
    answer::{ticked, typed_in},
    api::pulls::BeginPull,
    components::{
        action::{ActionForm, FormAction, SubmitButton},
        fault::{FormFault, field_fault},
        field::{Field, input_name},
        form::FormCard,
        listing::Saved,
        page::Empty,
    },
};

#[component]
pub(super) fn BeginForm(places: Memo<Vec<PullPlace>>, begin: FormAction<BeginPull>) -> impl IntoView {
    // Other pages lead here with a model in the address, and perhaps a backend, or the wish to have it brought up to date.
    let query = use_query_map();
    let model = query.with_untracked(|query| query.get("model")).unwrap_or_default();
    let update = query.with_untracked(|query| query.get("update")).is_some();
    let model = typed_in::<BeginPull>(&[], "model", &model);
    let none = move || places.with(Vec::is_empty);
    let faults = ["backends", "all", "holders"].map(|field| field_fault(begin, field));
    let faults = Signal::derive(move || faults.iter().find_map(|fault| fault.get()));
    view! {
        <div class:hidden=move || !none()>
            <Empty text="There is no backend that a model could be pulled to. Add one on the Backends page first." />
            <p class="mt-3 text-center"><a href="/admin/backends" class="link">"Add a backend"</a></p>
        </div>
        <div class:hidden=none>
            <FormCard id="begin-pull" title="Pull a model">
                <ActionForm action=begin>
                    <FormFault action=begin fields=&StartPull::FIELDS />
                    <div class="flex flex-col gap-4">
                        <div class="max-w-md">
                            <Field
                                label="Model" name="model" id="pull-model" value=model placeholder="qwen3:8b" fault=field_fault(begin, "model")
                                hint="As ollama.com or Hugging Face names it. A model that is there already is brought up to date."
                            />
                        </div>
                        <Boxes legend="Backends" places ticked=is_chosen />
                        <div class="flex flex-wrap gap-x-6 gap-y-2">
                            {several("all", "All backends that pull models", false)}
                            {several("holders", "Every backend that has it, to bring it up to date", update)}
                        </div>
                        <Wrong text=faults />
                    </div>
                    <div class="mt-4">
                        <SubmitButton label="Pull" pending=begin.pending() />
                    </div>
                    <Saved save=begin text="It is on its way: below stands how far it is." />
                </ActionForm>
            </FormCard>
        </div>
    }
    .into_any()
}

/// A box for many backends at once.
fn several(field: &'static str, label: &'static str, chosen: bool) -> AnyView {
    let chosen = ticked::<BeginPull>(field, chosen);
    view! {
        <label class="flex items-start gap-2">
            <input type="checkbox" class="checkbox checkbox-sm mt-0.5" name=input_name(field) value="true" checked=chosen />
            {label}
        </label>
    }
    .into_any()
}

fn is_chosen(field: &str, id: &str) -> bool {
    let asked = use_query_map().with_untracked(|query| query.get("backend")).is_some_and(|asked| asked == id);
    ticked::<BeginPull>(field, asked)
}
