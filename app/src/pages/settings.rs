//! Page: settings. Saved all together or not at all; each field says where its value comes from and can be reset by itself.

mod endpoints;
mod fields;
mod logo;
mod redis;
mod search;
mod setting;
mod strategy;

use domain::{
    admin::Role,
    settings::{
        SaveSettings, SettingsView,
        guide::{GROUPS, Setting},
    },
};
use leptos::prelude::*;
use wasm_bindgen::JsCast;

use self::{
    endpoints::EndpointProtection,
    fields::{DefaultLimit, Line},
    logo::LogoSetting,
    redis::RedisSetting,
    search::{Nothing, Search, query},
    setting::{Fields, GroupOf, RESET_FORM, Shown, has_found},
    strategy::Strategy,
};
use crate::{
    answer,
    api::settings::{DropLogo, ForgetSetting, StoreLogo, StoreSettings, TestRedis, get_settings},
    components::{
        action::{ActionForm, FormAction, SubmitButton, action, on_success, read_after, refresh_after},
        allowed::{Locked, NeedsRole, may},
        contents::{Contents, follow_hash},
        fault::{FormFault, StaleForm, field_fault},
        field::Hidden,
        focus::focus_soon,
        listing::{FormAnew, Saved},
        page::PageHeader,
        refresh::Refresh,
    },
    reading::reading,
};

/// Id of the form that saves.
const FORM: &str = "settings";

/// What the form held in `field` when it was sent without scripts, to be saved or to try Redis.
fn typed(field: &str, stored: &str) -> String {
    answer::typed_or_tried::<StoreSettings, TestRedis>(field, stored)
}

