//! What to show: ranges as links, and the rest as a GET form. The address it leads to is the page with these numbers.

use domain::{
    endpoint::Endpoint,
    usage::{
        Outcome,
        page::{AskUsage, Choice, RANGES, UsageChoices},
        report::{ERRORS, GroupBy, Step},
    },
};
use leptos::prelude::*;
use leptos_router::components::Form;

use super::{Found, HERE, links::address, range};
use crate::format::{sentence, visible};

/// Stretches that end now.
#[component]
pub(super) fn Ranges(asked: Memo<AskUsage>) -> impl IntoView {
    let links = RANGES.map(|(word, name, _)| {
        // Another range may be too long for its step.
        let href = move || {
            let asked = asked.get();
            address(&AskUsage { range: word.to_owned(), from: String::new(), to: String::new(), step: String::new(), ..asked })
        };
        let is_now = move || asked.with(|asked| range(asked) == Some(word));
        view! {
            <a class="btn btn-sm join-item" class:btn-primary=is_now aria-current=move || is_now().then_some("true") href=href>{name}</a>
        }
    });
    view! { <nav aria-label="Range" class="join mb-3 flex-wrap">{links.collect_view()}</nav> }.into_any()
}

#[component]
pub(super) fn FilterForm(asked: Memo<AskUsage>, found: Found) -> impl IntoView {
    let choices = Memo::new(move |_| {
        found.with(|found| found.as_ref()?.as_ref().ok().map(|page| page.choices.clone())).unwrap_or_default()
    });
    let chosen = move |field: &'static str| {
        found.with(|found| {
            let chosen = &found.as_ref()?.as_ref().ok()?.shown.as_ref()?.chosen;
            chosen.iter().find(|chosen| chosen.field == field).map(|chosen| chosen.of.name.clone())
        })
    };
    let field = move |name: &'static str| Given {
        name,
        value: Memo::new(move |_| asked.with(|asked| asked.get(name))),
        fault: Memo::new(move |_| {
            found.with(|found| {
                let faults = &found.as_ref()?.as_ref().ok()?.faults;
                faults.iter().find(|fault| fault.field == name).map(|fault| fault.message.clone())
            })
        }),
    };
    let words = |words: Vec<(&str, &str)>| -> Vec<Choice> {
        words.into_iter().map(|(id, name)| Choice { id: id.to_owned(), name: name.to_owned() }).collect()
    };
    let fixed = move |name: &'static str, label: &'static str, choices: Vec<Choice>| {
        select(field(name), label, Signal::stored(choices))
    };
    // What is chosen and not offered has its name all the same.
    let offered = move |name: &'static str, label: &'static str, all: fn(&UsageChoices) -> &Vec<Choice>| {
        let choices = Memo::new(move |_| {
            let mut list = vec![Choice { id: String::new(), name: "All".to_owned() }];
            choices.with(|choices| list.extend(all(choices).iter().cloned()));
            let value = asked.with(|asked| asked.get(name));
            if let Some(name) = chosen(name).filter(|_| !list.iter().any(|choice| choice.id == value)) {
                list.push(Choice { id: value, name });
            }
            list
        });
        select(field(name), label, choices.into())
    };
    let steps = words(vec![
        ("", "As fits"),
        (Step::Hour.as_str(), "Hours"),
        (Step::Day.as_str(), "Days"),
        (Step::Week.as_str(), "Weeks"),
    ]);
    let groups = words(
        GroupBy::ALL
            .iter()
            .map(|by| if *by == GroupBy::default() { ("", by.as_str()) } else { (by.as_str(), by.as_str()) })
            .collect(),
    );
    let endpoints = words(
        [("", "All")]
            .into_iter()
            .chain(Endpoint::ALL.iter().map(|endpoint| (endpoint.path(), endpoint.path())))
            .collect(),
    );
    let mut outcomes = words(vec![("", "All"), (ERRORS, "All errors")]);
    outcomes.extend(Outcome::ALL.map(|outcome| {
        let word = outcome.as_str();
        Choice { id: word.to_owned(), name: sentence(&word.replace('_', " ")).trim_end_matches('.').to_owned() }
    }));
    let range = field("range");
    view! {
        <section aria-label="Filter" class="card card-border mb-6 border-base-300 bg-base-100">
            <div class="card-body p-4">
                <Form method="GET" action=HERE>
                    <input type="hidden" name="range" value=range.value prop:value=range.value />
                    {fault(range)}
                    <div class="grid grid-cols-2 gap-x-4 gap-y-2 md:grid-cols-3 lg:grid-cols-6">
                        {text(field("from"), "From day", "date", "Instead of the range")}
                        {text(field("to"), "To day", "date", "Itself included")}
                        {fixed("step", "Step", steps)}
                        {fixed("by", "Group by", groups)}
                        {text(field("zone"), "Time zone", "text", "As Europe/Berlin")}
                        {fixed("outcome", "Outcome", outcomes)}
                        {offered("user", "User", |choices| &choices.users)}
                        {offered("key", "Key", |choices| &choices.keys)}
                        {offered("model", "Model", |choices| &choices.models)}
                        {offered("backend", "Backend", |choices| &choices.backends)}
                        {fixed("endpoint", "Endpoint", endpoints)}
                        <div class="flex items-start pt-6"><button type="submit" class="btn btn-primary">"Show"</button></div>
                    </div>
                </Form>
            </div>
        </section>
    }
    .into_any()
}

