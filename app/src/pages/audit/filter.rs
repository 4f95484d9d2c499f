//! The form that says which rows to show. It is a GET form: the address it leads to is the page with these rows.

use domain::audit::{MAX_TEXT, ReadAudit};
use leptos::prelude::*;
use leptos_router::components::Form;

use super::{Found, HERE};
use crate::format::sentence;

#[component]
pub(super) fn FilterForm(filter: Memo<ReadAudit>, found: Found) -> impl IntoView {
    let fault = move |name: &'static str| Signal::derive(move || found.get()?.err()?.field(name).map(str::to_owned));
    let value =
        move |read: fn(&ReadAudit) -> &String| Signal::derive(move || filter.with(|filter| read(filter).clone()));
    let outcome = value(|filter| &filter.outcome);
    let options = [("", "Done and refused"), ("done", "Done"), ("refused", "Refused")].map(|(option, words)| {
        view! { <option value=option selected=move || outcome.get() == option>{words}</option> }
    });
    view! {
        <section aria-label="Filter" class="card card-border mb-6 border-base-300 bg-base-100">
            <div class="card-body">
                <Form method="GET" action=HERE>
                    <div class="grid grid-cols-2 gap-x-4 gap-y-2 lg:grid-cols-[1fr_1fr_12rem_1fr_1fr]">
                        <TextFilter label="Who" name="actor" value=value(|filter| &filter.actor) fault=fault("actor") hint="The whole name" most=100 />
                        <TextFilter label="Containing" name="text" value=value(|filter| &filter.text) fault=fault("text") hint="In action, reason, address or change" most=MAX_TEXT />
                        <div class="col-span-2 flex flex-col gap-1 lg:col-span-1">
                            <label class="text-sm font-medium" for="filter-outcome">"Outcome"</label>
                            <select id="filter-outcome" name="outcome" class="select w-full" prop:value=outcome>{options.collect_view()}</select>
                            <p class="text-sm text-error">{move || fault("outcome").get().map(|text| sentence(&text))}</p>
                        </div>
                        <TextFilter label="From" name="from" value=value(|filter| &filter.from) fault=fault("from") hint="2026-12-31 08:00 in UTC, or how long ago: 24h" most=40 />
                        <TextFilter label="Until" name="to" value=value(|filter| &filter.to) fault=fault("to") hint="The same forms" most=40 />
                    </div>
                    <div class="mt-3"><button type="submit" class="btn btn-primary btn-sm">"Show"</button></div>
                </Form>
            </div>
        </section>
    }
    .into_any()
}

#[component]
fn TextFilter(
    label: &'static str,
    name: &'static str,
    value: Signal<String>,
    fault: Signal<Option<String>>,
    hint: &'static str,
    /// Characters a browser lets one type.
    most: usize,
) -> impl IntoView {
    let id = format!("filter-{name}");
    let note = format!("{id}-note");
    view! {
        <div class="flex min-w-0 flex-col gap-1">
            <label class="text-sm font-medium" for=id.clone()>{label}</label>
            // The attribute is for the first page, the property follows the address.
            <input
                class="input w-full" class:input-error=move || fault.get().is_some() id=id name=name type="text" maxlength=most.to_string()
                value=value.get_untracked() prop:value=value
                autocomplete="off" autocapitalize="none" spellcheck="false"
                aria-invalid=move || fault.get().is_some().then_some("true") aria-describedby=note.clone()
            />
            <p id=note class="text-sm" class:text-error=move || fault.get().is_some() class:text-muted=move || fault.get().is_none()>
                {move || sentence(&fault.get().unwrap_or_else(|| hint.to_owned()))}
            </p>
        </div>
    }
    .into_any()
}
