//! A list whose rows stay: each keeps its elements, focus and open parts while its item changes.

use leptos::prelude::*;

/// Renders `row` once for every key; the row follows its item through the signal it is given.
#[component]
pub fn Rows<T, F, V>(#[prop(into)] items: Signal<Vec<T>>, key: fn(&T) -> String, row: F) -> impl IntoView
where
    T: Clone + PartialEq + Send + Sync + 'static,
    F: Fn(Signal<T>) -> V + Clone + Send + 'static,
    V: IntoView + 'static,
{
    let children = move |first: T| {
        let own = key(&first);
        // A row outlives its item for a moment while it is being removed: it then keeps what it showed.
        let item = Memo::new(move |last: Option<&T>| {
            let found = items.with(|items| items.iter().find(|item| key(item) == own).cloned());
            found.or_else(|| last.cloned()).unwrap_or_else(|| first.clone())
        });
        row(item.into())
    };
    view! { <For each=move || items.get() key children /> }
}