#[component]
pub fn SettingsPage() -> impl IntoView {
    let save = action::<StoreSettings>();
    let reset = action::<ForgetSetting>();
    let test = action::<TestRedis>();
    let refresh = Refresh::new();
    read_after(save, refresh);
    read_after(reset, refresh);
    let (logo, no_logo) = (action::<StoreLogo>(), action::<DropLogo>());
    refresh_after(logo, refresh);
    refresh_after(no_logo, refresh);
    on_success(logo, move || no_logo.value().set(None));
    on_success(no_logo, move || logo.value().set(None));
    let settings = reading(move || refresh.count(), |_| get_settings());
    let query = query();
    follow_hash(move || settings.get().is_some(), move || query.set(String::new()));
    // A fault may be far from the button.
    Effect::new(move |_| {
        if save.version().get() > 0 && !untrack(|| save.worked()) {
            focus_soon(|| document().query_selector("#settings [aria-invalid=true]").ok().flatten()?.dyn_into().ok());
        }
    });
    let entries = GROUPS.map(|group| (group.id, group.title));
    let hidden = Callback::new(move |id: &'static str| query.with(|query| !has_found(id, query)));
    view! {
        <PageHeader title="Settings" />
        <NeedsRole role=Role::Owner to="change settings" />
        <Search query />
        <FormFault action=reset only_told=true />
        <div class="lg:grid lg:grid-cols-[11rem_minmax(0,1fr)] lg:gap-8">
            <Contents entries hidden />
            <div class="min-w-0">
                <Nothing query />
                <FormAnew
                    stored=settings refresh save
                    form=move |settings| view! { <SettingsForm settings query save reset test /> }.into_any()
                />
                <Transition>
                    {move || settings.get().and_then(Result::ok).map(|settings| view! { <LogoSetting logo=settings.logo query store=logo remove=no_logo /> })}
                </Transition>
                <Saved save=logo text="Logo saved. Pages show it once they are loaded again." />
                <Saved save=no_logo text="Logo removed. Pages show none once they are loaded again." />
                <div class="sticky bottom-0 z-10 mt-4 flex flex-wrap items-center gap-x-4 gap-y-1 border-t border-base-300 bg-base-200 py-3">
                    {may(Role::Owner).then(|| view! { <SubmitButton label="Save settings" pending=save.pending() form=FORM /> })}
                    <Saved save text="Settings saved. They are in force now." class="text-sm" />
                    <Saved save=reset text="The setting was reset. What counts now is in force." class="text-sm" />
                </div>
            </div>
        </div>
    }
}

/// Made anew from what is in force after every save; a save with faults leaves it, and what was typed, as it is.
#[component]
fn SettingsForm(
    settings: SettingsView,
    query: RwSignal<String>,
    save: FormAction<StoreSettings>,
    reset: FormAction<ForgetSetting>,
    test: FormAction<TestRedis>,
) -> impl IntoView {
    let shown = Shown { save, query, origins: StoredValue::new(settings.origins) };
    let version = settings.version.clone();
    let number = move |name: &'static str, value: u32| view! { <Line shown name value=value.to_string() /> };
    view! {
        <ActionForm action=save id=FORM>
            <Locked role=Role::Owner><div class="flex flex-col gap-6">
                // The first button of a form is the one that the Enter key presses: it must not be the test of Redis.
                {may(Role::Owner).then(|| view! {
                    <button type="submit" class="sr-only" tabindex="-1" aria-hidden="true">"Save settings"</button>
                })}
                <Hidden name="version" value={typed("version", &settings.version)} />
                <StaleForm page="/admin/settings" />
                <FormFault action=save fields=&SaveSettings::FIELDS />
                <Faults save />
                <GroupOf shown id="default-limit"><Fields>
                    <DefaultLimit shown limit=settings.default_limit />
                </Fields></GroupOf>
                <GroupOf shown id="choosing"><Fields>
                    <Strategy shown balance=settings.balance />
                    {number("queue_max", settings.queue_max.value)}
                    {number("queue_seconds", settings.queue_seconds.value)}
                </Fields></GroupOf>
                <GroupOf shown id="redis"><Fields>
                    <RedisSetting shown test url=settings.redis_url ca=settings.redis_ca has_password=settings.redis_has_password />
                    {number("replicas", settings.replicas.value)}
                </Fields></GroupOf>
                <GroupOf shown id="time-outs"><Fields>
                    {number("catalogue_interval_s", settings.catalogue_interval_s.value)}
                    {number("connect_timeout_s", settings.connect_timeout_s.value)}
                    {number("first_byte_timeout_s", settings.first_byte_timeout_s.value)}
                    {number("stall_timeout_s", settings.stall_timeout_s.value)}
                </Fields></GroupOf>
                <EndpointProtection shown inference=settings.class_inference catalogue=settings.class_catalogue management=settings.class_management />
                <GroupOf shown id="bodies"><Fields>
                    {number("max_body_mb", settings.max_body_mb.value)}
                    {number("body_memory_mb", settings.body_memory_mb.value)}
                    <Line shown name="public_url" value=settings.public_url.value inputmode="url" placeholder="https://gateway.example.com" />
                </Fields></GroupOf>
                <GroupOf shown id="records"><Fields>
                    {number("usage_days", settings.usage_days.value)}
                    {number("rollup_days", settings.rollup_days.value)}
                </Fields></GroupOf>
                <GroupOf shown id="look"><Fields>
                    <Line shown name="product_title" value=settings.product_title.value inputmode="text" />
                    <Line shown name="accent" value=settings.accent.value inputmode="text" placeholder="#3366cc" now=settings.accent_words />
                </Fields></GroupOf>
            </div></Locked>
        </ActionForm>
        <ActionForm action=reset id=RESET_FORM><Hidden name="version" value=version /></ActionForm>
    }
    .into_any()
}

/// Which fields are the reason that nothing was saved, each with a way to it.
#[component]
fn Faults(save: FormAction<StoreSettings>) -> impl IntoView {
    let faults = SaveSettings::FIELDS.map(|name| (name, field_fault(save, name)));
    let links = move || {
        let faulty = faults.iter().filter(|(_, fault)| fault.with(Option::is_some));
        let links: Vec<_> = faulty
            .filter_map(|(name, _)| Setting::named(name))
            .map(|setting| view! { <li><a class="link" href=format!("#{}", setting.name)>{setting.label}</a></li> })
            .collect();
        (!links.is_empty()).then(|| {
            view! {
                <div role="alert" class="alert alert-error alert-soft flex flex-col items-start gap-1">
                    <p>"Nothing was saved. Look at:"</p>
                    <ul class="list-disc pl-5">{links}</ul>
                </div>
            }
        })
    };
    links.into_any()
}
