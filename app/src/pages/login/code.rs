//! Page: the second step of signing in, where the account has a second factor.

use leptos::prelude::*;

use crate::{
    api::session::SignInCode,
    components::{
        action::{ActionForm, action},
        fault::{FormFault, field_fault},
        field::Field,
        page::PlainFrame,
    },
};

#[component]
pub fn CodePage() -> impl IntoView {
    let action = action::<SignInCode>();
    view! {
        <PlainFrame title="Enter your code">
            <ActionForm action>
                <div class="flex flex-col gap-3">
                    <FormFault action=action fields=&["code"] />
                    <Field
                        label="Code" name="code" autocomplete="one-time-code" required=true autofocus=true fault=field_fault(action, "code")
                        hint="Six digits of your authenticator app, or one of your recovery codes."
                    />
                    <button class="btn btn-primary" disabled=move || action.pending().get()>"Go on"</button>
                </div>
            </ActionForm>
            <p class="text-sm text-muted">
                "You have five minutes. " <a class="link" href="/admin/login" rel="external">"Begin again"</a>
            </p>
            <p class="text-sm text-muted">
                "Neither at hand? An owner can turn the code off for you, and so can "
                <code class="break-words">"ollama-fortress admin reset-totp NAME"</code> " on the gateway\u{2019}s machine."
            </p>
        </PlainFrame>
    }
}
