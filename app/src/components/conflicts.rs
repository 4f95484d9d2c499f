//! What was typed into a form over something that somebody else has stored meanwhile: told field by field, and chosen
//! before the form is sent again, so that no save takes back a change which nobody has seen.

use leptos::{ev::SubmitEvent, html, prelude::*};

use super::drafts::{Conflict, undo_field};

/// Of the form in `root`. Cheap to copy.
#[derive(Clone, Copy)]
pub struct Conflicts {
    all: RwSignal<Vec<Conflict>>,
    root: NodeRef<html::Div>,
    told: NodeRef<html::Div>,
}

impl Conflicts {
    pub fn new(root: NodeRef<html::Div>) -> Self {
        Self { all: RwSignal::new(Vec::new()), root, told: NodeRef::new() }
    }

    /// Those that are not chosen yet.
    pub fn before(self) -> Vec<Conflict> {
        self.all.get_untracked()
    }

    pub fn set(self, found: Vec<Conflict>) {
        if self.all.with_untracked(|all| *all != found) {
            self.all.set(found);
        }
    }

    /// Nothing is sent while something is to be chosen.
    pub fn hold(self, event: &SubmitEvent) {
        if self.all.with_untracked(|all| !all.is_empty()) {
            event.prevent_default();
            if let Some(told) = self.told.get_untracked() {
                // The element is on the page, so that it takes the focus.
                let _ = told.focus();
            }
        }
    }

    fn chosen(self, name: &str) {
        self.all.update(|all| all.retain(|conflict| conflict.name != name));
        if let Some(root) = self.root.get_untracked() {
            // The button goes with the choice: the field is where one goes on.
            let field = root.query_selector(&format!("[name=\"{name}\"]")).ok().flatten();
            super::focus::focus_soon(move || {
                field.clone().and_then(|field| wasm_bindgen::JsCast::dyn_into(field).ok())
            });
        }
    }

    fn take_stored(self, name: &str) {
        if let Some(root) = self.root.get_untracked() {
            undo_field(&root, name);
        }
        self.chosen(name);
    }
}

/// The choices, above the form.
#[component]
pub fn ConflictList(conflicts: Conflicts) -> impl IntoView {
    let row = move |conflict: Conflict| {
        let Conflict { name, label, stored } = conflict;
        let (keep, take) = (name.clone(), name);
        let (keeps, takes) = (format!("Keep mine: {label}"), format!("Take what is stored: {label}"));
        view! {
            <li class="flex flex-col gap-2">
                <p><strong>{label}</strong>" is now:"</p>
                <pre class="max-h-40 overflow-auto rounded bg-base-200 p-2 text-sm break-all whitespace-pre-wrap" tabindex="0">{stored}</pre>
                <div class="flex flex-wrap gap-2">
                    <button type="button" class="btn btn-sm" aria-label=keeps on:click=move |_| conflicts.chosen(&keep)>"Keep mine"</button>
                    <button type="button" class="btn btn-sm" aria-label=takes on:click=move |_| conflicts.take_stored(&take)>
                        "Take what is stored"
                    </button>
                </div>
            </li>
        }
    };
    view! {
        <div
            node_ref=conflicts.told tabindex="-1" role="alert"
            class="alert alert-warning alert-soft mb-6 flex flex-col items-stretch gap-3"
            class:hidden=move || conflicts.all.with(Vec::is_empty)
        >
            <p class="font-medium">"Somebody else changed this while you typed. Choose what is to count; then save."</p>
            <ul class="flex flex-col gap-4">{move || conflicts.all.get().into_iter().map(row).collect_view()}</ul>
        </div>
    }
    .into_any()
}
