//! Beginning a rolling upgrade.

use domain::upgrade::{StartUpgrade, UpgradePlace};
use leptos::prelude::*;

use crate::{
    answer::{ticked, typed},
    api::upgrade::BeginUpgrade,
    components::{
        action::{ActionForm, FormAction, SubmitButton},
        fault::{FormFault, field_fault},
        field::{Field, input_name},
        form::FormCard,
        page::Empty,
    },
    format::{sentence, visible},
};

#[component]
pub(super) fn BeginForm(places: Vec<UpgradePlace>, begin: FormAction<BeginUpgrade>) -> impl IntoView {
    if places.is_empty() {
        return view! { <Empty text="No enabled backend yet." /> }.into_any();
    }
    let several = places.iter().any(|place| !place.alone.is_empty());
    view! {
        <FormCard id="begin-upgrade" title="Begin an upgrade">
            <ActionForm action=begin>
                <FormFault action=begin fields=&StartUpgrade::FIELDS />
                <fieldset class="mb-4">
                    <legend class="mb-2 text-sm font-medium">"Backends"</legend>
                    <ul role="list" class="flex flex-col gap-2">
                        {places.into_iter().map(|place| view! { <Place place /> }).collect_view()}
                    </ul>
                    <Fault text=field_fault(begin, "backends") />
                </fieldset>
                <div class="max-w-md">
                    <Field
                        label="Version" name="version" id="upgrade-version" value={typed::<BeginUpgrade>("version")} placeholder="any that is not older"
                        fault=field_fault(begin, "version") hint="What every backend should run afterwards. A backend that runs it already is left out."
                    />
                </div>
                {several.then(|| view! {
                    <label class="mt-3 flex max-w-prose items-start gap-2 text-sm">
                        <input type="checkbox" class="checkbox checkbox-sm mt-0.5" name=input_name("force") value="true" checked={ticked::<BeginUpgrade>("force", false)} />
                        "Go on although models are on one backend only: calls for them get 503 while it is away."
                    </label>
                })}
                <Fault text=field_fault(begin, "force") />
                <div class="mt-4">
                    <SubmitButton label="Begin the upgrade" pending=begin.pending() />
                </div>
            </ActionForm>
        </FormCard>
    }
    .into_any()
}

#[component]
fn Place(place: UpgradePlace) -> impl IntoView {
    let UpgradePlace { id, name, version, alone } = place;
    let field = format!("{}{}", StartUpgrade::BOXES, StartUpgrade::box_of(&id));
    let chosen = ticked::<BeginUpgrade>(&field, true);
    let version = version.map(|version| format!("Version {}", visible(&version)));
    let alone = (!alone.is_empty()).then(|| {
        let names: Vec<String> = alone.iter().map(|model| visible(model)).collect();
        format!("Calls for {} will get 503 while it is away: no other backend has them.", names.join(", "))
    });
    view! {
        <li class="flex flex-col gap-1">
            <label class="flex items-start gap-2">
                <input type="checkbox" class="checkbox checkbox-sm mt-0.5" name=input_name(&field) value="true" checked=chosen />
                <span class="flex min-w-0 flex-wrap items-baseline gap-x-3">
                    <span class="font-medium break-all">{visible(&name)}</span>
                    <span class="text-sm text-muted">{version}</span>
                </span>
            </label>
            {alone.map(|text| view! { <p class="ml-7 max-w-prose text-sm break-words">{text}</p> })}
        </li>
    }
    .into_any()
}

#[component]
fn Fault(text: Signal<Option<String>>) -> impl IntoView {
    move || {
        text.get()
            .map(|text| view! { <p role="alert" class="mt-2 max-w-prose text-sm text-error">{sentence(&text)}</p> })
    }
}
