//! The form that says which requests to show. It is a GET form: the address it leads to is the page with them.

use domain::{
    endpoint::Endpoint,
    usage::{
        Outcome,
        asked::{AskLog, LogNames},
        report::ERRORS,
    },
};
use leptos::prelude::*;
use leptos_router::components::Form;

use super::{Asked, Found, HERE, words};
use crate::format::sentence;

/// Fields whose faults stand beside them.
pub(super) const FIELDS: &[&str] =
    &["from", "to", "user", "key", "model", "backend", "endpoint", "outcome", "status", "request"];
/// Those that are out of sight until they are wanted.
const MORE: [&str; 6] = ["from", "to", "user", "backend", "endpoint", "request"];

/// What a text field is about.
struct About {
    label: &'static str,
    name: &'static str,
    read: fn(&AskLog) -> &String,
    hint: &'static str,
    /// What is suggested.
    names: fn(&LogNames) -> Vec<String>,
}

#[component]
pub(super) fn FilterForm(asked: Memo<Asked>, found: Found) -> impl IntoView {
    let outcome = Signal::derive(move || asked.with(|asked| asked.log.outcome.clone()));
    let words = [("", "Any"), (ERRORS, "Errors of any kind")]
        .into_iter()
        .chain(Outcome::ALL.map(|outcome| (outcome.as_str(), words::outcome(outcome))));
    let options = words.map(move |(option, words)| {
        view! { <option value=option selected=move || outcome.get() == option>{words}</option> }
    });
    let fault = move |name: &'static str| found.get()?.err()?.field(name).map(str::to_owned);
    // The times that presets choose are not in sight there.
    let more = move || {
        MORE.iter().any(|name| fault(name).is_some())
            || asked.with(|Asked { log, .. }| {
                let preset = super::PRESETS.iter().any(|(age, _)| log.from == *age);
                log.pairs().any(|(name, _)| MORE.contains(&name) && !(name == "from" && preset))
            })
    };
    let field = move |about: About| text(about, asked, found);
    view! {
        <section aria-label="Filter" class="card card-border mb-6 border-base-300 bg-base-100">
            <div class="card-body">
                <Form method="GET" action=HERE>
                    {move || asked.with(|asked| asked.live).then(|| view! { <input type="hidden" name="live" value="1" /> })}
                    <div class="grid grid-cols-2 gap-x-4 gap-y-2 lg:grid-cols-4">
                        {field(About { label: "Key", name: "key", read: |log| &log.key, hint: "Its name or id", names: |names| names.keys.clone() })}
                        {field(About { label: "Model", name: "model", read: |log| &log.model, hint: "The whole name", names: |names| names.models.clone() })}
                        {field(About { label: "Status", name: "status", read: |log| &log.status, hint: "429, or 4xx for a class", names: |_| Vec::new() })}
                        <div class="flex min-w-0 flex-col gap-1">
                            <label class="text-sm font-medium" for="filter-outcome">"Outcome"</label>
                            <select id="filter-outcome" name="outcome" class="select w-full" prop:value=outcome>{options.collect_view()}</select>
                            <p class="text-sm text-error">{move || fault("outcome").map(|text| sentence(&text))}</p>
                        </div>
                    </div>
                    <details class="mt-2" open=more>
                        <summary class="cursor-pointer text-sm font-medium">"Time, user, backend, endpoint, request"</summary>
                        <div class="mt-2 grid grid-cols-2 gap-x-4 gap-y-2 lg:grid-cols-3">
                            {field(About { label: "From", name: "from", read: |log| &log.from, hint: "2026-12-31 08:00 in UTC, or how long ago: 24h", names: |_| Vec::new() })}
                            {field(About { label: "Until", name: "to", read: |log| &log.to, hint: "The same forms; empty is now", names: |_| Vec::new() })}
                            {field(About { label: "Request", name: "request", read: |log| &log.request, hint: "The x-request-id that the caller got", names: |_| Vec::new() })}
                            {field(About { label: "User", name: "user", read: |log| &log.user, hint: "The name or id", names: |names| names.users.clone() })}
                            {field(About { label: "Backend", name: "backend", read: |log| &log.backend, hint: "Its name or id", names: |names| names.backends.clone() })}
                            {field(About { label: "Endpoint", name: "endpoint", read: |log| &log.endpoint, hint: "The path, as /api/chat", names: |_| paths() })}
                        </div>
                    </details>
                    <div class="mt-3"><button type="submit" class="btn btn-primary btn-sm">"Show"</button></div>
                </Form>
            </div>
        </section>
    }
    .into_any()
}

fn paths() -> Vec<String> {
    Endpoint::ALL.iter().map(|endpoint| endpoint.path().to_owned()).collect()
}

fn text(about: About, asked: Memo<Asked>, found: Found) -> AnyView {
    let About { label, name, read, hint, names } = about;
    let value = Signal::derive(move || asked.with(|asked| read(&asked.log).clone()));
    let fault = Signal::derive(move || found.get()?.err()?.field(name).map(str::to_owned));
    let suggested = move || {
        let suggested = found.get().and_then(Result::ok).map(|view| names(&view.names)).unwrap_or_default();
        suggested.into_iter().map(|name| view! { <option value=name></option> }).collect_view()
    };
    let id = format!("filter-{name}");
    let (note, list) = (format!("{id}-note"), format!("{id}-list"));
    view! {
        <div class="flex min-w-0 flex-col gap-1">
            <label class="text-sm font-medium" for=id.clone()>{label}</label>
            // The attribute is for the first page, the property follows the address.
            <input
                class="input w-full" class:input-error=move || fault.get().is_some() id=id name=name type="text" maxlength="200"
                value=value.get_untracked() prop:value=value list=list.clone()
                autocomplete="off" autocapitalize="none" spellcheck="false"
                aria-invalid=move || fault.get().is_some().then_some("true") aria-describedby=note.clone()
            />
            <datalist id=list>{suggested}</datalist>
            <p id=note class="text-sm" class:text-error=move || fault.get().is_some() class:text-muted=move || fault.get().is_none()>
                {move || sentence(&fault.get().unwrap_or_else(|| hint.to_owned()))}
            </p>
        </div>
    }
    .into_any()
}
