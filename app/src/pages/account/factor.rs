//! The second factor: setting it up with an authenticator app, its recovery codes, turning it off.

use domain::admin::{AccountView, FactorSetup, RecoveryCodes};
use leptos::prelude::*;

use crate::{
    api::account::{CancelFactor, ConfirmFactor, StartFactor, StopFactor},
    components::{
        action::{ActionForm, FormAction, SubmitButton, action, on_success, refresh_after},
        copy_button::CopyButton,
        disclosure::Confirm,
        fault::{FormFault, field_fault},
        field::Field,
        form::FormCard,
        refresh::Refresh,
    },
    format::plural,
    visit,
};

#[component]
pub(super) fn Factor(account: Memo<AccountView>, refresh: Refresh) -> impl IntoView {
    let (start, cancel, confirm) = (action::<StartFactor>(), action::<CancelFactor>(), action::<ConfirmFactor>());
    refresh_after(confirm, refresh);
    // What was shown must not stay after it is of no use.
    on_success(cancel, move || start.value().set(None));
    on_success(confirm, move || start.value().set(None));
    let (kept, kept_codes) = (visit::factor_to_show(), visit::codes_to_show());
    let setup = Memo::new(move |_| start.output().or_else(|| kept.clone()));
    let codes = Memo::new(move |_| confirm.output().or_else(|| kept_codes.clone()));
    let is_on = Memo::new(move |_| account.with(|account| account.second_factor));
    view! {
        <FormCard id="factor" title="Second factor">
            <div role="status">{move || codes.get().map(|codes| view! { <Codes codes /> })}</div>
            {move || match (is_on.get(), setup.get()) {
                (true, _) => view! { <On account refresh confirm /> }.into_any(),
                (false, Some(setup)) => view! { <SetUp setup confirm cancel /> }.into_any(),
                (false, None) => view! { <Off start /> }.into_any(),
            }}
        </FormCard>
    }
    .into_any()
}

#[component]
fn Off(start: FormAction<StartFactor>) -> impl IntoView {
    view! {
        <p class="max-w-prose text-sm">
            "Off. With it, signing in asks for a code of an app on your phone as well, so that your password alone opens nothing."
        </p>
        <ActionForm action=start>
            <FormFault action=start />
            <SubmitButton label="Set up a second factor" pending=start.pending() class="btn btn-sm" />
        </ActionForm>
    }
}

#[component]
fn SetUp(setup: FactorSetup, confirm: FormAction<ConfirmFactor>, cancel: FormAction<CancelFactor>) -> impl IntoView {
    let FactorSetup { secret, uri, picture } = setup;
    view! {
        <p class="max-w-prose text-sm">"Scan this with an authenticator app, or type the secret in there. Then give the code it shows: only with that the second factor counts."</p>
        <div class="flex flex-wrap items-start gap-6">
            // Drawn by the gateway itself.
            <div class="rounded-box bg-white p-2" role="img" aria-label="QR code for the authenticator app" inner_html=svg(&picture)></div>
            <div class="flex min-w-0 max-w-md flex-1 basis-64 flex-col gap-3">
                <div>
                    <p class="text-sm font-medium">"Secret"</p>
                    <code class="break-words text-sm" data-testid="factor-secret">{secret}</code>
                </div>
                <p class="text-sm"><a class="link" href=uri>"Open in an app on this device"</a></p>
                <ActionForm action=confirm>
                    <FormFault action=confirm fields=&["code"] />
                    <Field
                        label="Current code" name="code" id="factor-code" inputmode="numeric" autocomplete="one-time-code" required=true
                        fault=field_fault(confirm, "code")
                    />
                    <div class="mt-3"><SubmitButton label="Turn on" pending=confirm.pending() class="btn btn-primary btn-sm" /></div>
                </ActionForm>
                <ActionForm action=cancel>
                    <SubmitButton label="Cancel" pending=cancel.pending() class="btn btn-sm btn-ghost" />
                    <FormFault action=cancel />
                </ActionForm>
            </div>
        </div>
    }
}

/// The picture without what stands before the element.
fn svg(document: &str) -> String {
    document.find("<svg").map(|at| document[at..].to_owned()).unwrap_or_default()
}

#[component]
fn On(account: Memo<AccountView>, refresh: Refresh, confirm: FormAction<ConfirmFactor>) -> impl IntoView {
    let stop = action::<StopFactor>();
    refresh_after(stop, refresh);
    on_success(stop, move || confirm.value().set(None));
    let refused = stop.value().with_untracked(Option::is_some);
    let left = move || plural(account.with(|account| account.recovery_codes as u64), "recovery code");
    view! {
        <p class="max-w-prose text-sm">"On: signing in asks for a code of your app. "{left}" left; each replaces one code, once. For new ones turn it off and set it up again."</p>
        <Confirm label="Turn off" open=refused question="Your password alone then signs you in.">
            <ActionForm action=stop>
                <FormFault action=stop />
                <SubmitButton label="Turn the second factor off" pending=stop.pending() class="btn btn-error btn-sm" />
            </ActionForm>
        </Confirm>
    }
}

#[component]
fn Codes(codes: RecoveryCodes) -> impl IntoView {
    let text = codes.codes.join("\n");
    let items = codes.codes.into_iter().map(|code| view! { <li><code>{code}</code></li> }).collect_view();
    view! {
        <div class="mb-3 flex flex-col gap-3 rounded-box border border-success p-4">
            <p class="text-sm">"The second factor is on. Keep these recovery codes where your phone is not: each signs you in once without it. They are shown this once."</p>
            <ul role="list" aria-label="Recovery codes" class="grid gap-x-6 gap-y-1 font-mono text-sm sm:grid-cols-2">{items}</ul>
            <div><CopyButton text class="btn btn-sm" /></div>
        </div>
    }
}
