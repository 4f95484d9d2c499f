//! Page: settings. Saved all together or not at all; each field says where its value comes from.

mod endpoints;
mod fields;
mod redis;
mod strategy;

use domain::{
    admin::Role,
    settings::{SaveSettings, SettingsView},
};
use leptos::prelude::*;

use self::{
    endpoints::EndpointProtection,
    fields::{DefaultLimit, NumberSetting, TextSetting},
    redis::RedisSetting,
    strategy::Strategy,
};
use crate::{
    answer,
    api::settings::{StoreSettings, TestRedis, get_settings},
    components::{
        action::{ActionForm, FormAction, SubmitButton, action, on_success},
        allowed::{Locked, NeedsRole, may},
        fault::FormFault,
        field::Hidden,
        form::Section,
        listing::{FormAnew, Saved},
        page::PageHeader,
        refresh::Refresh,
    },
    reading::reading,
};

/// What the form held in `field` when it was sent without scripts, to be saved or to try Redis.
fn typed(field: &str, stored: &str) -> String {
    answer::typed_or_tried::<StoreSettings, TestRedis>(field, stored)
}

#[component]
pub fn SettingsPage() -> impl IntoView {
    let save = action::<StoreSettings>();
    let test = action::<TestRedis>();
    let refresh = Refresh::new();
    // Not after a conflict: what was typed would go.
    on_success(save, move || refresh.again());
    let settings = reading(move || refresh.count(), |_| get_settings());
    view! {
        <PageHeader title="Settings" />
        <NeedsRole role=Role::Owner to="change settings" />
        <FormAnew stored=settings refresh form=move |settings| view! { <SettingsForm settings save test /> }.into_any() />
        <Saved save text="Settings saved. They are in force now." />
    }
}

/// Made anew from what is in force after every save; a save with faults leaves it, and what was typed, as it is.
#[component]
fn SettingsForm(settings: SettingsView, save: FormAction<StoreSettings>, test: FormAction<TestRedis>) -> impl IntoView {
    view! {
        <ActionForm action=save>
            <Locked role=Role::Owner><div class="flex flex-col gap-6">
                // The first button of a form is the one that the Enter key presses: it must not be the test of Redis.
                {may(Role::Owner).then(|| view! {
                    <button type="submit" class="sr-only" tabindex="-1" aria-hidden="true">"Save settings"</button>
                })}
                <Hidden name="version" value={typed("version", &settings.version)} />
                <FormFault action=save fields=&SaveSettings::FIELDS />
                <Section title="Default limit">
                    <DefaultLimit save limit=settings.default_limit />
                </Section>
                <Section title="Choosing a backend">
                    <Strategy save balance=settings.balance />
                    <NumberSetting
                        save label="Requests that may wait" name="queue_max" value=settings.queue_max
                        hint="When every backend with the model has all it takes, further requests wait, fairly between keys. 0: they are answered 503 at once."
                    />
                    <NumberSetting
                        save label="Longest wait (seconds)" name="queue_seconds" value=settings.queue_seconds
                        hint="Then a request that waits is answered 503 and may come again."
                    />
                </Section>
                <Section title="Redis">
                    <RedisSetting save test url=settings.redis_url ca=settings.redis_ca has_password=settings.redis_has_password />
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
                    <NumberSetting
                        save label="Memory for request bodies (MB)" name="body_memory_mb" value=settings.body_memory_mb
                        hint="All bodies being received or sent on take no more together; a request that does not fit is answered 503 and may come again. At least twice the largest body."
                    />
                    <TextSetting
                        save label="Public URL" name="public_url" value=settings.public_url placeholder="https://gateway.example.com"
                        hint="Origins these pages may be used from, separated by commas. Empty: whatever address the browser uses."
                    />
                </Section>
                <Section title="Usage">
                    <NumberSetting
                        save label="Days that requests are kept" name="usage_days" value=settings.usage_days
                        hint="Single requests that are older are deleted, at most an hour later. Their sums stay."
                    />
                    <NumberSetting
                        save label="Days that sums are kept" name="rollup_days" value=settings.rollup_days
                        hint="Older sums of requests, tokens and times are deleted. At least 30: budgets of a month are filled from them."
                    />
                </Section>
                {may(Role::Owner).then(|| view! { <div><SubmitButton label="Save settings" pending=save.pending() /></div> })}
            </div></Locked>
        </ActionForm>
    }
    .into_any()
}
