//! How much of the work a backend gets, in the forms that add and change one: closed until it is asked for.

use domain::backend::BackendView;
use leptos::prelude::*;

use crate::components::{action::AnyAction, fault::field_fault, field::Field};

const FIELDS: [&str; 3] = ["parallel", "weight", "priority"];

/// Fields of the form of `action`, holding `values` (bound, weight, priority) at first. `id` makes theirs unique.
#[component]
pub(super) fn ShareFields(
    #[prop(into)] action: AnyAction,
    #[prop(into)] id: String,
    values: [String; 3],
    /// Something in it is not as it is by default.
    #[prop(optional)]
    open: bool,
) -> impl IntoView {
    let faults = FIELDS.map(|field| field_fault(action, field));
    let faulty = move || faults.iter().any(|fault| fault.with(Option::is_some));
    let [parallel, weight, priority] = values;
    view! {
        <details class="mt-3" open=move || open || faulty()>
            <summary class="cursor-pointer text-sm font-medium">"Share of the work"</summary>
            <div class="mt-3 grid gap-3 md:grid-cols-3">
                <Field
                    label="Requests at once" name="parallel" id=format!("parallel-{id}") value=parallel inputmode="numeric" placeholder="learned"
                    fault=faults[0] hint="More wait in the gateway. Empty: learned from the backend."
                />
                <Field
                    label="Weight" name="weight" id=format!("weight-{id}") value=weight inputmode="numeric" placeholder="1"
                    fault=faults[1] hint="1 to 100. A backend of weight 2 gets twice the work of one of weight 1."
                />
                <Field
                    label="Priority" name="priority" id=format!("priority-{id}") value=priority inputmode="numeric" placeholder="0"
                    fault=faults[2] hint="0 to 100. A higher one is used first, a lower one when those have no free slot."
                />
            </div>
        </details>
    }
    .into_any()
}

/// What is in force, in a few words each.
pub(in crate::pages) fn in_force(backend: &BackendView) -> Vec<String> {
    let at_once = match (backend.parallel, backend.limit) {
        (Some(parallel), _) => Some(format!("At most {parallel} at once")),
        (None, Some(learned)) => Some(format!("At most {learned} at once (learned)")),
        (None, None) => None,
    };
    let weight = (backend.weight != 1).then(|| format!("Weight {}", backend.weight));
    let priority = (backend.priority != 0).then(|| format!("Priority {}", backend.priority));
    [at_once, weight, priority].into_iter().flatten().collect()
}
