//! The dialog of the command palette: a text, what the server finds by it, and a choice with the arrow keys or the mouse.

use domain::{
    find::{Find, Found, MAX_TEXT},
    key::without_secret,
};
use leptos::{
    ev::{KeyboardEvent, MouseEvent},
    html,
    prelude::*,
    task::spawn_local,
};
use leptos_router::hooks::use_navigate;
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;

use super::Palette;
use crate::{api::find::find, components::fault::LoadFault, error::AppError, format::visible};

const LIST: &str = "palette-list";

fn option_id(at: usize) -> String {
    format!("palette-{at}")
}

/// What is typed, what it found, and which of it is chosen. Cheap to copy.
#[derive(Clone, Copy)]
struct Search {
    text: RwSignal<String>,
    found: RwSignal<Vec<Found>>,
    fault: RwSignal<Option<AppError>>,
    at: RwSignal<usize>,
    /// What was found is of what is typed.
    fresh: RwSignal<bool>,
    /// Enter was pressed before that.
    entered: RwSignal<bool>,
}

impl Search {
    fn ask(self, text: String) {
        // A whole key that was pasted must not get into an address.
        let text = without_secret(&text).to_owned();
        self.text.set(text.clone());
        self.fresh.set(false);
        self.entered.set(false);
        spawn_local(async move {
            let found = find(Find { text: text.clone() }).await;
            // Something else may be typed by now, or the frame be gone.
            if self.text.try_get_untracked().as_ref() != Some(&text) {
                return;
            }
            match found {
                Ok(found) => {
                    self.at.set(0);
                    self.fault.set(None);
                    self.found.set(found);
                }
                Err(error) => {
                    // What was found for another text leads nowhere.
                    self.found.set(Vec::new());
                    self.fault.set(Some(error));
                }
            }
            self.fresh.set(true);
        });
    }

    /// The next one or the one before; behind the last is the first.
    fn step(self, forward: bool) {
        let count = self.found.with_untracked(Vec::len);
        if count > 0 {
            self.at.update(|at| *at = if forward { *at + 1 } else { *at + count - 1 } % count);
            show_option(self.at.get_untracked());
        }
    }
}

