//! One request in the list: a row of a table where there is room for it, a card where there is not.

use domain::usage::log::LogRow;
use leptos::prelude::*;

use super::words::{duration, ended, moment, name, tokens};
use crate::{format::visible, session::encode_query_value};

/// On a card each part stands under its name.
const CELL: &str = "max-xl:flex max-xl:border-0 max-xl:min-w-0 max-xl:flex-col max-xl:p-0 max-xl:before:text-xs max-xl:before:text-muted max-xl:before:content-[attr(data-name)]";

#[component]
pub(super) fn Row(row: LogRow, local: ReadSignal<bool>) -> impl IntoView {
    let at = row.at;
    let href = format!("/admin/requests/{}?at={at}", encode_query_value(&row.request));
    let (status, dot) = ended(&row);
    let cell = |label: &'static str, text: String, rest: Option<String>| {
        let rest = rest.map(|rest| view! { <span class="block text-xs text-muted break-words">{rest}</span> });
        view! { <td class=format!("{CELL} max-xl:col-span-3") data-name=label><span class="min-w-0 break-words">{text}</span>{rest}</td> }.into_any()
    };
    let time = |label: &'static str, us: Option<u64>| {
        let text = us.map_or_else(|| "–".to_owned(), duration);
        view! { <td class=format!("{CELL} max-xl:col-span-2 xl:text-right whitespace-nowrap tabular-nums") data-name=label>{text}</td> }.into_any()
    };
    let model = row.model.as_deref().map_or_else(|| row.endpoint.path().to_owned(), visible);
    let unknown = row.unresolved.then(|| "no backend has it".to_owned());
    let backend = row.backend.as_ref().map_or_else(|| "–".to_owned(), name);
    view! {
        <tr class="hover:bg-base-200 max-xl:grid max-xl:grid-cols-6 max-xl:gap-x-4 max-xl:gap-y-2 max-xl:rounded-box max-xl:border max-xl:border-base-300 max-xl:bg-base-100 max-xl:p-4">
            <td class="max-xl:order-first max-xl:col-span-3 max-xl:border-0 max-xl:p-0"><a class="link whitespace-nowrap tabular-nums max-xl:font-medium" href=href>{move || moment(at, local.get())}</a></td>
            {cell("Key", name(&row.key), Some(name(&row.user)))}
            {cell("Model", model, unknown)}
            {cell("Backend", backend, None)}
            <td class="max-xl:order-first max-xl:col-span-3 max-xl:border-0 max-xl:p-0 max-xl:text-right"><span class="badge badge-sm badge-ghost whitespace-nowrap"><span class=dot aria-hidden="true"></span>{status}</span></td>
            {cell("Tokens", tokens(&row), None)}
            {time("Queue", Some(row.queue_us).filter(|us| *us > 0))}
            {time("First byte", row.ttft_us)}
            {time("Total", Some(row.total_us))}
        </tr>
    }
    .into_any()
}
