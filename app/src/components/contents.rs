//! The contents of a long page: links to its parts, beside it where there is room and above it on phones, of which the one
//! that is read is marked.

use leptos::{html, prelude::*};
use leptos_router::hooks::use_location;
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;

use super::focus::focus_soon;

/// A part is read from the moment its top is above this, in pixels from that of the window.
const LINE: f64 = 140.0;

/// Links to the elements of these ids.
#[component]
pub fn Contents(
    #[prop(into)] entries: Vec<(&'static str, &'static str)>,
    /// Those whose parts are not drawn now.
    #[prop(optional, into)]
    hidden: Option<Callback<&'static str, bool>>,
) -> impl IntoView {
    let here = RwSignal::new(None::<&'static str>);
    let bar = NodeRef::<html::Nav>::new();
    let ids: Vec<&'static str> = entries.iter().map(|(id, _)| *id).collect();
    Effect::new(move |_| {
        let ids = ids.clone();
        let look = move || {
            let read = part_read(&ids);
            if here.get_untracked() != read {
                here.set(read);
            }
        };
        look();
        let scrolled = window_event_listener(leptos::ev::scroll, move |_| look());
        on_cleanup(move || scrolled.remove());
    });
    // On phones the links are one line, which is moved along.
    Effect::new(move |_| {
        if let (Some(id), Some(bar)) = (here.get(), bar.get_untracked()) {
            let link = bar.query_selector(&format!("[href='#{id}']")).ok().flatten();
            if let Some(link) = link.and_then(|link| link.dyn_into::<HtmlElement>().ok()) {
                bar.set_scroll_left(link.offset_left() - bar.offset_left() - 16);
            }
        }
    });
    let links = entries
        .into_iter()
        .map(|(id, title)| {
            view! {
                <li class:hidden=move || hidden.is_some_and(|hidden| hidden.run(id))>
                    <a
                        class="block rounded-field px-3 py-1.5 text-sm whitespace-nowrap hover:bg-base-300 aria-[current]:bg-base-300 aria-[current]:font-medium lg:whitespace-normal"
                        href=format!("#{id}") aria-current=move || (here.get() == Some(id)).then_some("location")
                    >
                        {title}
                    </a>
                </li>
            }
        })
        .collect_view();
    view! {
        <nav
            aria-label="On this page" node_ref=bar
            class="sticky top-0 z-10 -mx-4 mb-4 overflow-x-auto border-b border-base-300 bg-base-200 px-4 py-2 lg:top-8 lg:mx-0 lg:mb-0 lg:self-start lg:overflow-visible lg:border-0 lg:p-0"
        >
            <ul class="flex gap-1 lg:flex-col">{links}</ul>
        </nav>
    }
    .into_any()
}

/// The last part that begins above the line. At the end of the page, where the last ones cannot come so far up, the one that
/// the address names, if it is in sight, or the last.
fn part_read(ids: &[&'static str]) -> Option<&'static str> {
    let (window, document) = (window(), document());
    let top = window.scroll_y().unwrap_or_default();
    let height = window.inner_height().ok().and_then(|height| height.as_f64()).unwrap_or_default();
    let whole = document.document_element().map_or(0, |root| root.scroll_height());
    let end = top > 0.0 && top + height + 2.0 >= f64::from(whole);
    let named = window.location().hash().unwrap_or_default();
    let mut read = ids.first().copied();
    for id in ids {
        let part = document.get_element_by_id(id).and_then(|part| part.dyn_into::<HtmlElement>().ok());
        // What is not drawn has no height.
        let Some(part) = part.filter(|part| part.offset_height() > 0) else { continue };
        let above = f64::from(part.offset_top()) - top;
        if end || above < LINE {
            read = Some(*id);
        }
        if end && above >= 0.0 && named.strip_prefix('#') == Some(*id) {
            break;
        }
    }
    read
}

/// Shows what the address names behind its `#` and gives it the focus, once `ready` says that the page is drawn; and again
/// whenever another is named.
pub fn follow_hash(ready: impl Fn() -> bool + 'static, before: impl Fn() + 'static) {
    let hash = use_location().hash;
    Effect::new(move |shown: Option<String>| {
        let hash = hash.get();
        if !ready() || shown.as_ref() == Some(&hash) {
            return shown.unwrap_or_default();
        }
        if let Some(id) = hash.strip_prefix('#').filter(|id| !id.is_empty()).map(str::to_owned) {
            before();
            focus_soon(move || {
                let named = document().get_element_by_id(&id)?;
                named.scroll_into_view();
                named.dyn_into().ok()
            });
        }
        hash
    });
}
