//! Labelled inputs whose fault stands beside them. Names follow the server functions' one argument, `input`, so that a
//! plain form without JavaScript sends the same.

use leptos::{either::Either, ev, prelude::*};

/// Name of a form's field for a server function whose argument is `input`: `input[name]`.
pub fn input_name(field: &str) -> String {
    format!("input[{field}]")
}

/// A hidden field of the argument `input`.
#[component]
pub fn Hidden(name: &'static str, #[prop(into)] value: Signal<String>) -> impl IntoView {
    view! { <input type="hidden" name=input_name(name) value=move || value.get()/> }
}

/// One labelled text field with hint and fault. `id` must be unique on the page; by default it is the name.
#[component]
pub fn Field(
    #[prop(into)] label: String,
    name: &'static str,
    #[prop(optional, into)] id: Option<String>,
    /// Type of the input; `text` unless told.
    #[prop(default = "text")]
    kind: &'static str,
    /// What it holds at first.
    #[prop(optional, into)]
    value: String,
    #[prop(optional, into)] placeholder: String,
    #[prop(optional, into)] hint: Option<String>,
    /// The fault beside it.
    #[prop(optional, into)]
    fault: Signal<Option<String>>,
    #[prop(optional)] required: bool,
    #[prop(optional)] autofocus: bool,
    #[prop(default = "off")] autocomplete: &'static str,
    /// Keyboard of phones: `numeric`, `url`.
    #[prop(optional, into)]
    inputmode: Option<&'static str>,
) -> impl IntoView {
    let id = id.unwrap_or_else(|| name.to_owned());
    let note = format!("{id}-note");
    let secret = kind == "password";
    let shown = RwSignal::new(false);
    let class = if secret { "input join-item w-full" } else { "input w-full" };
    let input = view! {
        <input
            class=class
            class:input-error=move || fault.get().is_some()
            id=id.clone()
            name=input_name(name)
            type=move || if secret && shown.get() { "text" } else { kind }
            value=value
            placeholder=placeholder
            required=required
            autofocus=autofocus
            autocomplete=autocomplete
            inputmode=inputmode
            autocapitalize="none"
            spellcheck="false"
            aria-invalid=move || fault.get().is_some().then_some("true")
            aria-describedby=note.clone()
        />
    };
    let input = if secret {
        Either::Left(view! { <div class="join w-full">{input}<Reveal shown/></div> })
    } else {
        Either::Right(input)
    };
    view! {
        <div class="flex flex-col gap-1">
            <label class="text-sm font-medium" for=id.clone()>{label}</label>
            {input}
            <p id=note class="text-sm" class:text-error=move || fault.get().is_some() class:text-muted=move || fault.get().is_none()>
                {move || fault.get().or_else(|| hint.clone()).map(|text| crate::format::sentence(&text)).unwrap_or_default()}
            </p>
        </div>
    }
    .into_any()
}

/// Shows and hides what is typed. Appears once the page is alive, because it does nothing before.
#[component]
fn Reveal(shown: RwSignal<bool>) -> impl IntoView {
    let alive = RwSignal::new(false);
    Effect::new(move |_| alive.set(true));
    view! {
        <button
            type="button"
            class="btn join-item"
            class:hidden=move || !alive.get()
            aria-pressed=move || if shown.get() { "true" } else { "false" }
            on:click=move |_: ev::MouseEvent| shown.update(|shown| *shown = !*shown)
        >
            {move || if shown.get() { "Hide" } else { "Show" }}
        </button>
    }
}
