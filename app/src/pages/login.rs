//! Page: sign in. Before the first administrator exists it says how to get the set-up link instead.

mod code;

use domain::setup::SetupStep;
use leptos::{either::Either, prelude::*};

pub use self::code::CodePage;
use crate::{
    api::{session::SignIn, setup::setup_state},
    components::{
        action::{ActionForm, action},
        fault::{FormFault, field_fault},
        field::Field,
        page::PlainFrame,
    },
    reading::reading,
};

#[component]
pub fn LoginPage() -> impl IntoView {
    let state = reading(|| (), |()| setup_state());
    view! {
        <PlainFrame title="Sign in">
            <Suspense>
                {move || Suspend::new(async move {
                    match state.await {
                        Ok(SetupStep::NeedsLink) => Either::Left(view! { <NeedsSetup/> }),
                        Ok(SetupStep::Admin) => Either::Left(view! { <NeedsSetup/> }),
                        _ => Either::Right(view! { <LoginForm/> }),
                    }
                })}
            </Suspense>
        </PlainFrame>
    }
}

#[component]
fn LoginForm() -> impl IntoView {
    let action = action::<SignIn>();
    view! {
        <ActionForm action>
            <div class="flex flex-col gap-3">
                <FormFault action=action fields=&["name", "password"] />
                <Field label="Name" name="name" autocomplete="username" required=true autofocus=true fault=field_fault(action, "name")/>
                <Field
                    label="Password" name="password" kind="password" autocomplete="current-password" required=true
                    fault=field_fault(action, "password")
                />
                <button class="btn btn-primary" disabled=move || action.pending().get()>"Sign in"</button>
            </div>
        </ActionForm>
    }
}

/// What to do before there is anybody who could sign in.
#[component]
pub fn NeedsSetup() -> impl IntoView {
    view! {
        <p>"This gateway has no administrator yet. When it started, it printed a set-up link on its standard output: the terminal it was started in, or the journal of what started it. Open that link: it works once and for one hour."</p>
        <p class="text-sm text-muted">
            "Lost it? Restart the gateway for a new one, or run " <code>"ollama-fortress admin create"</code> " on the gateway's machine."
        </p>
    }
}
