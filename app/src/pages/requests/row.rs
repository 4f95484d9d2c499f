//! One request in the list: a row of a table where there is room for it, a card where there is not.

use domain::usage::log::LogRow;
use leptos::prelude::*;

use super::words::{duration, ended, moment, name, tokens};
use crate::{format::visible, session::encode_query_value};

/// Each part stands under the other with its name before it, as a card.
const CELL: &str = "max-xl:flex max-xl:justify-between max-xl:gap-4 max-xl:p-0 max-xl:text-right max-xl:before:shrink-0 max-xl:before:text-muted max-xl:before:content-[attr(data-name)]";

#[component]
pub(super) fn Row(row: LogRow, local: ReadSignal<bool>) -> impl IntoView {
    let at = row.at;
    let href = format!("/admin/requests/{}?at={at}", encode_query_value(&row.request));
    let (status, dot) = ended(&row);
    let cell = |label: &'static str, text: String| {
        view! { <td class=CELL data-name=label><span class="min-w-0 break-words">{text}</span></td> }.into_any()
    };
    let time = |label: &'static str, us: Option<u64>| {
        let text = us.map_or_else(|| "–".to_owned(), duration);
        view! { <td class=format!("{CELL} text-right tabular-nums") data-name=label>{text}</td> }.into_any()
    };
    let key = format!("{} ({})", name(&row.key), name(&row.user));
    let model = row.model.as_deref().map_or_else(|| row.endpoint.path().to_owned(), visible);
    let model = if row.unresolved { format!("{model} (unknown)") } else { model };
    let backend = row.backend.as_ref().map_or_else(|| "–".to_owned(), name);
    view! {
        <tr class="hover:bg-base-200 max-xl:flex max-xl:flex-col max-xl:gap-1 max-xl:rounded-box max-xl:border max-xl:border-base-300 max-xl:bg-base-100 max-xl:p-4">
            <td class="max-xl:p-0"><a class="link whitespace-nowrap tabular-nums max-xl:font-medium" href=href>{move || moment(at, local.get())}</a></td>
            {cell("Key", key)}
            {cell("Model", model)}
            {cell("Backend", backend)}
            <td class=CELL data-name="Ended"><span class="badge badge-ghost whitespace-nowrap"><span class=dot aria-hidden="true"></span>{status}</span></td>
            {cell("Tokens", tokens(&row))}
            {time("Queue", Some(row.queue_us))}
            {time("First byte", row.ttft_us)}
            {time("Total", Some(row.total_us))}
        </tr>
    }
    .into_any()
}
