//! How long a backend is waited for, in the forms that add and change one: closed until it is asked for.

use domain::backend::{BackendView, Timeouts};
use leptos::prelude::*;

use crate::components::{action::AnyAction, fault::field_fault, field::Field};

const LABELS: [&str; 3] = ["Connection", "First byte", "Silence"];
const HINTS: [&str; 3] =
    ["1 to 60 seconds.", "1 to 86400 seconds. A cold model takes minutes.", "1 to 86400 seconds within an answer."];

/// Fields of the form of `action`, holding `values` (in the order of [`Timeouts::FIELDS`]) at first. `id` makes theirs
/// unique.
#[component]
pub(super) fn TimeoutFields(
    #[prop(into)] action: AnyAction,
    #[prop(into)] id: String,
    values: [String; 3],
    /// The backend has some of its own.
    #[prop(optional)]
    open: bool,
) -> impl IntoView {
    let faults = Timeouts::FIELDS.map(|field| field_fault(action, field));
    let faulty = move || faults.iter().any(|fault| fault.with(Option::is_some));
    let fields = values.into_iter().enumerate().map(|(index, value)| {
        let name = Timeouts::FIELDS[index];
        view! {
            <Field
                label=LABELS[index] name id=format!("{name}-{id}") value inputmode="numeric" placeholder="as in the settings"
                fault=faults[index] hint=HINTS[index]
            />
        }
    });
    view! {
        <details class="mt-3" open=move || open || faulty()>
            <summary class="cursor-pointer text-sm font-medium">"Time-outs of its own"</summary>
            <div class="mt-3 grid gap-3 md:grid-cols-3">{fields.collect_view()}</div>
        </details>
    }
    .into_any()
}

/// What is in force beside the settings, in a few words each.
pub(super) fn in_force(backend: &BackendView) -> impl Iterator<Item = String> {
    let told = |(label, seconds): (&str, Option<u32>)| Some(format!("{label} within {} s", seconds?));
    ["Connects", "First byte", "Next piece"].into_iter().zip(backend.timeouts.values()).filter_map(told)
}
