//! Loading and letting go of a model on one backend by a click, and what backends made of the last order: for every page
//! that shows models.

use domain::{
    backend::BackendState,
    models::{
        Holder,
        act::{Acted, BOXES, Keep, Outcome, box_of},
    },
};
use leptos::{html, prelude::*};

use crate::{
    components::{
        action::{ActionForm, AnyAction, on_success},
        fault::FormFault,
        field::{Hidden, input_name},
        focus::focus_soon,
    },
    decode::decode,
    format::{sentence, visible},
};

/// What the last answer of an action says.
pub(in crate::pages) fn acted(action: AnyAction) -> Option<Acted> {
    action.value().with(|value| decode(value.as_ref()?.as_ref().ok()?).ok())
}

/// What backends made of the last order of any of these actions.
pub(in crate::pages) fn follow(actions: &[AnyAction]) -> RwSignal<Option<Acted>> {
    let told = RwSignal::new(untrack(|| actions.iter().find_map(|action| acted(*action))));
    for action in actions.iter().copied() {
        on_success(action, move || told.set(acted(action)));
    }
    told
}

/// What came of the last order, backend by backend; before that, that one is being carried out.
#[component]
pub(in crate::pages) fn Told(
    told: RwSignal<Option<Acted>>,
    pending: Signal<bool>,
    /// Actions whose faults stand beside no field.
    faults: Vec<(AnyAction, &'static [&'static str])>,
) -> impl IntoView {
    let place = NodeRef::<html::Div>::new();
    Effect::new(move |before: Option<bool>| {
        // The button that was pressed may be gone with its row: the keyboard goes on here.
        if told.with(Option::is_some) && before.is_some() {
            focus_soon(move || place.try_get_untracked().flatten().map(Into::into));
        }
        true
    });
    let faults = faults.into_iter().map(|(action, fields)| view! { <FormFault action fields only_told=true /> });
    view! {
        <div role="status" node_ref=place tabindex="-1" class="sticky top-2 z-10 outline-none">
            <p class="alert alert-info alert-soft mb-4 bg-base-100" class:hidden=move || !pending.get()>
                <span class="loading loading-spinner loading-sm" aria-hidden="true"></span>
                <span>{move || pending.get().then_some("Sent. A cold model takes minutes to load; it goes on also if you leave this page.")}</span>
            </p>
            {move || told.get().filter(|_| !pending.get()).map(|acted| outcomes(&acted, told))}
        </div>
        {faults.collect_view()}
    }
    .into_any()
}

fn outcomes(acted: &Acted, told: RwSignal<Option<Acted>>) -> AnyView {
    let worked = acted.outcomes.iter().filter(|outcome| outcome.ok).count();
    let class = match worked {
        all if all == acted.outcomes.len() => "alert alert-success alert-soft mb-4 items-start bg-base-100 shadow-sm",
        0 => "alert alert-error alert-soft mb-4 items-start bg-base-100 shadow-sm",
        _ => "alert alert-warning alert-soft mb-4 items-start bg-base-100 shadow-sm",
    };
    let head = format!("{}: done by {worked} of {}", visible(&acted.model), acted.outcomes.len());
    let one = |Outcome { backend, ok, text }: &Outcome| {
        let dot = if *ok { "status status-success" } else { "status status-error" };
        let failed = if *ok { "" } else { "Failed. " };
        let came = format!(": {failed}{}", visible(&sentence(text)));
        view! {
            <li class="break-words"><span class=dot aria-hidden="true"></span>" "<span class="font-medium">{visible(backend)}</span>{came}</li>
        }
        .into_any()
    };
    view! {
        <div class=class>
            <div class="min-w-0 grow">
                <p class="font-medium break-all">{head}</p>
                <ul aria-label="What each backend made of it" class="max-h-48 overflow-auto text-sm text-base-content">{acted.outcomes.iter().map(one).collect_view()}</ul>
            </div>
            <button type="button" class="btn btn-xs btn-ghost noscript:hidden" on:click=move |_| told.set(None)>"Dismiss"</button>
        </div>
    }
    .into_any()
}

/// Buttons of what can be done to a model's place in the memory of a backend; nothing where nothing can.
pub(in crate::pages) fn keep_form(model: &str, holder: &Holder, keep: AnyAction) -> Option<AnyView> {
    let first = if holder.warm.is_some() { (Keep::Unload, "Unload") } else { (Keep::Load, "Load") };
    let of = format!(" {} on {}", visible(model), visible(&holder.name));
    let field = input_name(&format!("{BOXES}{}", box_of(&holder.id)));
    let model = model.to_owned();
    has_commands(holder).then(|| {
        let buttons = [first, (Keep::Pin, "Keep loaded")].map(|(act, words)| press(act, words, &of, keep));
        view! {
            <ActionForm action=keep>
                <Hidden name="model" value=model />
                <input type="hidden" name=field value="true" />
                <div class="flex flex-wrap gap-2">{buttons.into_iter().collect_view()}</div>
            </ActionForm>
        }
        .into_any()
    })
}

/// The backend takes orders about this model of its.
pub(in crate::pages) fn has_commands(holder: &Holder) -> bool {
    !matches!(holder.state, BackendState::Disabled) && !holder.foreign && !holder.remote
}

/// A button of a form of [`Keep`]; `of` is for who does not see beside what it stands.
pub(in crate::pages) fn press(act: Keep, words: &'static str, of: &str, keep: AnyAction) -> AnyView {
    let pending = keep.pending();
    view! {
        <button
            type="submit" name=input_name("act") value=act.as_str() class="btn btn-sm" aria-disabled=move || pending.get().then_some("true")
            on:click=move |event| {
                if pending.get_untracked() {
                    event.prevent_default();
                }
            }
        >
            {words}<span class="sr-only">{of.to_owned()}</span>
        </button>
    }
    .into_any()
}