#[component]
pub(super) fn Dialog() -> impl IntoView {
    let Some(Palette { open }) = use_context::<Palette>() else { return ().into_any() };
    let search = Search {
        text: RwSignal::new(String::new()),
        found: RwSignal::new(Vec::new()),
        fault: RwSignal::new(None),
        at: RwSignal::new(0),
        fresh: RwSignal::new(false),
        entered: RwSignal::new(false),
    };
    let (dialog, input) = (NodeRef::<html::Dialog>::new(), NodeRef::<html::Input>::new());
    Effect::new(move |_| {
        let Some(dialog) = dialog.get() else { return };
        if !open.get() {
            // The browser gives the focus back to where it was.
            dialog.close();
        } else if !dialog.open() {
            untrack(|| search.ask(String::new()));
            if let Some(input) = input.get_untracked() {
                input.set_value("");
            }
            // Fails only for what is no part of the page any more.
            let _ = dialog.show_modal();
        }
    });
    let navigate = use_navigate();
    let go = move |at: usize| {
        let found = search.found.with_untracked(|found| found.get(at).map(|found| found.href.clone()));
        if let Some(href) = found {
            // Closed first, so that the page that comes gets the focus last.
            if let Some(dialog) = dialog.get_untracked() {
                dialog.close();
            }
            open.set(false);
            navigate(&href, Default::default());
        }
    };
    let arrived = go.clone();
    Effect::new(move |_| {
        if search.fresh.get() && search.entered.get_untracked() {
            search.entered.set(false);
            arrived(0);
        }
    });
    let enter = go.clone();
    let keys = move |event: KeyboardEvent| match event.key().as_str() {
        "ArrowDown" | "ArrowUp" => {
            event.prevent_default();
            search.step(event.key() == "ArrowDown");
        }
        // While an input method composes, Enter is its own.
        "Enter" if !event.is_composing() => {
            event.prevent_default();
            if search.fresh.get_untracked() {
                enter(search.at.get_untracked());
            } else {
                search.entered.set(true);
            }
        }
        _ => (),
    };
    let beside = move |event: MouseEvent| {
        let target = event.target().and_then(|target| target.dyn_into::<HtmlElement>().ok());
        if target.is_some_and(|target| target.tag_name() == "DIALOG") {
            open.set(false);
        }
    };
    let options = move || {
        let go = go.clone();
        search.found.with(|found| {
            let option = |(at, found): (usize, &Found)| view! { <Choice search at found=found.clone() go=go.clone()/> };
            found.iter().enumerate().map(option).collect_view()
        })
    };
    let nothing = move || search.fresh.get() && search.fault.with(Option::is_none) && search.found.with(Vec::is_empty);
    let said = move || match search.found.with(Vec::len) {
        _ if !search.fresh.get() => String::new(),
        1 => "1 found".to_owned(),
        count => format!("{count} found"),
    };
    view! {
        <dialog class="modal items-start" aria-label="Find anything" node_ref=dialog on:close=move |_| open.set(false) on:click=beside>
            <div class="modal-box mt-4 flex max-h-[80vh] max-w-xl flex-col gap-0 p-0 sm:mt-[12vh]">
                <div class="flex items-center gap-2 border-b border-base-300 p-3">
                    <input
                        type="text" role="combobox" class="input input-ghost grow focus:outline-none" placeholder="A page, setting, user, model\u{2026}"
                        node_ref=input maxlength=MAX_TEXT.to_string() aria-label="Find" aria-autocomplete="list" aria-expanded="true" aria-controls=LIST
                        aria-activedescendant=move || search.found.with(|found| !found.is_empty()).then(|| option_id(search.at.get()))
                        autocomplete="off" autocapitalize="none" spellcheck="false" autofocus
                        on:input=move |event| search.ask(event_target_value(&event)) on:keydown=keys
                    />
                    <button type="button" class="btn btn-ghost btn-sm" on:click=move |_| open.set(false)>"Close"</button>
                </div>
                {move || search.fault.get().map(|error| view! {
                    <div class="p-4"><LoadFault fault=error.to_string() retry=move || search.ask(search.text.get_untracked())/></div>
                })}
                <p class="p-6 text-center text-sm text-muted" class:hidden=move || !nothing()>"Nothing has that in its name."</p>
                <ul role="listbox" id=LIST aria-label="Found" class="relative min-h-0 overflow-y-auto p-2">{options}</ul>
                <p class="border-t border-base-300 px-4 py-2 text-xs text-muted max-sm:hidden">"Arrow keys choose, Enter opens, Esc closes."</p>
                <p role="status" class="sr-only">{said}</p>
            </div>
        </dialog>
    }
    .into_any()
}

#[component]
fn Choice(search: Search, at: usize, found: Found, go: impl Fn(usize) + 'static) -> impl IntoView {
    let Found { kind, title, detail, .. } = found;
    let chosen = move || search.at.get() == at;
    view! {
        <li
            role="option" id=option_id(at) aria-selected=move || if chosen() { "true" } else { "false" }
            class="flex cursor-pointer items-baseline gap-3 rounded-field px-3 py-2" class:bg-base-300=chosen
            on:mousemove=move |_| search.at.set(at) on:click=move |_| go(at)
        >
            <span class="min-w-0 truncate max-sm:grow">{visible(&title)}</span>
            <span class="min-w-0 grow truncate text-sm text-muted max-sm:hidden">{visible(&detail)}</span>
            <span class="shrink-0 text-xs text-muted">{kind}</span>
        </li>
    }
    .into_any()
}

/// Scrolls the list, and nothing else, until the option is seen.
fn show_option(at: usize) {
    let find = |id: &str| document().get_element_by_id(id).and_then(|found| found.dyn_into::<HtmlElement>().ok());
    let (Some(list), Some(option)) = (find(LIST), find(&option_id(at))) else { return };
    let (top, bottom) = (option.offset_top(), option.offset_top() + option.offset_height());
    if top < list.scroll_top() {
        list.set_scroll_top(top);
    } else if bottom > list.scroll_top() + list.client_height() {
        list.set_scroll_top(bottom - list.client_height());
    }
}
