//! Page: settings. Saved all together or not at all; each field says where its value comes from.

mod endpoints;
mod fields;
mod redis;

use domain::settings::SettingsView;
use leptos::{either::EitherOf3, prelude::*};

use self::{
    endpoints::EndpointProtection,
    fields::{DefaultLimit, FIELDS, NumberSetting, TextSetting},
    redis::{REDIS_TEST, RedisSetting, RedisTestForm},
};
use crate::{
    answer::typed_in,
    api::settings::{StoreSettings, TestRedis, get_settings},
    components::{
        action::{SubmitButton, action, on_success},
        fault::{FormFault, LoadFault},
        field::Hidden,
        listing::Loading,
        page::PageHeader,
        refresh::Refresh,
    },
};

#[component]
pub fn SettingsPage() -> impl IntoView {
    let save = action::<StoreSettings>();
    let test = action::<TestRedis>();
    let refresh = Refresh::new();
    // Not after a conflict: what was typed would go.
    on_success(save, move || refresh.again());
    let settings = Resource::new(move || refresh.count(), |_| get_settings());
    view! {
        <PageHeader title="Settings" />
        <Transition fallback=Loading>
            {move || match settings.get() {
                None => EitherOf3::A(()),
                // New fields with every reading: a password that was typed must not be sent again with the next save.
                Some(Ok(settings)) => EitherOf3::B(view! {
                    <For each=move || [(untrack(|| refresh.count()), settings.clone())] key=|(count, _)| *count let((_, settings))>
                        <SettingsForm settings save test />
                    </For>
                }),
                Some(Err(error)) => EitherOf3::C(view! { <LoadFault fault=error.to_string() retry=move || refresh.again() /> }),
            }}
        </Transition>
        <RedisTestForm test id=REDIS_TEST />
        <Saved save />
    }
}

/// Says that the last save took place, until something is wrong with the next.
#[component]
fn Saved(save: ServerAction<StoreSettings>) -> impl IntoView {
    let saved = move || save.value().with(|value| matches!(value, Some(Ok(_))));
    view! { <p role="status" class="mt-3 text-sm">{move || saved().then_some("Settings saved. They are in force now.")}</p> }
}

/// Made anew from what is in force after every save; a save with faults leaves it, and what was typed, as it is.
#[component]
fn SettingsForm(
    settings: SettingsView,
    save: ServerAction<StoreSettings>,
    test: ServerAction<TestRedis>,
) -> impl IntoView {
    view! {
        <ActionForm action=save>
            <div class="flex flex-col gap-6">
                <Hidden name="version" value={typed_in::<StoreSettings>(&[], "version", &settings.version)} />
                <FormFault action=save fields=FIELDS />
                <Section title="Default limit">
                    <DefaultLimit save limit=settings.default_limit />
                </Section>
                <Section title="Redis">
                    <RedisSetting save test url=settings.redis_url has_password=settings.redis_has_password />
                    <NumberSetting
                        save label="Gateways that share the limits" name="replicas" value=settings.replicas
                        hint="While Redis cannot be reached each admits its part of every limit. 1: each admits the whole limit."
                    />
                </Section>
                <Section title="Backends">
                    <NumberSetting
                        save label="Catalogue interval (seconds)" name="catalogue_interval_s" value=settings.catalogue_interval_s
                        hint="Pause between two readings of the backends' models."
                    />
                    <NumberSetting
                        save label="Connect time-out (seconds)" name="connect_timeout_s" value=settings.connect_timeout_s
                        hint="Longest wait for a connection to a backend."
                    />
                    <NumberSetting
                        save label="First byte time-out (seconds)" name="first_byte_timeout_s" value=settings.first_byte_timeout_s
                        hint="Longest wait for the first byte of an answer. A cold model takes minutes."
                    />
                    <NumberSetting
                        save label="Stall time-out (seconds)" name="stall_timeout_s" value=settings.stall_timeout_s
                        hint="Longest silence within an answer."
                    />
                </Section>
                <EndpointProtection save inference=settings.class_inference catalogue=settings.class_catalogue management=settings.class_management />
                <Section title="Requests and addresses">
                    <NumberSetting
                        save label="Largest request body (MB)" name="max_body_mb" value=settings.max_body_mb
                        hint="Pictures travel inside requests. 1 MB is 1,000,000 bytes."
                    />
                    <TextSetting
                        save label="Public URL" name="public_url" value=settings.public_url placeholder="https://gateway.example.com"
                        hint="Origins these pages may be used from, separated by commas. Empty: whatever address the browser uses."
                    />
                </Section>
                <div>
                    <SubmitButton label="Save settings" pending=save.pending() />
                </div>
            </div>
        </ActionForm>
    }
    .into_any()
}

#[component]
fn Section(title: &'static str, children: Children) -> impl IntoView {
    view! {
        <fieldset class="card card-border border-base-300 bg-base-100 p-6">
            <legend class="sr-only">{title}</legend>
            <p class="mb-3 font-semibold" aria-hidden="true">{title}</p>
            <div class="grid gap-4 md:grid-cols-2">{children()}</div>
        </fieldset>
    }
    .into_any()
}