/// A field of the form.
#[derive(Clone, Copy)]
struct Given {
    name: &'static str,
    value: Memo<String>,
    fault: Memo<Option<String>>,
}

fn fault(field: Given) -> AnyView {
    let id = format!("usage-{}-note", field.name);
    view! { <p id=id class="text-sm text-error">{move || field.fault.get().map(|text| sentence(&text))}</p> }.into_any()
}

fn select(field: Given, label: &'static str, choices: Signal<Vec<Choice>>) -> AnyView {
    let Given { name, value, .. } = field;
    let id = format!("usage-{name}");
    let (of, note) = (id.clone(), format!("{id}-note"));
    // Made anew when what is chosen changes: a browser keeps what was chosen by hand.
    let list = move || {
        let value = value.get();
        let mut choices = choices.get();
        // Whatever the address says stays to be seen, and to be put right.
        if !choices.iter().any(|choice| choice.id == value) {
            choices.push(Choice { id: value.clone(), name: value.clone() });
        }
        let options = choices.into_iter().map(|Choice { id, name }| {
            let name = visible(&name);
            let selected = id == value;
            view! { <option value=id selected=selected>{name}</option> }
        });
        let invalid = move || field.fault.with(Option::is_some).then_some("true");
        view! {
            <select id=id.clone() name=name class="select w-full" aria-invalid=invalid aria-describedby=note.clone()>{options.collect_view()}</select>
        }
        .into_any()
    };
    view! {
        <div class="flex min-w-0 flex-col gap-1">
            <label class="text-sm font-medium" for=of>{label}</label>
            {list}
            {fault(field)}
        </div>
    }
    .into_any()
}

fn text(field: Given, label: &'static str, kind: &'static str, hint: &'static str) -> AnyView {
    let Given { name, value, .. } = field;
    let id = format!("usage-{name}");
    let note = format!("{id}-note");
    let invalid = move || field.fault.with(Option::is_some).then_some("true");
    // A browser shows nothing that is no day in a field for days, and what was typed must stay.
    let kind = move || {
        if kind == "date" && value.with(|value| !value.is_empty() && value.len() != 10) { "text" } else { kind }
    };
    view! {
        <div class="flex min-w-0 flex-col gap-1">
            <label class="text-sm font-medium" for=id.clone()>{label}</label>
            <input
                class="input w-full" id=id name=name type=kind maxlength="64" value=value.get_untracked() prop:value=value
                autocomplete="off" autocapitalize="none" spellcheck="false" aria-invalid=invalid aria-describedby=note.clone()
            />
            <p id=note class="text-sm" class:text-error=move || field.fault.with(Option::is_some) class:text-muted=move || field.fault.with(Option::is_none)>
                {move || sentence(&field.fault.get().unwrap_or_else(|| hint.to_owned()))}
            </p>
        </div>
    }
    .into_any()
}
