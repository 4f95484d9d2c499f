//! Giving the password again before a dangerous change: the dialog over every page, and the page for browsers without
//! scripts, which leads back.

use leptos::{html, prelude::*};
use leptos_router::{
    NavigateOptions,
    hooks::{use_navigate, use_query_map},
};

use crate::{
    api::session::GivePassword,
    components::{
        action::{ActionForm, FormAction, SubmitButton, action, on_success},
        fault::{FormFault, field_fault},
        field::Field,
        form::FormCard,
        page::PageHeader,
        reentry::Reentry,
    },
    session::safe_next,
};

const WHY: &str =
    "This change could lock people out or let somebody in. It needs your password, given within the last ten minutes.";

#[component]
pub fn ConfirmPage() -> impl IntoView {
    let action = action::<GivePassword>();
    let query = use_query_map();
    let navigate = use_navigate();
    on_success(action, move || {
        let next = query.with_untracked(|query| query.get("next").unwrap_or_default());
        navigate(safe_next(&next), NavigateOptions::default());
    });
    view! {
        <PageHeader title="Confirm it is you" />
        <div class="max-w-md">
            <FormCard id="confirm" title="Your password">
                <p class="text-sm">{WHY} " Afterwards you are led back, and send the change once more."</p>
                <ActionForm action>
                    <Password action id="confirm-password" />
                    <div class="mt-3"><SubmitButton label="Go on" pending=action.pending() /></div>
                </ActionForm>
            </FormCard>
        </div>
    }
    .into_any()
}

#[component]
fn Password(action: FormAction<GivePassword>, id: &'static str) -> impl IntoView {
    view! {
        <FormFault action=action fields=&["password"] />
        <Field
            label="Your password" name="password" id kind="password" autocomplete="current-password" required=true
            fault=field_fault(action, "password")
        />
    }
}

/// Asks when an action was answered that it needs the password; what was typed stays, and is sent again.
#[component]
pub(super) fn ConfirmDialog() -> impl IntoView {
    let action = action::<GivePassword>();
    // What a plain form was answered belongs to the page above.
    action.value().set(None);
    let (dialog, form) = (NodeRef::<html::Dialog>::new(), NodeRef::<html::Form>::new());
    let reentry = use_context::<Reentry>();
    Effect::new(move |_| {
        let (Some(reentry), Some(dialog)) = (reentry, dialog.get()) else { return };
        if !reentry.is_asked() {
            dialog.close();
            return;
        }
        if let Some(form) = form.get_untracked() {
            form.reset();
        }
        action.value().set(None);
        if !dialog.open() {
            // Fails only for what is no part of the page any more.
            let _ = dialog.show_modal();
        }
    });
    on_success(action, move || {
        if let Some(reentry) = reentry {
            reentry.go_on();
        }
    });
    let give_up = move || {
        if let Some(form) = form.get_untracked() {
            form.reset();
        }
        if let Some(reentry) = reentry {
            reentry.give_up();
        }
    };
    // Escape closes it without asking.
    let cancelled = move |_: leptos::ev::Event| give_up();
    view! {
        <dialog class="modal" node_ref=dialog aria-labelledby="confirm-title" on:cancel=cancelled>
            <div class="modal-box">
                <h2 id="confirm-title" class="mb-2 text-lg font-semibold">"Confirm it is you"</h2>
                <p class="mb-3 text-sm">{WHY}</p>
                <ActionForm action node_ref=form>
                    <Password action id="again-password" />
                    <div class="modal-action">
                        <button type="button" class="btn" on:click=move |_| give_up()>"Cancel"</button>
                        <SubmitButton label="Go on" pending=action.pending() />
                    </div>
                </ActionForm>
            </div>
        </dialog>
    }
    .into_any()
}
