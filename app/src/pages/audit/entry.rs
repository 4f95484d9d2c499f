//! One row of the log: what happened in a line, and the rest of it under that.

use domain::{
    audit::{AuditChange, AuditEntry, AuditField, AuditOutcome},
    policy::format_utc,
};
use leptos::prelude::*;

use crate::{
    components::{badge::Badge, timestamp::Timestamp},
    format::{number, sentence, visible},
};

#[component]
pub(super) fn Entry(entry: AuditEntry) -> impl IntoView {
    let AuditEntry { id: _, at, actor, action, outcome, reason, count, changes } = entry;
    let look = match outcome {
        AuditOutcome::Done => ("Done", "status status-success"),
        AuditOutcome::Refused => ("Refused", "status status-error"),
    };
    let what = match (changes.as_slice(), &reason) {
        (_, Some(reason)) => reason.clone(),
        ([], None) => String::new(),
        ([first], None) => format!("{} {}", first.kind, first.name),
        ([first, rest @ ..], None) => format!("{} {} and {} more", first.kind, first.name, rest.len()),
    };
    let times = (count > 1).then(|| format!("{} times", number(count)));
    let mut facts = vec![("Time", format!("{} UTC", format_utc(at).replace('T', " ")))];
    facts.push(("From", actor.address.clone().unwrap_or_else(|| "this machine".to_owned())));
    facts.extend(actor.role.map(|role| ("Role", role.as_str().to_owned())));
    facts.extend(actor.id.as_ref().map(|id| ("Account", id.to_string())));
    facts.extend(reason.map(|reason| ("Reason", sentence(&reason))));
    facts.extend(times.clone().map(|times| ("Within a minute", times)));
    let facts = facts.into_iter().map(|(name, value)| {
        view! { <div class="min-w-0"><dt class="text-muted">{name}</dt><dd class="break-words">{visible(&value)}</dd></div> }
    });
    view! {
        <li>
            <details class="group">
                <summary class="flex cursor-pointer list-none flex-wrap items-center gap-x-2 gap-y-1 px-4 py-3 hover:bg-base-200 md:grid md:gap-x-4 md:grid-cols-[10rem_11rem_1fr_auto]">
                    <span class="order-3 text-sm text-muted md:order-1"><Timestamp at /></span>
                    <span class="order-2 min-w-0 text-sm break-words md:text-base">{visible(&actor.name)}</span>
                    <span class="order-1 w-full min-w-0 break-words md:order-3 md:w-auto">
                        <span class="mr-2 inline-block text-muted transition-transform group-open:rotate-90" aria-hidden="true">"›"</span>
                        <span class="font-medium">{sentence(&action).trim_end_matches('.').to_owned()}</span>
                        <span class="text-muted">{(!what.is_empty()).then(|| format!(": {}", visible(&what)))}{times.map(|times| format!(" ({times})"))}</span>
                    </span>
                    <span class="order-4 ml-auto"><Badge look /></span>
                </summary>
                <div class="flex flex-col gap-4 border-t border-base-300 bg-base-200 px-4 py-4">
                    <dl class="grid gap-x-6 gap-y-2 text-sm sm:grid-cols-2 lg:grid-cols-4">{facts.collect_view()}</dl>
                    {changes.into_iter().map(|change| view! { <Change change /> }).collect_view()}
                </div>
            </details>
        </li>
    }
    .into_any()
}

/// One thing that was changed, before and after.
#[component]
fn Change(change: AuditChange) -> impl IntoView {
    let AuditChange { kind, id, name, fields } = change;
    let title = format!("{} {}", sentence(&kind).trim_end_matches('.'), visible(&name));
    let id = (id != name).then(|| view! { <span class="ml-2 font-mono text-xs text-muted">{visible(&id)}</span> });
    let label = title.clone();
    let rows = fields.into_iter().map(|AuditField { field, before, after }| {
        view! {
            <tr>
                <th scope="row" class="align-top font-normal">{field}</th>
                <td class="align-top">{value(before)}</td>
                <td class="align-top">{value(after)}</td>
            </tr>
        }
    });
    view! {
        <section>
            <h2 class="mb-1 text-sm font-medium break-words">{title}{id}</h2>
            <div class="overflow-x-auto rounded-box border border-base-300 bg-base-100">
                <table class="table table-sm table-fixed" aria-label=label>
                    <thead><tr><th scope="col" class="w-1/4">"What"</th><th scope="col">"Before"</th><th scope="col">"After"</th></tr></thead>
                    <tbody>{rows.collect_view()}</tbody>
                </table>
            </div>
        </section>
    }
    .into_any()
}

fn value(value: Option<String>) -> impl IntoView {
    match value {
        Some(text) => view! { <span class="break-words">{visible(&text)}</span> }.into_any(),
        None => view! { <span class="text-muted">"none"</span> }.into_any(),
    }
}
