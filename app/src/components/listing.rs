//! Data that comes from the server: a placeholder while it comes, its fault, a text in place of nothing, or itself.

use leptos::{html, prelude::*};

use super::{
    action::AnyAction,
    conflicts::{ConflictList, Conflicts},
    drafts::{Drafts, held},
    fault::LoadFault,
    page::Empty,
    refresh::Refresh,
};
use crate::reading::Reading;

/// A list. While it is read again the old one stays.
#[component]
pub fn Listing<T, F, V>(
    list: Reading<Vec<T>>,
    /// Says what to do while there is nothing to show.
    empty: &'static str,
    refresh: Refresh,
    children: F,
) -> impl IntoView
where
    T: Clone + Send + Sync + 'static,
    F: FnOnce(Signal<Vec<T>>) -> V + Send + 'static,
    V: IntoView + Send + 'static,
{
    let items = Signal::derive(move || list.get().and_then(Result::ok).unwrap_or_default());
    let fault = Signal::derive(move || list.get().and_then(Result::err).map(|error| error.to_string()));
    let is_empty = move || list.get().is_some_and(|list| list.is_ok_and(|list| list.is_empty()));
    let is_shown = move || list.get().is_some_and(|list| list.is_ok_and(|list| !list.is_empty()));
    view! {
        <Transition fallback=Loading>
            {move || fault.get().map(|fault| view! { <LoadFault fault retry=move || refresh.again() /> })}
            <div class:hidden=move || !is_empty()>
                <Empty text=empty />
            </div>
            <div class:hidden=move || !is_shown()>{children(items)}</div>
        </Transition>
    }
}

/// A form over what is stored. It is made anew with every reading, so that a password that was typed is not sent again
/// with the next save; a save with faults reads nothing and leaves it, and what was typed, as it is. Where the form's `save`
/// is given, what was typed since is put into the new form, and a reading that fails leaves the old one. Where it covers what
/// somebody else has stored meanwhile, that is shown and a choice asked for before the form is sent.
#[component]
pub fn FormAnew<T>(
    stored: Reading<T>,
    refresh: Refresh,
    #[prop(optional, into)] save: Option<AnyAction>,
    form: impl Fn(T) -> AnyView + Copy + Send + Sync + 'static,
) -> impl IntoView
where
    T: Clone + Send + Sync + 'static,
{
    let root = NodeRef::<html::Div>::new();
    let conflicts = Conflicts::new(root);
    let last = StoredValue::new(None::<(u32, T)>);
    let typed = StoredValue::new(Drafts::default());
    let sent = StoredValue::new(Vec::new());
    if let Some(save) = save {
        let pending = save.pending();
        Effect::new(move |_| {
            if pending.get()
                && let Some(root) = root.get_untracked()
            {
                sent.set_value(held(&root));
            }
        });
    }
    let fault = move || {
        let fault = stored.get().and_then(Result::err);
        fault.map(|error| view! { <LoadFault fault=error.to_string() retry=move || refresh.again() /> })
    };
    let shown = move || {
        match stored.get() {
            Some(Ok(stored)) => {
                let count = untrack(|| refresh.count());
                // Once for a reading: what was saved is told apart from what is typed only by the first look.
                let is_new = last.with_value(|last| last.as_ref().is_none_or(|(known, _)| *known != count));
                if is_new && let (Some(save), Some(root)) = (save, root.get_untracked()) {
                    let saved = sent.try_update_value(std::mem::take).filter(|_| untrack(|| save.worked()));
                    typed.set_value(Drafts::take(&root, &saved.unwrap_or_default()));
                }
                last.set_value(Some((count, stored)));
            }
            Some(Err(_)) if save.is_none() => last.set_value(None),
            _ => (),
        }
        last.get_value()
    };
    let again = move || {
        // Once the new form is there.
        Effect::new(move |_| {
            if let Some(root) = root.get_untracked() {
                conflicts.set(typed.with_value(|typed| typed.put(&root, &conflicts.before())));
            }
        });
    };
    view! {
        <Transition fallback=Loading>
            {fault}
            <ConflictList conflicts />
            <div node_ref=root on:submit:capture=move |event| conflicts.hold(&event)>
                <For each=shown key=|(count, _)| *count let((_, stored))>
                    {again()}
                    {form(stored)}
                </For>
            </div>
        </Transition>
    }
}

/// Says that the last save took place, until the next is sent.
#[component]
pub fn Saved(
    #[prop(into)] save: AnyAction,
    text: &'static str,
    #[prop(default = "mt-3 text-sm")] class: &'static str,
) -> impl IntoView {
    let pending = save.pending();
    view! { <p role="status" class=class>{move || (save.worked() && !pending.get()).then_some(text)}</p> }
}

/// Holds the place of what is being read.
#[component]
pub fn Loading() -> impl IntoView {
    view! { <div class="skeleton h-48 w-full" role="status" aria-label="Loading"></div> }
}
