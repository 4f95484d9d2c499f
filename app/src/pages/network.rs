//! Page: network. Who may come in, which web pages may call the API, where backends may be.

mod list;
mod tls;

use domain::{
    admin::Role,
    network::{NetworkView, SaveNetwork},
};
use leptos::prelude::*;

use self::list::{ListSetting, NumberSetting};
use crate::{
    answer::typed_in,
    api::network::{StoreNetwork, get_network},
    components::{
        action::{ActionForm, FormAction, SubmitButton, action, read_after},
        allowed::{Locked, NeedsRole, may},
        fault::{FormFault, StaleForm, field_fault},
        field::{Hidden, input_name},
        form::Section,
        listing::{FormAnew, Saved},
        page::PageHeader,
        refresh::Refresh,
    },
    format::sentence,
    reading::reading,
};

#[component]
pub fn NetworkPage() -> impl IntoView {
    let save = action::<StoreNetwork>();
    let refresh = Refresh::new();
    read_after(save, refresh);
    let network = reading(move || refresh.count(), |_| get_network());
    view! {
        <PageHeader title="Network" />
        <NeedsRole role=Role::Owner to="change who may come in" />
        <FormAnew stored=network refresh save form=move |network| view! { <NetworkForm network save /> }.into_any() />
        <Saved save text="Network settings saved. They are in force now." />
        <tls::Tls />
    }
}

/// Made anew from what is in force after every save; a save with faults leaves it, and what was typed, as it is.
#[component]
fn NetworkForm(network: NetworkView, save: FormAction<StoreNetwork>) -> impl IntoView {
    let here = format!(
        "You are at {}. Saving lists that keep this address out asks you first; on the gateway\u{2019}s machine \
         \u{201c}ollama-fortress settings reset\u{201d} undoes what was saved here.",
        network.your_address
    );
    view! {
        <ActionForm action=save>
            <Locked role=Role::Owner><div class="flex flex-col gap-6">
                <Hidden name="version" value={typed_in::<StoreNetwork>(&[], "version", &network.version)} />
                <StaleForm page="/admin/network" />
                <FormFault action=save fields=&SaveNetwork::FIELDS />
                <p class="max-w-prose text-sm text-muted">
                    "One address or network a line: 192.0.2.7, 10.0.0.0/8, 2001:db8::/32. Denied wins over allowed; without allowed ones everybody may come. The lists count before any key or password, and at once. The word none is an empty list in place of one from the environment."
                </p>
                <Section title="Who may call the API">
                    <ListSetting save label="Allowed for the API" name="allowed_ips" value=network.allowed_ips hint="Empty: everybody with a key." />
                    <ListSetting save label="Denied for the API" name="denied_ips" value=network.denied_ips hint="Refused with 403 whatever key they have, also at /livez and /readyz." />
                </Section>
                <Section title="Who may open these pages" note=here>
                    <ListSetting
                        save label="Allowed for the admin pages" name="admin_allowed_ips" value=network.admin_allowed_ips
                        hint="Empty: everybody who can sign in."
                    />
                    <ListSetting save label="Denied for the admin pages" name="admin_denied_ips" value=network.admin_denied_ips hint="They see nothing but a refusal." />
                </Section>
                <Section title="Web pages and backends">
                    <ListSetting
                        save label="Web origins that may call the API (CORS)" name="cors_origins" value=network.cors_origins
                        hint="One a line, exactly as browsers name them: https://app.example.com. Empty: scripts of other sites get no answer. Keys are needed all the same."
                    />
                    <ListSetting
                        save label="Networks that backends may be in" name="backend_networks" value=network.backend_networks
                        hint="Looked at whenever a connection to a backend is made. Empty: anywhere but link-local, multicast and metadata addresses, which no backend may have."
                    />
                </Section>
                <Section title="Only over TLS (HSTS)">
                    <NumberSetting
                        save label="Days that browsers keep to https" name="hsts_days" value=network.hsts_days
                        hint="Told to browsers that come over TLS, and only then: for so many days they refuse http:// at this host name, on every port, even after TLS was turned off here. Empty: nothing is told. 0 takes back what was told before. Begin with 1."
                    />
                </Section>
                <LockOut save />
                {may(Role::Owner).then(|| view! { <div><SubmitButton label="Save network settings" pending=save.pending() /></div> })}
            </div></Locked>
        </ActionForm>
    }
    .into_any()
}

/// Asks before lists are saved that keep out whoever saves them.
#[component]
fn LockOut(save: FormAction<StoreNetwork>) -> impl IntoView {
    let fault = field_fault(save, "confirm");
    move || {
        fault.get().map(|fault| {
            view! {
                <div role="alert" class="alert alert-warning flex flex-col items-start gap-3">
                    <p>{sentence(&fault)}</p>
                    <label class="flex items-center gap-2">
                        <input type="checkbox" class="checkbox checkbox-sm" name=input_name("confirm") value="yes" />
                        "Save them all the same and lock me out"
                    </label>
                </div>
            }
        })
    }
}
