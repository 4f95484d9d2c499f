//! Blocks as elements of our own. Whatever a model writes becomes text in them and nothing else.

use leptos::prelude::*;

use super::{Block, Item, Span};
use crate::components::copy_button::CopyButton;

/// How far in an item stands.
const INDENTS: [&str; 4] = ["flex gap-2", "flex gap-2 ml-5", "flex gap-2 ml-10", "flex gap-2 ml-15"];

/// One block; only one that is `finished` can be copied from.
pub(in super::super) fn block(block: &Block, finished: bool) -> AnyView {
    match block {
        Block::Heading(rank, spans) => {
            let text = inside(spans);
            // Below the headings of the page, so that they do not pretend to be some.
            match rank {
                1 => view! { <h3 class="mt-2 text-lg font-semibold">{text}</h3> }.into_any(),
                2 => view! { <h4 class="mt-2 text-lg font-semibold">{text}</h4> }.into_any(),
                _ => view! { <h5 class="mt-1 font-semibold">{text}</h5> }.into_any(),
            }
        }
        Block::Paragraph(spans) => view! { <p class="whitespace-pre-line">{inside(spans)}</p> }.into_any(),
        Block::Code { language, text } => code(language, text, finished),
        Block::List(items) => {
            view! { <ul role="list" class="flex flex-col gap-1">{items.iter().map(item).collect_view()}</ul> }
                .into_any()
        }
        Block::Quote(blocks) => {
            let blocks = blocks.iter().map(|inner| self::block(inner, finished)).collect_view();
            view! { <blockquote class="flex flex-col gap-3 border-l-4 border-base-300 pl-4 text-muted">{blocks}</blockquote> }
                .into_any()
        }
        Block::Table(rows) => table(rows),
        Block::Rule => view! { <hr class="border-base-300"/> }.into_any(),
    }
}

fn code(language: &str, text: &str, finished: bool) -> AnyView {
    let copy = finished.then(|| view! { <CopyButton text=text.to_owned() class="btn btn-xs"/> });
    let name = if language.is_empty() { "code" } else { language }.to_owned();
    view! {
        <div class="overflow-hidden rounded-box bg-base-300">
            <div class="flex min-h-8 items-center justify-between gap-2 px-3 pt-1 text-xs text-muted"><span class="min-w-0 truncate">{name}</span>{copy}</div>
            <pre class="overflow-x-auto px-3 pt-1 pb-3 text-sm leading-relaxed" tabindex="0"><code>{text.to_owned()}</code></pre>
        </div>
    }
    .into_any()
}

fn item(item: &Item) -> AnyView {
    let class = INDENTS[item.depth.min(INDENTS.len() - 1)];
    let mark = if item.number.is_empty() { "•".to_owned() } else { format!("{}.", item.number) };
    view! { <li class=class><span class="shrink-0 text-muted">{mark}</span><span class="min-w-0 whitespace-pre-line">{inside(&item.text)}</span></li> }
        .into_any()
}

fn table(rows: &[Vec<Vec<Span>>]) -> AnyView {
    let head = rows.iter().take(1).flatten().map(|cell| view! { <th scope="col">{inside(cell)}</th> }).collect_view();
    let row = |row: &Vec<Vec<Span>>| {
        let cells = row.iter().map(|cell| view! { <td>{inside(cell)}</td> }).collect_view();
        view! { <tr>{cells}</tr> }
    };
    let rows = rows.iter().skip(1).map(row).collect_view();
    view! {
        <div class="overflow-x-auto" tabindex="0">
            <table class="table table-sm w-auto"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>
        </div>
    }
    .into_any()
}

fn inside(spans: &[Span]) -> Vec<AnyView> {
    spans.iter().map(span).collect()
}

fn span(span: &Span) -> AnyView {
    match span {
        Span::Text(text) => text.clone().into_any(),
        Span::Code(text) => {
            view! { <code class="rounded bg-base-300 px-1 py-0.5 text-[0.9em] break-words">{text.clone()}</code> }
                .into_any()
        }
        Span::Strong(spans) => view! { <strong>{inside(spans)}</strong> }.into_any(),
        Span::Emphasis(spans) => view! { <em>{inside(spans)}</em> }.into_any(),
        Span::Link { to, text } => {
            let shown = if text.is_empty() { vec![to.clone().into_any()] } else { inside(text) };
            view! {
                <a href=to.clone() title=to.clone() class="link break-words" target="_blank" rel="noopener noreferrer nofollow">{shown}</a>
            }
            .into_any()
        }
    }
}
