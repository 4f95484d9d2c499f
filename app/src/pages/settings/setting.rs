//! The frame of a setting: whether the search shows it, where its value comes from, and a reset. And the group it stands in.

use domain::settings::{
    Origin,
    guide::{GROUPS, SETTINGS, Setting},
};
use leptos::{ev::MouseEvent, prelude::*};
use web_sys::HtmlButtonElement;

use crate::{
    api::settings::StoreSettings,
    components::{action::FormAction, allowed::may, drafts::undo, fault::field_fault, field::input_name},
};

/// Id of the form that resets; the buttons stand in the form that saves.
pub(super) const RESET_FORM: &str = "reset";

/// What all settings of the form have in common. Cheap to copy.
#[derive(Clone, Copy)]
pub(super) struct Shown {
    pub save: FormAction<StoreSettings>,
    pub query: RwSignal<String>,
    pub origins: StoredValue<Vec<Origin>>,
}

/// The field of this name. The guide has every field; a test of `domain` says so.
pub(super) fn guide(name: &'static str) -> &'static Setting {
    Setting::named(name).unwrap_or(&SETTINGS[0])
}

impl Shown {
    /// Where the value of a field comes from, in words; nothing for the further fields of a setting.
    pub fn origin(self, name: &str) -> String {
        self.origins.with_value(|origins| {
            origins.iter().find(|origin| origin.name == name).map(|origin| origin.text.clone()).unwrap_or_default()
        })
    }

    /// What is said of a field: the guide's words, what is true just now, and where its value comes from.
    pub fn hint(self, name: &'static str, now: &str) -> String {
        let texts = [guide(name).hint, now, &self.origin(name)];
        texts.iter().filter(|text| !text.is_empty()).copied().collect::<Vec<_>>().join(" ")
    }

    fn reset(self, name: &str) -> Option<String> {
        self.origins.with_value(|origins| origins.iter().find(|origin| origin.name == name)?.reset.clone())
    }

    pub fn fault(self, name: &'static str) -> Signal<Option<String>> {
        field_fault(self.save, name)
    }
}

/// Whether the group has a field that the search finds.
pub(super) fn has_found(group: &str, query: &str) -> bool {
    GROUPS.iter().any(|known| known.id == group && known.settings().any(|setting| setting.matches(query)))
}

/// The fields of one setting, the first of which gives it its name.
#[component]
pub(super) fn Unit(name: &'static str, children: Children) -> impl IntoView {
    view! { <div class="contents" data-setting=name>{children()}</div> }.into_any()
}

/// A field, in the place that it has while the search finds it or it has a fault; with the reset of its setting below.
#[component]
pub(super) fn Place(shown: Shown, name: &'static str, children: Children) -> impl IntoView {
    let fault = shown.fault(name);
    let hidden = move || shown.query.with(|query| !guide(name).matches(query)) && fault.with(Option::is_none);
    let reset = may(domain::admin::Role::Owner).then(|| shown.reset(name)).flatten();
    view! {
        <div class="flex min-w-0 flex-col items-stretch gap-1" class:hidden=hidden>
            {children()}
            {reset.map(|value| view! { <Reset name value /> })}
        </div>
    }
    .into_any()
}

#[component]
fn Reset(name: &'static str, value: String) -> impl IntoView {
    // What was typed and not saved goes, too: nothing but the reset's own value is wanted here.
    let forget = |event: MouseEvent| undo(&event_target::<HtmlButtonElement>(&event));
    // What is seen comes first, for those who say what they see.
    let label = format!("Reset to {value}: {}", guide(name).label);
    view! {
        <button
            type="submit" form=RESET_FORM name=input_name("name") value=name aria-label=label
            class="btn btn-xs max-w-full self-start truncate" on:click=forget
        >
            {format!("Reset to {value}")}
        </button>
    }
    .into_any()
}

/// A group of the guide; not drawn where the search finds nothing in it.
#[component]
pub(super) fn GroupOf(shown: Shown, id: &'static str, children: Children) -> impl IntoView {
    let group = GROUPS.iter().find(|group| group.id == id);
    let title = group.map(|group| group.title);
    // A fault is shown whatever is searched for.
    let faults: Vec<_> =
        group.into_iter().flat_map(|group| group.settings()).map(|setting| shown.fault(setting.name)).collect();
    let hidden = move || {
        shown.query.with(|query| !has_found(id, query)) && faults.iter().all(|fault| fault.with(Option::is_none))
    };
    view! {
        <fieldset id=id tabindex="-1" class="card card-border scroll-mt-16 border-base-300 bg-base-100 p-6 outline-none lg:scroll-mt-8" class:hidden=hidden>
            <legend class="sr-only">{title}</legend>
            <p class="mb-3 font-semibold" aria-hidden="true">{title}</p>
            {children()}
        </fieldset>
    }
    .into_any()
}

/// Fields side by side where there is room.
#[component]
pub(super) fn Fields(children: Children) -> impl IntoView {
    view! { <div class="grid gap-x-4 gap-y-5 md:grid-cols-2">{children()}</div> }.into_any()
}
