//! Tables of texts: most of the page.

use leptos::prelude::*;

/// A table whose first column says what its rows are.
pub(super) fn table(caption: &str, head: Vec<String>, rows: Vec<Vec<String>>) -> AnyView {
    linked(caption, head, rows.into_iter().map(|row| (row, Vec::new())).collect())
}

/// A link with the words that are seen, and those for who hears them only.
pub(super) type Link = (&'static str, String, String);

/// The same with links at the end of rows.
pub(super) fn linked(caption: &str, head: Vec<String>, rows: Vec<(Vec<String>, Vec<Link>)>) -> AnyView {
    let has_links = rows.iter().any(|(_, links)| !links.is_empty());
    let head = head
        .into_iter()
        .map(|name| view! { <th scope="col" class="align-bottom text-xs whitespace-normal">{name}</th> })
        .collect_view();
    let more = has_links.then(|| view! { <th scope="col"><span class="sr-only">"Links"</span></th> });
    let rows = rows.into_iter().map(|(cells, links)| {
        let cells = cells.into_iter().enumerate().map(|(at, text)| match at {
            0 => view! { <th scope="row" class="font-normal break-words">{text}</th> }.into_any(),
            _ => view! { <td class="tabular-nums whitespace-nowrap">{text}</td> }.into_any(),
        });
        let cells = cells.collect_view();
        let links = links.into_iter().map(|(words, of, href)| {
            view! { <a class="link" href=href>{words}<span class="sr-only">{of}</span></a> }.into_any()
        });
        let links = has_links
            .then(|| view! { <td><div class="flex gap-3 whitespace-nowrap">{links.collect_view()}</div></td> });
        view! { <tr>{cells}{links}</tr> }.into_any()
    });
    let rows = rows.collect_view();
    view! {
        <table class="table table-xs">
            <caption class="sr-only">{caption.to_owned()}</caption>
            <thead><tr>{head}{more}</tr></thead>
            <tbody>{rows}</tbody>
        </table>
    }
    .into_any()
}
